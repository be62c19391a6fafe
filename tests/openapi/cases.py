"""Requests by chance: from the document, and from what there is on the server.

Owns: how often which. Must never know: what an answer should be.
"""

# schemathesis leaves type arguments out.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

import schemathesis
from schemathesis import GenerationMode, SerializationContext

from headrace.server.openapi import HELD
from headrace.wire import http
from tests.openapi.credentials import WHO
from tests.openapi.judging import Drawn
from tests.openapi.world import TAGS, World

Operation: TypeAlias = schemathesis.APIOperation[Any, Any, Any, Any]
MODES: Final = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
KNOWN: Final = 0.85
"""So often is a part of a path something that there is."""
STEERED: Final = 0.6
ADDED: Final = 0.15
NDJSON: Final = "application/x-ndjson"
_schema: Final = base64.b64encode(b'{"type":"integer"}').decode()
_APPROVED: Final = {"data": {"approved": True}}
_BIG: Final = {"data": "x" * 1_100_000}
BODIES: Final[Mapping[str, Sequence[Any]]] = {
    "POST /api/v1/tasks/{task}/trigger": (
        {"payload": 1},
        {"payload": "1", "options": {"payloadType": "application/json", "idempotencyKey": "key-1"}},
        {"payload": {"a": [1.5, "\u00fc"]}, "options": {"tags": ["red", "b"], "maxAttempts": 2}},
        {"options": {"delay": "1h", "ttl": 60, "metadata": {"a": 1}, "maxDuration": 5}},
        {"options": {"delay": "2030-01-01T00:00:00Z", "tags": "red", "test": True}},
        {"payload": '{"json":1}', "options": {"payloadType": "application/super+json"}},
        {"options": {"debounce": {"key": "d", "delay": "1m", "mode": "trailing"}}},
        {"payload": "packet", "options": {"payloadType": "application/store"}},
        {"payload": "x" * 3_200_000},
    ),
    "POST /api/v1/runs/{run}/replay": ({}, {"payload": 2}, {"tags": ["red"], "delay": "1m"}),
    "POST /api/v1/runs/{run}/reschedule": ({"delay": "2h"}, {"delay": 3600}),
    "POST /api/v1/runs/{run}/tags": ({"tags": "red"}, {"tags": ["b", "c"]}),
    "PUT /api/v1/runs/{run}/metadata": (
        {"metadata": {"a": 1}},
        {"operations": [{"type": "set", "key": "a", "value": [1]}]},
        {"operations": [{"type": "append", "key": "$.a.b[0]", "value": 1}]},
        {"rootOperations": [{"type": "increment", "key": "n", "value": 2}]},
        {"parentOperations": [{"type": "update", "value": {"k": None}}]},
    ),
    "POST /api/v1/idempotencyKeys/{key}/reset": ({"taskIdentifier": "echo"},),
    "PUT /api/headrace/v1/packets/{key}": ({"a": 1},),
    "POST /api/headrace/v1/runs/{run}/accept": ({"skip": [0]}, {"insert": ["first-2#0"]}),
    "POST /api/v1/auth/public-tokens": (
        {"scopes": ["read:runs"]},
        {"scopes": ["read:runs:x"], "expirationTime": "1h", "uses": 3, "actor": "a"},
        {"scopes": [], "oneTimeUse": True, "realtime": {"skipColumns": ["payload"]}},
    ),
    "POST /api/v1/waitpoints/tokens": (
        {},
        {"timeout": "1h", "tags": ["red"], "idempotencyKey": "key-1", "idempotencyKeyTTL": "1h"},
        {"timeout": "2030-01-01T00:00:00Z"},
    ),
    "POST /api/v1/runs/{run}/input-streams/wait": (
        {"streamId": "notes"},
        {"streamId": "notes", "timeout": "1h", "lastSeqNum": 0, "tags": ["red"]},
    ),
    "POST /api/v1/waitpoints/tokens/{token}/complete": ({"data": {"approved": True}}, {}),
    "POST /api/v1/waitpoints/tokens/{token}/callback/{proof}": ({"data": 1},),
    "POST /api/headrace/v1/keys": ({"name": "n", "scopes": ["read:runs"]}, {}),
    "POST /api/headrace/v1/keys/{key}/rotate": ({"grace": "1h"}, {"grace": 0}),
    "POST /realtime/v1/streams/{run}/input/{stream}": (
        _APPROVED,
        {"data": "bye"},
        {"data": 1},
        _BIG,
    ),
    "POST /realtime/v1/streams/{run}/{target}/{stream}": (
        '"a"\n"b"\n',
        '{"n":1}\n\nundefined',
        '"a"\n{',
    ),
    "POST /realtime/v1/streams/{run}/{target}/{stream}/append": ("some text", ""),
    "POST /api/headrace/v1/registrations": (
        {"version": "outside", "tasks": [{"id": "nobody", "schema": _schema}], "streams": []},
        {
            "version": "other",
            "tasks": [],
            "streams": [{"name": "nothing", "inward": True}],
            "python": "3.11",
        },
    ),
}
"""What the server makes something of; the rest is drawn."""
HEADERS: Final[Sequence[tuple[str, Sequence[str]]]] = (
    (http.IDEMPOTENCY_KEY, ("key-1", "key-2")),
    (http.REQUEST_KEY, ("one", "two")),
    ("idempotency-key-ttl", ("1h", "soon")),
    (http.API_VERSION, (http.PRESENT_API,)),
    (http.LAST_EVENT_ID, ("0", "-1", "9007199254740992", "99999999999999999999", " 1", "1.0")),
    (http.TIMEOUT_SECONDS, ("1", "0.5", "600", "nan", "1e400")),
    (http.STREAM_START, ("latest", "first")),
    (http.CLIENT_ID, ("w1", "w2")),
    (http.RESUME_FROM, ("0", "1", "9007199254740993", "-1")),
    (http.PART_ID, ("p1", "p2", "p" * 257)),
    ("content-encoding", ("gzip", "identity")),
    ("accept", ("text/html", "application/json")),
    ("origin", ("https://example.com", "null")),
    ("x-forwarded-proto", ("https", "nonsense")),
    ("host", ("example.com", "")),
    ("range", ("bytes=0-1",)),
    ("expect", ("100-continue",)),
)
QUERIES: Final[Sequence[tuple[str, Sequence[str]]]] = (
    ("tags", (*TAGS, "red,user:7", ",", "a\\b")),
    ("createdAt", ("1d", "yesterday", "")),
    ("offset", ("-1", "0_0", "99999999999999999999_0")),
    ("handle", ("x", "1.00000000")),
    ("live", ("true",)),
    ("skipColumns", ("payload,output", "id")),
    ("page[size]", ("1", "100", "0")),
    ("page[after]", ("run_1", "\u0000")),
    ("filter[status]", ("COMPLETED,FAILED", "EXECUTING", "NONE")),
    ("filter[taskIdentifier]", ("echo", "echo,fail")),
    ("filter[tag]", ("red",)),
    ("filter[createdAt][period]", ("1h",)),
    ("filter[createdAt][from]", ("2020-01-01", "999999999999999", "2020-02-30")),
    ("filter[tags]", ("red",)),
    ("filter[idempotencyKey]", ("key-1",)),
    ("filter[isTest]", ("true",)),
)


@schemathesis.serializer(NDJSON, "application/super+json")
def as_text(_: SerializationContext, value: Any) -> bytes:
    """Send lines as they are."""
    return value if isinstance(value, bytes) else _text(value).encode("utf-8", "replace")


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def steer(case: Drawn, world: World, chance: Random) -> None:
    """Lead a request that was drawn to what there is."""
    _path(case, world, chance)
    _headers(case, world, chance)
    _query(case, world, chance)
    bodies = _bodies(case.operation.label)
    if bodies and chance.random() < STEERED:
        case.body = chance.choice(bodies)
        case.media_type = chance.choice(list(_declared(case)["requestBody"]["content"]))


def _bodies(label: str) -> Sequence[Any]:
    return BODIES.get(label, ())


def _path(case: Drawn, world: World, chance: Random) -> None:
    given = dict(case.path_parameters)
    for name, drawn in given.items():
        if chance.random() < KNOWN:
            kind = _kind(case.operation.label, name, chance)
            given[name] = world.known(kind, chance) or drawn
    case.path_parameters = given


def _kind(label: str, name: str, chance: Random) -> str:
    """Return what the operation needs there."""
    last = label.rpartition("/")[2]
    if name == "run" and last in {"unblock", "restart", "accept", "reschedule"}:
        return "delayed" if last == "reschedule" else "blocked"
    if name == "run":
        return chance.choice(["live", "run"])
    if name == "key":
        places = ("idempotencyKeys", "headrace/v1/packets", "packets")
        return next((place for place in places if place in label), "key")
    return name


def _headers(case: Drawn, world: World, chance: Random) -> None:
    who = chance.choice(WHO)
    if who != "as drawn":
        case.headers.pop(http.AUTHORIZATION, None)
        credential = world.credentials.of(who, case.path_parameters)
        if credential is not None:
            case.headers[http.AUTHORIZATION] = credential
    if chance.random() < STEERED:
        for name, values in chance.sample(HEADERS, 2):
            case.headers[name] = chance.choice(values)


def _query(case: Drawn, world: World, chance: Random) -> None:
    label = case.operation.label
    signed = world.known(f"signed {label}", chance)
    if signed and chance.random() < STEERED:
        path, _, query = signed.partition("?")
        case.path_parameters |= _in_path(label, path)
        case.query = dict(parse_qsl(query))
    if "{proof}" in label and chance.random() < STEERED:
        token, _, proof = world.known("callback", chance).partition("/")
        case.path_parameters = {"token": token or "t", "proof": proof or "p"}
    declared = {parameter["name"] for parameter in _declared(case)["parameters"]}
    given = dict(case.query)
    for name, values in QUERIES:
        if name in declared and chance.random() < ADDED:
            given[name] = chance.choice(values)
    if "/realtime/v1/runs" in label and chance.random() < STEERED:
        _follow(case, given, world.known(f"feed {label}", chance))
    case.query = given


def _in_path(label: str, path: str) -> dict[str, str]:
    """Return what stands in a path where the operation has its parameters."""
    places = zip(label.partition(" ")[2].split("/"), path.split("/"), strict=True)
    return {name[1:-1]: unquote(text) for name, text in places if name.startswith("{")}


def _follow(case: Drawn, given: dict[str, Any], place: str) -> None:
    """Go on where an answer said that a feed goes on."""
    if place:
        path, handle, offset = place.split(" ")
        target = urlsplit(path)
        given |= {**dict(parse_qsl(target.query)), "handle": handle, "offset": offset}
        if case.path_parameters:
            case.path_parameters = {"run": target.path.rpartition("/")[2]}


def _declared(case: Drawn) -> dict[str, Any]:
    found: dict[str, Any] = case.operation.definition.raw
    return found


def may_hold(operation: Operation, target: str) -> bool:
    """Tell whether the document allows that the answer is held."""
    declared = operation.definition.raw.get(HELD)
    if declared is None:
        return False
    name, _, value = str(declared["query"]).partition("=")
    return not name or (name, value) in parse_qsl(target.partition("?")[2])
