"""The contract, written down for programs: OpenAPI, from the very declarations that are served.

Must never know: any handler.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias, TypeGuard

import msgspec

from headrace.errors import Forbidden, HeadraceError, Mistake, Throttled, Unauthorized
from headrace.server.policy import takes_tokens
from headrace.server.rates import COUNTED
from headrace.server.routes import JSON, Param, Route
from headrace.server.uses import READS
from headrace.wire import http

Document: TypeAlias = dict[str, object]
_REF: Final = "#/components/schemas/{name}"
_UNSAYABLE: Final = (msgspec.Raw, msgspec.Struct)
_PARAM: Final = re.compile(r"{(\w+)}")
_TEXT: Final[Document] = {"type": "string"}
_JSONS: Final = frozenset({JSON, "application/super+json"})
EVENTS: Final = "text/event-stream"
HELD: Final = "x-headrace-holds"
"""Where an operation says when its answer may be held, or go on for as long as there is news."""
SENT: Final = "x-headrace-events"
"""Where a stream of events says what each of them holds."""


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong. `code` is stable; a value that does not fit has a `path` as well."""

    ok: bool
    error: str
    code: str
    hint: str = ""
    path: str = ""


class Fault(msgspec.Struct, frozen=True, rename="camel"):
    """Our fault. `requestId` finds it in the server's log."""

    ok: bool
    error: str
    request_id: str


class Health(msgspec.Struct, frozen=True):
    """Whether this process takes requests."""

    ok: bool


_ANYWHERE: Final[Mapping[int, tuple[str, type[msgspec.Struct]]]] = {
    408: ("The request took too long to arrive.", Problem),
    431: ("The head of the request is too large.", Problem),
    500: ("Our fault.", Fault),
    503: ("No answer of the store: it may or may not have happened. Try again.", Problem),
}
"""What any route may answer, whatever it does."""


def document(routes: Sequence[Route], version: str) -> bytes:
    """Describe the routes."""
    types = _types(routes)
    sayable = [_sayable(shape) for shape in types]
    schemas, components = msgspec.json.schema_components(sayable, ref_template=_REF)
    refs = dict(zip(map(id, types), schemas, strict=True))
    paths: dict[str, Document] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, refs)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "Headrace", "version": version},
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def _types(routes: Iterable[Route]) -> list[object]:
    found: dict[int, object] = {id(shape): shape for shape in (Problem, Fault)}
    for route in routes:
        forms = (param.form for param in route.params)
        shapes = (route.takes, route.gives, *forms)
        found |= {id(shape): shape for shape in shapes if shape is not None}
    return list(found.values())


def _sayable(shape: object) -> object:
    """Return the type, or its like without the defaults that no schema can show."""
    if not _is_struct(shape):
        return shape
    known = msgspec.structs.fields(shape)
    if not any(isinstance(field.default, _UNSAYABLE) for field in known):
        return shape
    fields = [
        (field.encode_name, _sayable(field.type) | msgspec.UnsetType, msgspec.UNSET)
        if isinstance(field.default, _UNSAYABLE)
        else (field.encode_name, field.type, field.default)
        for field in known
    ]
    return msgspec.defstruct(shape.__name__, fields, namespace={"__doc__": shape.__doc__})


def _is_struct(shape: object) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(shape, type) and issubclass(shape, msgspec.Struct)


def _operation(route: Route, refs: Mapping[int, Document]) -> Document:
    policy = route.policy
    found: Document = {
        "summary": route.summary,
        "operationId": route.handler.__name__,
        "description": f"Credentials: {policy.words if policy else 'none'}.",
        "parameters": [*_in_path(route), *(_beside(param, refs) for param in route.params)],
        "responses": _responses(route, refs),
        "security": [] if policy is None or policy.open else [{"bearer": []}],
    }
    if route.takes is not None:
        content = _content(route.takes_as, refs[id(route.takes)])
        found["requestBody"] = {"content": content, "required": not route.optional}
    if route.event or route.held_by:
        found[HELD] = {"query": route.held_by}
    return found


def _in_path(route: Route) -> list[Document]:
    names = _PARAM.findall(route.path)
    found: list[Document] = [
        {"name": name, "in": "path", "required": True, "schema": _TEXT} for name in names
    ]
    if route.deep:
        found[-1]["description"] = "may hold slashes"
    return found


def _beside(param: Param, refs: Mapping[int, Document]) -> Document:
    return {
        "name": param.name,
        "in": param.place,
        "description": param.text,
        "schema": refs[id(param.form)],
    }


def _responses(route: Route, refs: Mapping[int, Document]) -> Document:
    given = _given(route, refs)
    found: Document = {str(route.status): {"description": "OK", **given}}
    anywhere = {
        str(status): _response(words, (JSON,), refs[id(shape)])
        for status, (words, shape) in _ANYWHERE.items()
    }
    problems = {
        status: _response(words, (JSON,), refs[id(Problem)])
        for status, words in _problems(route).items()
    }
    others = {
        str(status): {"description": words, **given} for status, words in route.others.items()
    }
    return found | dict(sorted((anywhere | problems | others).items()))


def _given(route: Route, refs: Mapping[int, Document]) -> Document:
    """Return the content of the good answer: none where only its headers say something."""
    if route.gives is None or route.method == "HEAD":
        return {}
    shape = refs[id(route.gives)]
    if route.event:
        return {"content": {EVENTS: {"schema": _TEXT, SENT: {route.event: shape}}}}
    return {"content": _content(route.gives_as, shape)}


def _problems(route: Route) -> dict[str, str]:
    """Say what each status may mean, by the docstrings of the errors."""
    found: dict[str, list[str]] = {}
    for error in dict.fromkeys((*_guards(route), *route.errors)):
        words = (error.__doc__ or "").strip().splitlines()[0]
        found.setdefault(str(http.STATUS[error.code]), []).append(f"`{error.code}`: {words}")
    return {status: " ".join(lines) for status, lines in sorted(found.items())}


def _guards(route: Route) -> Iterable[type[HeadraceError]]:
    """Return what is refused before the route itself is asked."""
    if route.policy is None or route.policy.open:
        return
    yield from (Unauthorized, Forbidden)
    if route.path.startswith(COUNTED.decode()):
        yield Throttled
    if takes_tokens(route.policy) and route.method not in READS:
        yield Mistake  # the uses of a token may be used up


def _response(words: str, kinds: Iterable[str], shape: Document) -> Document:
    return {"description": words, "content": _content(kinds, shape)}


def _content(kinds: Iterable[str], shape: Document) -> Document:
    return {kind: {"schema": shape if kind in _JSONS else _TEXT} for kind in kinds}
