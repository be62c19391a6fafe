"""Whether an answer is one of those that the document promises.

Owns: every check. Must never know: how a request came about.
"""

# schemathesis leaves type arguments out.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

import jsonschema_rs
import msgspec
import schemathesis
from requests import PreparedRequest
from schemathesis import Case, Response
from schemathesis.checks import CheckFunction
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from headrace.server.openapi import EVENTS, SENT
from headrace.wire import http, shapes
from tests.openapi.asking import Heard

CHECKS: Final[tuple[CheckFunction, ...]] = (
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
)
SERVER: Final = 500
REFUSED: Final = 400
JSONS: Final = frozenset({None, "application/json"})
TEXTS: Final = frozenset({"text/plain"})
READABLE: Final = ("access-control-allow-origin", "access-control-expose-headers")
Raw: TypeAlias = Mapping[str, Any]
Drawn: TypeAlias = Case[schemathesis.APIOperation[Any, Any, Any, Any]]
"""A request that was drawn from the document."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an answer. `kind` is the same for all its like."""

    kind: str
    detail: str


class Judge:
    """Compares answers with the document."""

    def __init__(self, document: Raw) -> None:
        self._components: object = document["components"]
        self._events = dict[str, jsonschema_rs.Validator]()

    def faults(self, case: Drawn, request: PreparedRequest, heard: Heard) -> list[Fault]:
        """Return all that is wrong; how long it took is not asked here."""
        if heard.end == "broken":
            told = f"{heard.status} {heard.why} {heard.body[:200]!r}"
            return [Fault("the answer breaks off", told)]
        if not heard.status:
            return []
        return [
            *_of_every(heard),
            *_by_schemathesis(case, request, heard),
            *_of_nothing(case, heard),
            *_of_problem(heard),
            *self._of_events(case, heard),
        ]

    def _of_events(self, case: Drawn, heard: Heard) -> Iterator[Fault]:
        if _kind(heard) != EVENTS or not heard.body:
            return
        declared = cast("Raw", _content(case, heard.status)[EVENTS])[SENT]
        whole, _, rest = heard.body.rpartition(b"\n\n")
        if rest and heard.end == "whole":
            yield Fault("an event is cut", repr(rest[:200]))
        for block in whole.split(b"\n\n") if whole else ():
            try:
                name, data = _event(block)
            except ValueError as error:
                yield Fault("an event that is no JSON", f"{error} {block[:200]!r}")
                continue
            if name == "ping":
                continue
            if name not in declared:
                yield Fault("an event that is not in the document", repr(block[:200]))
                continue
            yield from self._of_event(name, declared[name], data)

    def _of_event(self, name: str, schema: Raw, data: object) -> Iterator[Fault]:
        for error in self._validator(name, schema).iter_errors(data):
            yield Fault("an event does not fit the document", f"{name}: {error.message}"[:400])

    def _validator(self, name: str, schema: Raw) -> jsonschema_rs.Validator:
        found = self._events.get(key := f"{name} {schema}")
        if found is None:
            whole = {**schema, "components": self._components}
            found = self._events[key] = jsonschema_rs.validator_for(whole)
        return found


def _of_every(heard: Heard) -> Iterator[Fault]:
    if heard.status >= SERVER:
        yield Fault(f"{heard.status}", repr(heard.body[:400]))
    for name in READABLE:
        if heard.headers.get(name) != ["*"]:
            told = f"{heard.status} {name}: {heard.headers.get(name)}"
            yield Fault("no page of another origin can read it", told)
    if len(heard.headers.get("content-type", [])) != 1:
        yield Fault("not one content type", repr(heard.headers))


def _by_schemathesis(case: Drawn, request: PreparedRequest, heard: Heard) -> Iterator[Fault]:
    checks = list(CHECKS)
    if case.media_type in JSONS:
        checks.append(negative_data_rejection)  # as text, whatever was drawn is a text
    if case.method != "HEAD" and _kind(heard) != EVENTS and heard.body:
        checks.append(response_schema_conformance)
    response = Response(
        heard.status, {**heard.headers}, heard.body, request, heard.elapsed_s, verify=False
    )
    try:
        case.validate_response(response, checks)
    except FailureGroup as group:
        for failure in group.exceptions:
            yield Fault(f"{failure.title} ({heard.status})", str(failure)[:600])


def _of_nothing(case: Drawn, heard: Heard) -> Iterator[Fault]:
    """A body is there if the document has one, and only then; a text may be empty."""
    declared = _content(case, heard.status)
    due = any(kind.endswith("json") for kind in declared) and not set(declared) & TEXTS
    if heard.body and not declared and str(heard.status) in _responses(case):
        yield Fault(f"a body that is not in the document ({heard.status})", repr(heard.body[:200]))
    if not heard.body and due and case.method != "HEAD":
        yield Fault(f"no body, where the document has one ({heard.status})", "")


def _of_problem(heard: Heard) -> Iterator[Fault]:
    if heard.status < REFUSED or not heard.body or heard.body == shapes.MUST_REFETCH:
        return
    try:
        said = msgspec.json.decode(heard.body, type=dict[str, object])
    except msgspec.MsgspecError as error:
        yield Fault(f"an error that is no JSON ({heard.status})", f"{error} {heard.body[:200]!r}")
        return
    if said.get("ok") is not False or not said.get("error"):
        yield Fault(f"an error that does not say so ({heard.status})", repr(heard.body[:200]))
    due = {404: http.SHOULD_RETRY, 401: "www-authenticate", 429: http.RETRY_AFTER, 405: "allow"}
    if (name := due.get(heard.status)) and not heard.header(name):
        yield Fault(f"{heard.status} without {name}", repr(heard.headers))


def _event(block: bytes) -> tuple[str, object]:
    fields = dict[str, str]()
    for line in block.decode().split("\n"):  # other breaks of lines may stand in texts
        name, _, value = line.partition(": ")
        fields[name] = value
    return fields.get("event", ""), json.loads(fields.get("data", "null"))


def _kind(heard: Heard) -> str:
    return heard.header("content-type").partition(";")[0]


def _responses(case: Drawn) -> Raw:
    return cast("Raw", case.operation.definition.raw["responses"])


def _content(case: Drawn, status: int) -> Raw:
    return cast("Raw", _responses(case).get(str(status), {}).get("content", {}))
