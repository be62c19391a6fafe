"""Tokens of streams over HTTP, and what is said to who would have a run wait from outside."""

from __future__ import annotations

import json

import pytest

from tests.server.house import House
from tests.server.test_keys import made

TOKENS = "/api/v1/waitpoints/tokens"


def path(run: str) -> str:
    return f"/api/v1/runs/{run}/input-streams/wait"


async def test_a_backend_waits_for_the_next_message(home: House) -> None:
    run = await home.run()
    said = await home.ask("POST", path(run), b'{"streamId":"notes","timeout":"1h"}')
    assert (said.status, said.json["isCached"], set(said.json)) == (
        200,
        False,
        {"waitpointId", "isCached"},
    )
    token = f"{TOKENS}/{said.json['waitpointId']}"
    assert (await home.ask("GET", token)).json["status"] == "WAITING"
    send = f"/realtime/v1/streams/{run}/input/notes"
    assert (await home.ask("POST", send, b'{"data":{"n":1}}')).status == 200
    done = (await home.ask("GET", token)).json
    assert (done["status"], done["output"], done["outputType"]) == (
        "COMPLETED",
        '{"n":1}',
        "application/json",
    )


async def test_it_is_completed_by_nothing_but_a_message(home: House) -> None:
    said = await home.ask("POST", path(await home.run()), b'{"streamId":"notes"}')
    token = f"{TOKENS}/{said.json['waitpointId']}"
    by_hand = await home.ask("POST", f"{token}/complete", b'{"data":1}')
    assert (by_hand.status, by_hand.json["code"]) == (422, "mistake")
    assert "Send to the stream" in str(by_hand.json["hint"])
    shown = (await home.ask("GET", token)).json
    address = str(shown["url"]).removeprefix(home.url)
    assert (await home.ask("POST", address, b"1", key="")).status == 401
    assert (await home.ask("GET", token)).json["status"] == "WAITING"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'{"streamId":1}', 400),
        (b'{"streamId":"notes","lastSeqNum":"1"}', 400),
        (b'{"streamId":"notes","lastSeqNum":-2}', 400),
        (b'{"streamId":"notes","timeout":"5 minutes"}', 400),
        (b'{"streamId":"notes","idempotencyKeyTTL":"soon","idempotencyKey":"k"}', 400),
        (b'{"streamId":"notes","tags":["%s"]}' % (b"x" * 129), 400),
        (json.dumps({"streamId": "notes", "tags": [f"t{n}" for n in range(11)]}).encode(), 422),
        (b'{"streamId":"notes","tags":["%s"]}' % (b"x" * 10_240), 413),
        (b'{"streamId":"nothing"}', 404),
        (b'{"streamId":"progress"}', 404),
    ],
)
async def test_what_is_wrong_with_an_order_is_said(home: House, body: bytes, status: int) -> None:
    said = await home.ask("POST", path(await home.run()), body)
    assert said.status == status
    assert said.json["error"]
    assert (await home.ask("GET", TOKENS)).json["data"] == []


async def test_an_unknown_run_is_not_found_and_not_asked_for_again(home: House) -> None:
    said = await home.ask("POST", path("run_nobody"), b'{"streamId":"notes"}')
    assert (said.status, said.headers["x-should-retry"]) == (404, "false")


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        (["write:waitpoints", "read:runs"], 200),
        (["write:waitpoints"], 403),
        (["read:runs"], 403),
        (["write:waitpoints", "read:waitpoints"], 403),
    ],
)
async def test_who_may_not_read_runs_sees_no_message_of_them(
    home: House, scopes: list[str], status: int
) -> None:
    key = await made(home, *scopes)
    said = await home.ask("POST", path(await home.run()), b'{"streamId":"notes"}', key=key)
    assert said.status == status


@pytest.mark.parametrize(
    "path",
    [
        "/engine/v1/runs/{run}/waitpoints/tokens/waitpoint_1/wait",
        "/engine/v1/runs/{run}/wait/duration",
    ],
)
async def test_no_run_is_made_to_wait_from_outside(home: House, path: str) -> None:
    run = await home.run()
    said = await home.ask("POST", path.format(run=run), b'{"date":"2030-01-01T00:00:00.000Z"}')
    assert (said.status, said.headers["x-should-retry"]) == (404, "false")
    assert "JavaScript" in str(said.json["hint"])
    assert not (await home.api.retrieve(run)).waits
