"""The contract, written down for programs: OpenAPI, from the very declarations that are served.

Must never know: any handler.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias, TypeGuard

import msgspec

from headrace.errors import Forbidden, HeadraceError, Unauthorized
from headrace.server.routes import Route
from headrace.wire import http

Document: TypeAlias = dict[str, object]
_REF: Final = "#/components/schemas/{name}"
_UNSAYABLE: Final = (msgspec.Raw, msgspec.Struct)
_PARAM: Final = re.compile(r"{(\w+)}")


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong. `code` is stable; a value that does not fit has a `path` as well."""

    ok: bool
    error: str
    code: str
    hint: str = ""
    path: str = ""


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
    found: dict[int, object] = {id(Problem): Problem}
    for route in routes:
        found |= {id(shape): shape for shape in (route.takes, route.gives) if shape is not None}
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
        "parameters": [*_in_path(route), *_beside(route)],
        "responses": _responses(route, refs),
        "security": [] if policy is None or policy.open else [{"bearer": []}],
    }
    if route.takes is not None:
        found["requestBody"] = {"content": _content("application/json", refs[id(route.takes)])}
    return found


def _in_path(route: Route) -> list[Document]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAM.findall(route.path)
    ]


def _beside(route: Route) -> list[Document]:
    return [
        {
            "name": param.name,
            "in": param.place,
            "description": param.text,
            "schema": {"type": "string"},
        }
        for param in route.params
    ]


def _responses(route: Route, refs: Mapping[int, Document]) -> Document:
    kind = "text/event-stream" if route.kind == "events" else "application/json"
    shape = refs[id(route.gives)] if route.gives is not None else {}
    found: Document = {str(route.status): {"description": "OK", "content": _content(kind, shape)}}
    for status, words in _problems(route).items():
        found[status] = {
            "description": words,
            "content": _content("application/json", refs[id(Problem)]),
        }
    return found | {str(status): {"description": text} for status, text in route.others.items()}


def _problems(route: Route) -> dict[str, str]:
    """Say what each status may mean, by the docstrings of the errors."""
    guards: tuple[type[HeadraceError], ...] = (Unauthorized, Forbidden)
    errors = route.errors if route.policy is None or route.policy.open else guards + route.errors
    found: dict[str, list[str]] = {}
    for error in errors:
        words = (error.__doc__ or "").strip().splitlines()[0]
        found.setdefault(str(http.STATUS[error.code]), []).append(f"`{error.code}`: {words}")
    return {status: " ".join(lines) for status, lines in sorted(found.items())}


def _content(kind: str, shape: Document) -> Document:
    return {kind: {"schema": shape}}
