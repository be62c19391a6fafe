"""Every operation of the contract, asked at random, and that a wrong answer would be seen.

A short campaign; `python -m tests.openapi` has the long one.
"""

# schemathesis leaves type arguments out.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
import requests
import schemathesis

from headrace.server.openapi import HELD
from headrace.wire import http
from tests.openapi import campaign
from tests.openapi.asking import Heard
from tests.openapi.judging import Drawn, Judge
from tests.openapi.outcome import Outcome, page
from tests.openapi.reference import PAGE, contract, text

CASES: Final = 700
UNREACHED: Final = 6
"""So many operations may have been asked without luck, in so few cases."""
OPEN: Final = {"access-control-allow-origin": ["*"], "access-control-expose-headers": ["*"]}
JSON: Final = {**OPEN, "content-type": ["application/json"]}
EVENTS: Final = {**OPEN, "content-type": ["text/event-stream"]}
RECORD: Final = b'{"seq_num":0,"timestamp":1,"body":"{}","headers":[]}'
RECEIPT: Final = b'{"ok":true,"seq":0,"duplicate":false,"resumed":true}'
PROBLEM: Final = b'{"ok":false,"error":"no such run","code":"not_found"}'
SEND: Final = ("/realtime/v1/streams/{run}/input/{stream}", "POST")
TAIL: Final = ("/realtime/v1/streams/{run}/input/{stream}", "GET")
LOOK: Final = ("/realtime/v1/streams/{run}/{target}/{stream}", "HEAD")


@pytest.mark.timeout(240)
def test_no_answer_is_outside_the_contract(tmp_path: Path, seed: int) -> None:
    outcome = campaign.run(seed, CASES, tmp_path, lambda _: None)

    assert outcome.is_good, outcome.faults()
    assert outcome.cases >= CASES
    assert set(outcome.statuses) == set(outcome.operations)
    assert len(outcome.unreached) <= UNREACHED
    assert outcome.held
    assert f"| cases | {outcome.cases:,} in " in page(outcome)


@pytest.fixture(scope="module", name="contract")
def document() -> Mapping[str, Any]:
    """The document."""
    return contract()


def test_the_page_lists_the_operations(contract: Mapping[str, Any]) -> None:
    assert PAGE.read_text("utf-8") == text(contract), "run `make operations`"


def test_what_is_held_is_declared(contract: Mapping[str, Any]) -> None:
    declared = {
        (path, str(operation[HELD]["query"]))
        for path, methods in contract["paths"].items()
        for operation in methods.values()
        if HELD in operation
    }

    assert declared == {
        ("/api/headrace/v1/runs/{run}/events", ""),
        ("/realtime/v1/runs/{run}", "live=true"),
        ("/realtime/v1/runs", "live=true"),
        ("/realtime/v1/streams/{run}/input/{stream}", ""),
        ("/realtime/v1/streams/{run}/{stream}", ""),
    }


def _kinds(contract: Mapping[str, Any], place: tuple[str, str], heard: Heard) -> list[str]:
    schema = schemathesis.openapi.from_dict(dict(contract))
    path, method = place
    case: Drawn = schema[path][method].Case(
        path_parameters={"run": "run_1", "stream": "notes", "target": "self"}
    )
    asked = requests.Request(method, "http://127.0.0.1/x").prepare()
    return [fault.kind for fault in Judge(contract).faults(case, asked, heard)]


GOOD: Final = Heard("whole", 0.0, 200, JSON, RECEIPT)
REFUSED: Final = Heard("whole", 0.0, 404, {**JSON, http.SHOULD_RETRY: ["false"]}, PROBLEM)
STREAM: Final = Heard(
    "held", 0.0, 200, EVENTS, b'event: batch\ndata: {"records":[' + RECORD + b"]}\n\nevent: pi"
)


@pytest.mark.parametrize(
    ("place", "heard"),
    [
        (SEND, GOOD),
        (SEND, REFUSED),
        (TAIL, STREAM),
        (TAIL, replace(STREAM, body=b"event: ping\ndata: {}\n\n")),
        (TAIL, replace(STREAM, body=STREAM.body.replace(b"{}", "\u2028\x85".encode()))),
        (LOOK, replace(GOOD, body=b"")),
        (SEND, Heard("held", 1.0)),
    ],
)
def test_what_is_promised_is_no_fault(
    contract: Mapping[str, Any], place: tuple[str, str], heard: Heard
) -> None:
    assert _kinds(contract, place, heard) == []


@pytest.mark.parametrize(
    ("place", "heard", "kind"),
    [
        (SEND, replace(GOOD, status=500, body=b'{"ok":false,"error":"x","requestId":"1"}'), "500"),
        (SEND, replace(GOOD, status=201), "Undocumented status code (201)"),
        (SEND, replace(GOOD, body=b'{"ok":true}'), "Response violates schema (200)"),
        (SEND, replace(GOOD, body=b""), "no body, where the document has one (200)"),
        (
            SEND,
            replace(GOOD, headers={**OPEN, "content-type": ["text/html"]}),
            "Undocumented Content-Type (200)",
        ),
        (
            SEND,
            replace(REFUSED, headers={"content-type": ["application/json"]}),
            "no page of another origin can read it",
        ),
        (SEND, replace(REFUSED, headers=JSON), f"404 without {http.SHOULD_RETRY}"),
        (SEND, replace(REFUSED, body=b"not found"), "an error that is no JSON (404)"),
        (
            SEND,
            replace(REFUSED, body=b'{"ok":true,"error":"","code":"x"}'),
            "an error that does not say so (404)",
        ),
        (TAIL, replace(STREAM, end="whole"), "an event is cut"),
        (TAIL, replace(STREAM, body=b"event: batch\ndata: {\n\n"), "an event that is no JSON"),
        (
            TAIL,
            replace(STREAM, body=b"event: other\ndata: {}\n\n"),
            "an event that is not in the document",
        ),
        (
            TAIL,
            replace(STREAM, body=b'event: batch\ndata: {"records":[{}]}\n\n'),
            "an event does not fit the document",
        ),
        (LOOK, GOOD, "a body that is not in the document (200)"),
        (SEND, Heard("broken", 0.0), "the answer breaks off"),
    ],
)
def test_what_is_not_promised_is_a_fault(
    contract: Mapping[str, Any], place: tuple[str, str], heard: Heard, kind: str
) -> None:
    assert kind in _kinds(contract, place, heard)


def test_an_outcome_with_a_finding_is_not_good() -> None:
    good, many = Outcome(1), Outcome(1, cases=10_000, unreached=["GET /x"])

    assert good.is_good
    assert not many.is_good
    assert "GET /x" in many.faults()
