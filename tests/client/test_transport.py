"""A call is made again when that can help, always under the same name, and never for ever."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
from dataclasses import replace

import pytest

from headrace.client import Client, Target
from headrace.errors import (
    BadValue,
    HeadraceError,
    NotFound,
    Throttled,
    Unauthorized,
    Unavailable,
)
from headrace.testing.clock import START, ManualClock
from headrace.wire.http import body_of
from headrace.wire.views import TriggerOrder
from tests.client.scripted import HASTY, KEY, Counting, Reply, asking, cut, said, serving, streamed

STARTED = '{"id":"run_1","isCached":false}'


async def test_one_call_keeps_its_name_over_all_its_tries() -> None:
    async with (
        serving(
            said(500), said(503), said(409), cut, said(200, STARTED, x_trigger_jwt="token")
        ) as script,
        asking(script) as client,
    ):
        started = await client.trigger("a/b", TriggerOrder())
        script.replies.append(said(200, STARTED))
        await client.trigger("a/b", TriggerOrder())
    names = script.header("x-trigger-request-idempotency-key")
    assert (started.id, started.public_token) == ("run_1", "token")
    assert len(set(names[:5])) == 1
    assert names[5] != names[0]
    assert {path for _, path, _ in script.asked} == {"/api/v1/tasks/a%2Fb/trigger"}


async def test_the_callers_own_names_are_used() -> None:
    receipt = '{"ok":true,"seq":3,"duplicate":false,"resumed":true}'
    async with serving(said(500), said(200, receipt)) as script, asking(script) as client:
        await client.send("run_1", "s", b"1", key="mine", request_key="again")
    assert script.header("x-trigger-request-idempotency-key") == ["again", "again"]
    assert script.header("idempotency-key") == ["mine", "mine"]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (said(404, '{"error":"no run"}', x_should_retry="false"), NotFound),
        (said(401), Unauthorized),
        (said(422, body_of(BadValue("no", path="/a")).decode()), BadValue),
        (said(500, x_should_retry="false"), Unavailable),
        (said(429, retry_after="3600"), Throttled),
        (said(200, "<html>"), Unavailable),
        (said(302, location="http://127.0.0.1:1/"), HeadraceError),
    ],
    ids=["missing", "stranger", "misfit", "final", "far-off", "not-ours", "elsewhere"],
)
async def test_what_cannot_get_better_is_asked_once(reply: Reply, kind: type[Exception]) -> None:
    async with serving(reply) as script, asking(script) as client:
        with pytest.raises(kind) as raised:
            await client.retrieve("run_1")
    assert len(script.asked) == 1
    assert KEY not in str(raised.value)


async def test_what_the_server_asks_for_is_waited() -> None:
    soon = str(START + 5)
    async with (
        serving(said(429, retry_after="0"), said(429, x_ratelimit_reset=soon), said(404)) as script,
        asking(script) as client,
    ):
        with pytest.raises(NotFound):
            await client.retrieve("run_1")
    assert len(script.asked) == 3


async def test_it_gives_up_after_five_tries() -> None:
    async with serving(*[said(503, '{"error":"busy"}')] * 9) as script, asking(script) as client:
        with pytest.raises(Unavailable, match="busy"):
            await client.retrieve("run_1")
    assert len(script.asked) == 5


async def test_it_gives_up_when_the_time_is_over() -> None:
    hurried = replace(HASTY, first_s=0.3, most_s=0.3, total_s=0.5)
    async with serving(*[said(503)] * 9) as script, asking(script, hurried) as client:
        with pytest.raises(Unavailable):
            await client.retrieve("run_1")
    assert len(script.asked) == 2


async def test_a_server_that_is_not_there_is_named_and_how_to_start_it() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        client = Client(Target(url, KEY, patience=HASTY), ManualClock(), Counting())
        with pytest.raises(Unavailable) as raised:
            await client.retrieve("run_1")
        await client.aclose()
    assert url in str(raised.value)
    assert "headrace dev FILE" in str(raised.value)
    for shown in (str(raised.value), repr(raised.value), repr(client), repr(raised.value.facts)):
        assert KEY not in shown


def test_a_session_ends_with_its_event_loop() -> None:
    """Nobody closes the client; that would be a ResourceWarning, and so an error here."""
    client: list[Client] = []

    async def ask() -> str:
        async with serving(said(404, '{"error":"gone"}')) as script:
            if not client:
                target = Target(script.url, KEY, patience=HASTY)
                client.append(Client(target, ManualClock(), Counting()))
            with pytest.raises(HeadraceError) as raised:
                await client[0].retrieve("run_1")
        return raised.value.code

    assert asyncio.run(ask()) == "not_found"
    gc.collect()
    assert asyncio.run(ask()) == "unavailable"  # the second loop's server is elsewhere
    gc.collect()


def _batch(*numbers: int) -> bytes:
    records: list[dict[str, object]] = [
        {"seq_num": n, "timestamp": n, "body": json.dumps({"data": n, "id": str(n)}), "headers": []}
        for n in numbers
    ]
    return f"event: batch\ndata: {json.dumps({'records': records})}\n\n".encode()


def _run(*, over: bool) -> str:
    flags = ("Queued", "Executing", "Waiting", "Success", "Failed", "Cancelled", "Test")
    view: dict[str, object] = {
        "id": "run_1",
        "taskIdentifier": "t",
        "status": "COMPLETED" if over else "EXECUTING",
        **{f"is{flag}": False for flag in flags},
        "isCompleted": over,
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.000Z",
        "tags": [],
        "costInCents": 0,
        "baseCostInCents": 0,
        "durationMs": 0,
        "depth": 0,
        "triggerFunction": "trigger",
        "attemptCount": 1,
        "relatedRuns": {},
        "waits": [],
        "unread": {},
    }
    return json.dumps(view)


async def test_a_tail_goes_on_where_its_connection_broke() -> None:
    async with (
        serving(
            streamed(_batch(0, 1), _batch(2)[:20], broken=True),
            said(503),
            streamed(b": ping\n\n", _batch(1, 2), _batch(3), broken=True),
            streamed(_batch(4)),
        ) as script,
        asking(script) as client,
    ):
        records = [r async for r in client.tail("run_1", "tokens", inward=False)]
    assert [(record.seq, bytes(record.data)) for record in records] == [
        (n, str(n).encode()) for n in range(5)
    ]
    assert [p for p in script.header("last-event-id") if p] == ["1", "1", "3"]


async def test_a_subscription_shows_each_change_once() -> None:
    running, over = (f"event: run\ndata: {_run(over=o)}\n\n".encode() for o in (False, True))
    async with (
        serving(
            streamed(running, broken=True), streamed(running, running), streamed(over)
        ) as script,
        asking(script) as client,
    ):
        views = [view.status async for view in client.subscribe("run_1")]
    assert views == ["EXECUTING", "COMPLETED"]
    assert not script.replies


async def test_a_subscription_that_can_never_be_ends_at_once() -> None:
    async with serving(said(404, '{"error":"no run"}')) as script, asking(script) as client:
        with pytest.raises(NotFound):
            await anext(client.subscribe("run_1"))
    assert len(script.asked) == 1
