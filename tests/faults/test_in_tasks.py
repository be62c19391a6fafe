"""Faults 1 to 7: what goes wrong elsewhere where a task reads its input streams."""

from __future__ import annotations

import asyncio
import re

import pytest

from headrace.app.system import SystemChance, wall_now
from headrace.backends.clocks import CarriedClock
from headrace.client import Target, open_client
from headrace.engine import sends
from headrace.errors import NotFound, Throttled, Unauthorized
from headrace.wire.feeds import START, TagFeed
from tests.faults import jobs
from tests.faults.site import Site, all_read, log_of
from tests.server.house import KEY, House


async def test_fault_1_a_wait_gets_what_came_while_nobody_listened(either: Site) -> None:
    """A wait begins behind all that has been received, so that what nobody has read is lost."""
    run = await either.start(jobs.once_then_waits, 4)
    await either.listening(run)
    for number in range(3):
        await either.send(run, number)
    await either.waiting(run, jobs.gate.id)
    await either.open_gate(run)
    await either.waiting(run, jobs.news.id)
    await either.send(run, 3)
    assert await either.result(run) == [0, 1, 2, 3]


async def test_fault_2_what_follows_a_wait_is_what_follows_in_the_log(either: Site) -> None:
    """The place behind a wait is guessed, so that one message is passed over or comes again."""
    run = await either.start(jobs.waits_and_onces, 6)
    await either.waiting(run, jobs.news.id)
    receipts = await asyncio.gather(*(either.send(run, number) for number in range(12)))
    sent = {receipt.seq: number for number, receipt in enumerate(receipts)}
    assert await either.result(run) == [sent[seq] for seq in range(12)]


@pytest.mark.parametrize(
    ("key", "run", "error"), [("wrong", "", Unauthorized), (KEY, "run_nobody", NotFound)]
)
async def test_fault_3_a_subscription_that_cannot_be_fails(
    home: House, key: str, run: str, error: type[Exception]
) -> None:
    """A subscription that the server refuses neither ends nor fails: its reader waits for ever."""
    run = run or await home.run()
    target, clock = Target(home.url, key), CarriedClock(wall_now())
    async with asyncio.timeout(5), open_client(target, clock, SystemChance()) as api:
        with pytest.raises(error):
            await anext(api.subscribe(run))
        with pytest.raises(error):
            await anext(api.tail(run, "notes", inward=True))
        if key != KEY:
            with pytest.raises(error):
                await api.feed(TagFeed(("a",)), START)


async def test_fault_3_a_feed_says_all_that_its_reader_needs(home: House) -> None:
    """A feed without a header, or whose refusal no page may read, ends its reader in silence."""
    run = await home.run()
    path = f"/realtime/v1/runs/{run}"
    first = await home.ask("GET", f"{path}?log=full&offset=-1")
    place = f"handle={first.headers['electric-handle']}&offset={first.headers['electric-offset']}"
    again = await home.ask("GET", f"{path}?{place}&log=full")
    refused = await home.ask("GET", f"{path}?log=full&offset=-1", key="wrong")
    missing = await home.ask("GET", "/realtime/v1/runs/run_nobody?log=full&offset=-1")
    for said in (first, again):
        wanted = {"handle", "offset", "cursor", "schema", "up-to-date"}
        assert {f"electric-{name}" for name in wanted} <= set(said.headers)
    assert (refused.status, missing.status) == (401, 404)
    for said in (first, again, refused, missing):
        assert said.headers["access-control-allow-origin"] == "*"
        assert said.headers["access-control-expose-headers"] == "*"


async def test_fault_4_a_wait_where_a_handler_listens_is_an_error(site: Site) -> None:
    """A handler hears no more once its task has waited on the same stream, and nobody says so."""
    run = await site.start(jobs.waits_while_it_hears)
    said = await site.result(run)
    assert len(re.findall(r"jobs\.py:\d+", said)) == 2
    assert "Switch it off first" in said


async def test_fault_4_a_handler_hears_on_after_a_wait(either: Site) -> None:
    """A handler that was there before a wait is registered afterwards, and gets nothing."""
    run = await either.start(jobs.hears_across_waits)
    for number in range(2):
        await either.waiting(run, jobs.gate.id)
        await either.send(run, number)
        await either.seen(run, all_read)
        await either.open_gate(run)
    assert await either.result(run) == [0, 1]


async def test_fault_4_handlers_and_waits_take_turns(either: Site) -> None:
    """After a wait a stream stays cut off, until somebody happens to listen anew."""
    run = await either.start(jobs.hears_waits_and_hears)
    await either.send(run, 0)
    await either.seen(run, all_read)
    await either.waiting(run, jobs.gate.id)
    await either.open_gate(run)
    await either.waiting(run, jobs.news.id)
    await either.send(run, 1)
    await either.waiting(run, jobs.gate.id)
    await either.send(run, 2)
    await either.seen(run, all_read)
    await either.open_gate(run)
    assert await either.result(run) == [[0], [1], [2]]


async def test_fault_5_a_message_goes_to_one_reader(either: Site) -> None:
    """While a run goes to rest, the same message reaches who listens and ends the wait, too."""
    run = await either.start(jobs.once_beside_wait)
    await either.listening(run, 2)
    assert (await either.send(run, 0)).resumed
    await either.send(run, 1)
    assert sorted(await either.result(run)) == [0, 1]


async def test_fault_6_handlers_are_called_one_after_another(site: Site) -> None:
    """Async handlers run beside each other, so that what they do is done in any order."""
    run = await site.start(jobs.hears_slowly)
    for number in range(3):
        await site.send(run, number)
    await site.until(lambda: bool(jobs.marks))
    for _ in range(jobs.ROUNDS - 1):  # so often the run asks and is answered meanwhile
        await site.listening(run, stream=jobs.gate.id)
        await site.open_gate(run)
    assert jobs.marks == ["begin 0"]
    jobs.latch.opened.set()
    await site.seen(run, all_read)
    await site.until(lambda: len(jobs.marks) == 6)
    await site.open_gate(run)
    await site.ended(run)
    assert jobs.marks == [f"{word} {number}" for number in range(3) for word in ("begin", "end")]


async def test_fault_6_what_a_handler_raises_fails_the_run(site: Site) -> None:
    """What a handler raises is seen by nobody."""
    run = await site.start(jobs.fails_in_a_handler)
    await site.send(run, 7)
    view = await site.ended(run)
    assert view.status == "FAILED"
    assert "no 7" in str(view.error)


async def test_fault_6_what_finds_no_room_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody reads piles up in memory without a limit, and nobody is told."""
    monkeypatch.setattr(sends, "UNREAD_AT_MOST", 3)
    run = await site.start(jobs.ends_when_told)
    for number in range(3):
        await site.send(run, number)
    path = f"/realtime/v1/streams/{run}/input/{jobs.news.id}"
    said = await site.home.ask("POST", path, b'{"data":3}')
    assert (said.status, said.json["code"]) == (429, Throttled.code)
    assert int(said.headers["retry-after"]) > 0
    assert [record.body for record in await log_of(site, run)] == [b"0", b"1", b"2"]


async def test_fault_6_a_peek_shows_the_newest(site: Site) -> None:
    """What is said to be the latest message is the oldest one."""
    run = await site.start(jobs.peeks_at_news)
    await site.waiting(run)
    for number in range(3):
        await site.send(run, number)
    await site.open_gate(run)
    assert await site.result(run) == 2


async def test_fault_6_no_time_is_no_time(site: Site) -> None:
    """To wait for no time at all means to wait for ever."""
    run = await site.start(jobs.asks_for_nothing)
    assert await site.result(run) is False


async def test_fault_7_a_retry_does_not_get_old_messages_again(either: Site) -> None:
    """A retried run reads its streams from the start, and takes an old message for a new one."""
    run = await either.start(jobs.fails_after_the_first)
    await either.send(run, 0)
    await either.until(lambda: jobs.marks == [0])
    await either.seen(run, lambda view: bool(view.retrying_until))
    await either.pass_time(60_000)
    view = await either.waiting(run, jobs.news.id)
    assert (view.attempt_count, jobs.marks) == (2, [0, 0])
    await either.send(run, 1)
    assert await either.result(run) == [0, 1]
