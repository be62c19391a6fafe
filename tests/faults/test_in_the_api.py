"""Faults 13 to 22: what goes wrong elsewhere with tokens, repeats, views of runs, and scopes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
import pytest

from headrace.wire.views import TriggerOptions, TriggerOrder
from tests.faults import jobs
from tests.faults.site import Site
from tests.server.house import House, Said
from tests.server.test_feeds import Held, held, live, rows, until_followed

TRIGGER: Final = "/api/v1/tasks/publish/trigger"
RETRIED: Final = {"x_trigger_request_idempotency_key": "8b2c0a52-6a3e-4c3f-9b52-0d5f3b0f8a11"}


async def test_fault_13_single_use_tokens_do_not_use_each_other_up(home: House) -> None:
    """The first use of any single-use token uses up those of everybody else."""
    body = json.dumps({"scopes": ["trigger:tasks:publish"], "oneTimeUse": True}).encode()
    made = [await home.ask("POST", "/api/v1/auth/public-tokens", body) for _ in range(3)]
    tokens = [str(said.json["token"]) for said in made]
    assert len(set(tokens)) == 3
    for uses in (200, 422):
        said = [await home.ask("POST", TRIGGER, b"{}", key=token) for token in tokens]
        assert [one.status for one in said] == [uses] * 3


async def test_fault_14_a_trigger_that_is_repeated_starts_one_run(home: House) -> None:
    """A client that has lost the answer to a trigger starts a second run."""
    first, again = [await home.ask("POST", TRIGGER, b"{}", **RETRIED) for _ in "ab"]
    assert first.json["id"] == again.json["id"]
    assert again.json["isCached"] is False
    listed = await home.ask("GET", "/api/v1/runs")
    assert len(json.loads(listed.body)["data"]) == 1


@pytest.mark.parametrize("what", ["waitpoints/tokens/{token}/wait", "wait/duration"])
async def test_fault_15_nobody_makes_a_run_wait_from_outside(site: Site, what: str) -> None:
    """Whoever has a token can have any run wait for it."""
    made = await site.home.ask("POST", "/api/v1/waitpoints/tokens", b"{}")
    run = await site.start(jobs.ends_when_told)
    await site.executing(run)
    place = f"/engine/v1/runs/{run}/{what}".format(token=made.json["id"])
    said = await site.home.ask("POST", place, b'{"date":"2100-01-01T00:00:00.000Z"}')
    assert (said.status, said.headers["x-should-retry"]) == (404, "false")
    assert "from outside" in str(said.json["hint"])
    assert (await site.home.api.retrieve(run)).status == "EXECUTING"
    jobs.latch.opened.set()
    assert await site.result(run) == "over"


async def test_fault_16_a_token_that_is_not_there_is_not_found(home: House) -> None:
    """To look for a token that is not there is a server error, which clients ask for five times."""
    for token in ("waitpoint_nobody", "nobody", "waitpoint_" + "0" * 26):
        said = await home.ask("GET", f"/api/v1/waitpoints/tokens/{token}")
        assert (said.status, said.headers["x-should-retry"]) == (404, "false")


async def _expires(site: Site) -> str:
    order = TriggerOrder(options=TriggerOptions(ttl="1s", delay="1h"))
    run = (await site.home.api.trigger(jobs.outlasts.id, order)).id
    site.worker.drain()
    await site.until(lambda: not site.worker.attached.is_set())
    await site.pass_time(3_700_000)
    return run


async def _times_out(site: Site) -> str:
    run = await site.start(jobs.outlasts)
    await site.executing(run)
    await site.pass_time(61_000)
    return run


async def _is_cancelled(site: Site) -> str:
    run = await site.start(jobs.waits_only, 1)
    await site.waiting(run)
    await site.home.api.cancel(run)
    return run


async def _fails(site: Site) -> str:
    run = await site.start(jobs.fails_in_a_handler)
    await site.send(run, 0)
    return run


async def _completes(site: Site) -> str:
    jobs.latch.opened.set()
    return await site.start(jobs.ends_when_told)


@pytest.mark.parametrize(
    ("end", "status", "raw"),
    [
        (_expires, "EXPIRED", "EXPIRED"),
        (_times_out, "TIMED_OUT", "TIMED_OUT"),
        (_is_cancelled, "CANCELED", "CANCELED"),
        (_fails, "FAILED", "COMPLETED_WITH_ERRORS"),
        (_completes, "COMPLETED", "COMPLETED_SUCCESSFULLY"),
    ],
    ids=["expired", "timed out", "cancelled", "failed", "completed"],
)
async def test_fault_17_every_end_is_an_end(
    site: Site, end: Callable[[Site], Awaitable[str]], status: str, raw: str
) -> None:
    """Some ends are none to who polls, a cancelled run has failed, and the feed says otherwise."""
    run = await end(site)
    await site.ended(run)
    shown = (await site.home.ask("GET", f"/api/v3/runs/{run}", None, **NEW)).json
    assert (shown["status"], shown["isCompleted"]) == (status, True)
    assert (shown["isFailed"], shown["isCancelled"]) == (
        status not in {"COMPLETED", "CANCELED"},
        status == "CANCELED",
    )
    assert shown["isSuccess"] is (status == "COMPLETED")
    (row,) = rows(await site.home.ask("GET", f"/realtime/v1/runs/{run}?log=full&offset=-1"))
    assert row["status"] == raw
    assert row["completedAt"] is not None


NEW: Final = {"x_trigger_api_version": "2025-07-16"}


async def test_fault_18_two_changes_in_one_instant_are_both_told(home: House) -> None:
    """Of two changes in the same millisecond, the second is told with the next one only."""
    run = await home.run()
    path = f"/realtime/v1/runs/{run}"
    said = await home.ask("GET", f"{path}?log=full&offset=-1")
    for tag in ("first", "second"):
        into = Held()
        async with anyio.create_task_group() as group:
            group.start_soon(held, home, f"{path}?{live(said)}", into)
            await until_followed(home)
            await home.api.tag(run, (tag,))  # time stands still here
        assert into.said is not None
        said = into.said
        assert tag in str(rows(said)[0]["runTags"])


async def test_fault_18_the_first_answer_says_that_it_is_whole(home: House) -> None:
    """A feed leaves a header out, so that every subscription asks once more than it must."""
    said = await home.ask("GET", f"/realtime/v1/runs/{await home.run()}?log=full&offset=-1")
    assert "electric-up-to-date" in said.headers


async def test_fault_19_metadata_is_an_object(home: House) -> None:
    """Metadata is answered as text, which the clients refuse."""
    run = str((await home.ask("POST", TRIGGER, b'{"options":{"metadata":{"a":1}}}')).json["id"])
    read = await home.ask("GET", f"/api/v1/runs/{run}/metadata")
    changed = await home.ask("PUT", f"/api/v1/runs/{run}/metadata", b'{"metadata":{"b":2}}')
    assert (read.json["metadata"], changed.json["metadata"]) == ({"a": 1}, {"b": 2})
    assert (await home.ask("GET", f"/api/v3/runs/{run}")).json["metadata"] == {"b": 2}


async def test_fault_19_every_run_that_is_over_has_a_result(site: Site) -> None:
    """The result of a run is looked for where none is written any more."""
    for end, ok in ((_completes, True), (_fails, False)):
        run = await end(site)
        await site.ended(run)
        said = await site.home.ask("GET", f"/api/v1/runs/{run}/result")
        assert (said.status, said.json["ok"], said.json["id"]) == (200, ok, run)


async def test_fault_21_a_token_sends_to_one_stream(home: House) -> None:
    """Whoever may send to one stream of a run may send to all of them."""
    run = await home.run()
    token = home.token(f"write:inputStreams:{run}:notes")

    async def send(stream: str) -> Said:
        path = f"/realtime/v1/streams/{run}/input/{stream}"
        return await home.ask("POST", path, b'{"data":{"approved":true}}', key=token)

    said = {stream: (await send(stream)).status for stream in ("notes", "approval", "signed")}
    assert said == {"notes": 200, "approval": 403, "signed": 403}


async def test_fault_21_who_reads_a_run_does_not_read_what_is_trusted(home: House) -> None:
    """Everybody who may see a run reads what others have sent to it."""
    started = await home.ask("POST", TRIGGER, b"{}")
    run, seen = started.json["id"], started.headers["x-trigger-jwt"]
    named = home.token(f"read:inputStreams:{run}:signed")

    async def read(stream: str, key: str) -> int:
        path = f"/realtime/v1/streams/{run}/input/{stream}"
        return (await home.ask("HEAD", path, key=key)).status

    assert (await home.ask("GET", f"/api/v3/runs/{run}", key=seen)).status == 200
    assert (await read("signed", seen), await read("signed", named)) == (403, 200)
    assert (await read("notes", seen), await read("notes", named)) == (200, 403)


async def test_fault_22_what_does_not_fit_its_stream_is_refused(home: House) -> None:
    """Anything may be sent to any stream; what it is for is known while types are checked, only."""
    run = await home.run()
    path = f"/realtime/v1/streams/{run}/input"
    said = await home.ask("POST", f"{path}/approval", b'{"data":{"approved":"yes"}}')
    assert (said.status, said.json["path"]) == (422, "/approved")
    assert (await home.ask("POST", f"{path}/nowhere", b'{"data":1}')).status == 404
    assert (await home.api.retrieve(run)).unread == {}


async def test_fault_22_a_sender_sees_what_was_read(site: Site) -> None:
    """Nobody can tell which streams there are, what waits in them, and whether it was read."""
    run = await site.start(jobs.waits_only, 2)
    view = await site.waiting(run)
    assert [wait.stream for wait in view.waits] == [jobs.news.id]
    assert (await site.send(run, 0)).resumed
    await site.waiting(run)
    await site.api.send(run, jobs.gate.id, b"1")
    shown = (await site.home.ask("GET", f"/api/v3/runs/{run}")).json
    assert shown["unread"] == {jobs.gate.id: 1}
    declared = await site.home.ask("GET", "/api/headrace/v1/registrations")
    streams = json.loads(declared.body)["streams"]
    assert {jobs.news.id, jobs.gate.id} <= {one["name"] for one in streams if one.get("inward")}
    await site.send(run, 1)
    assert await site.result(run) == [0, 1]
