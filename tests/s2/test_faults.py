"""What is lost on the way to S2 and back: a record stands once, or nobody was told that it does."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress

import pytest

from headrace.backends.s2 import open_s2
from headrace.backends.s2.basin import limited
from headrace.errors import Throttled, Unavailable
from headrace.kernel.model import Run
from headrace.ports import Appended, Backlog, Clash, Stores
from headrace.testing.contracts.given import APPROVAL, draft, executing, filled
from tests.s2.http2 import Answer
from tests.s2.rooms import ALERT, CALM, HASTE, Chance
from tests.s2.standin import (
    Fault,
    Late,
    Perform,
    StandIn,
    ack_lost,
    call_lost,
    failing,
    failing_after,
    silent,
)

LOST = [
    pytest.param(ack_lost, id="answer lost"),
    pytest.param(call_lost, id="call lost"),
    pytest.param(silent, id="silence"),
    pytest.param(failing(503, "unavailable"), id="503"),
    pytest.param(failing_after(500, "storage"), id="500 though done"),
    pytest.param(failing_after(504, "upstream_timeout"), id="504 though done"),
    pytest.param(failing(429, "rate_limited"), id="429"),
    pytest.param(failing(409, "transaction_conflict"), id="409"),
]

hasty = pytest.mark.parametrize("patience", [HASTE], ids=["gives up"])
alert = pytest.mark.parametrize("patience", [ALERT], ids=["soon asks again"])


async def bodies(stores: Stores, run: Run) -> list[bytes]:
    return [record.body for record in await stores.streams.read(run.id, APPROVAL, 0, 1_000)]


@alert
@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("key", [b"", b"click"])
async def test_what_is_lost_once_stands_once(
    stores: Stores, fake: StandIn, fault: Fault, key: bytes
) -> None:
    run = await executing(stores)
    await filled(stores, run, 2)
    fake.fail_next("append", fault)
    assert await stores.streams.append(draft(run, 2, b"2", key=key)) == Appended(2)
    assert await stores.streams.append(draft(run, 3, b"3")) == Appended(3)
    assert await bodies(stores, run) == [b"0", b"1", b"2", b"3"]


async def test_what_is_lost_again_and_again_stands_once(stores: Stores, fake: StandIn) -> None:
    run = await executing(stores)
    fake.fail_next("append", call_lost, ack_lost, ack_lost, failing(503, "unavailable"))
    assert await stores.streams.append(draft(run, 0)) == Appended(0)
    assert await bodies(stores, run) == [b"1"]


@hasty
async def test_who_gives_up_says_that_it_may_have_happened(stores: Stores, fake: StandIn) -> None:
    run = await executing(stores)
    fake.fail_next("append", *[ack_lost] * 100)
    fake.fail_next("read", *[call_lost] * 100)
    with pytest.raises(Unavailable):
        await stores.streams.append(draft(run, 0, key=b"k", digest=b"d"))
    fake.heal()
    again = await stores.streams.append(draft(run, 0, key=b"k", digest=b"d"))
    assert again == Appended(0, duplicate=True)
    assert await bodies(stores, run) == [b"1"]


@alert
async def test_an_append_that_arrives_late_comes_to_nothing(stores: Stores, fake: StandIn) -> None:
    """Its sender has long asked again, and been answered."""
    run = await executing(stores)
    late = Late()
    fake.fail_next("append", late)
    assert await stores.streams.append(draft(run, 0, key=b"k")) == Appended(0)
    late.arrives.set()
    await late.answered.wait()
    assert late.answer is not None
    assert late.answer.status == 412
    assert await bodies(stores, run) == [b"1"]


async def test_a_number_taken_by_ones_own_lost_write_is_ones_own(
    stores: Stores, fake: StandIn
) -> None:
    """412, and what stands there is this very append: no repeat, whatever its key."""
    run = await executing(stores)
    fake.fail_next("append", ack_lost)
    answer = await stores.streams.append(draft(run, 0, key=b"k"))
    assert answer == Appended(0, duplicate=False)
    assert fake.requests.count("append") == 2


async def test_a_number_taken_by_another_is_a_clash(
    stores: Stores, twin: Stores, fake: StandIn
) -> None:
    run = await executing(stores)
    assert await stores.streams.append(draft(run, 0)) == Appended(0)
    fake.fail_next("append", call_lost)
    await filled_by(twin, run)
    with pytest.raises(Clash):
        await stores.streams.append(draft(run, 1, b"mine"))
    assert b"mine" not in await bodies(stores, run)


async def filled_by(twin: Stores, run: Run) -> None:
    for seq in (1, 2):
        await twin.streams.append(draft(run, seq, b"theirs"))


@hasty
async def test_after_a_lost_answer_the_other_server_finds_it(
    stores: Stores, twin: Stores, fake: StandIn
) -> None:
    """The answer is lost at one, traffic comes through the other, so does the retry."""
    run = await executing(stores)
    await filled(stores, run, 1)
    fake.fail_next("append", *[ack_lost] * 100)
    fake.fail_next("read", *[call_lost] * 100)
    with pytest.raises(Unavailable):
        await stores.streams.append(draft(run, 1, b"once", key=b"k", digest=b"d"))
    fake.heal()
    for seq in (2, 3):
        await twin.streams.append(draft(run, seq, b"traffic", key=b"%d" % seq))
    for one in (twin, stores):
        again = await one.streams.append(draft(run, 4, b"once", key=b"k", digest=b"d"))
        assert again == Appended(1, duplicate=True)
    other = await twin.streams.append(draft(run, 4, b"other", key=b"k", digest=b"x"))
    assert other == Appended(1, duplicate=True, same=False)
    assert await bodies(stores, run) == [b"0", b"once", b"traffic", b"traffic"]


async def test_of_many_at_two_servers_with_losses_each_stands_once(
    stores: Stores, twin: Stores, fake: StandIn
) -> None:
    """As a server does it: at the end, and again there when it was not the end any more."""
    run = await executing(stores)
    fake.fail_next("append", *[ack_lost, None, call_lost, None, None] * 20)

    async def send(server: Stores, key: bytes) -> int:
        while True:
            end = (await server.streams.backlog(run.id, APPROVAL, 0)).tail
            try:
                return (await server.streams.append(draft(run, end, key, key=key))).seq
            except (Clash, Unavailable):
                continue

    keys = [b"%d" % n for n in range(60)]
    numbers = await asyncio.gather(*[send(one, key) for key in keys for one in (stores, twin)])
    read = await bodies(twin, run)
    assert sorted(read) == sorted(keys)
    assert [read[number] for number in numbers] == [key for key in keys for _ in range(2)]


async def test_an_empty_stream_and_none_are_the_same(
    stores: Stores, twin: Stores, fake: StandIn
) -> None:
    """404 before the first record, 416 at the end."""
    run = await executing(stores)
    assert await stores.streams.read(run.id, APPROVAL, 0, 9) == []
    assert await stores.streams.known(run.id, APPROVAL, b"k") is None
    await filled(stores, run, 2)
    assert await stores.streams.read(run.id, APPROVAL, 2, 9) == []
    assert await stores.streams.read(run.id, APPROVAL, 99, 9) == []
    fake.fail_next("read", failing(409, "stream_deletion_pending"))
    assert await twin.streams.read(run.id, APPROVAL, 0, 9) == []


@alert
@pytest.mark.parametrize("fault", [call_lost, ack_lost, silent, failing(502, "hot_server")])
async def test_what_is_read_is_asked_again(
    stores: Stores, twin: Stores, fake: StandIn, fault: Fault
) -> None:
    run = await executing(stores)
    await filled(stores, run, 3)
    fake.fail_next("read", fault)
    assert len(await bodies(twin, run)) == 3
    fake.fail_next("read", fault)
    assert await twin.streams.backlog(run.id, APPROVAL, 0) == Backlog(3, 3, 3)
    fake.fail_next("list", fault)
    assert list(await twin.streams.ends(run.id)) == [APPROVAL]


async def test_a_server_that_is_gone_comes_back(memory: Stores) -> None:
    fake = StandIn()
    async with AsyncExitStack() as stack:
        async with fake.serving():
            url = f"s2://dev?endpoint={fake.url}"
            hasty, calm = [
                await stack.enter_async_context(open_s2(url, memory, Chance(), patience=patience))
                for patience in (HASTE, CALM)
            ]
            run = await executing(hasty)
            await filled(hasty, run, 2)
            assert await bodies(calm, run) == [b"0", b"1"]
        with pytest.raises(Unavailable, match="S2 does not answer"):
            await hasty.streams.append(draft(run, 2, b"2", key=b"k"))
        with pytest.raises(Unavailable, match="S2 does not answer"):
            await hasty.streams.read(run.id, APPROVAL, 0, 9)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(calm.streams.append(draft(run, 2, b"2", key=b"k")))
            await asyncio.sleep(0)
            async with fake.serving():
                assert await waiting == Appended(2)
                for stores in (hasty, calm):
                    assert await bodies(stores, run) == [b"0", b"1", b"2"]


@hasty
async def test_over_a_limit_the_sender_is_told(stores: Stores, fake: StandIn) -> None:
    run = await executing(stores)
    fake.fail_next("append", *[failing(429, "rate_limited")] * 100)
    with pytest.raises(Throttled):
        await stores.streams.append(draft(run, 0))


@hasty
@pytest.mark.parametrize("first", [ack_lost, failing_after(500, "storage")])
async def test_over_a_limit_who_may_have_written_before_is_told_that(
    stores: Stores, fake: StandIn, first: Fault
) -> None:
    run = await executing(stores)
    fake.fail_next("append", first, *[failing(429, "rate_limited")] * 100)
    with pytest.raises(Unavailable):
        await stores.streams.append(draft(run, 0))
    assert await bodies(stores, run) == [b"1"]


@hasty
async def test_who_cannot_see_what_has_become_of_it_is_told_that(
    stores: Stores, fake: StandIn
) -> None:
    run = await executing(stores)
    fake.fail_next("append", ack_lost)
    fake.fail_next("read", *[failing(429, "rate_limited")] * 100)
    with pytest.raises(Unavailable):
        await stores.streams.append(draft(run, 0))
    fake.heal()
    assert await bodies(stores, run) == [b"1"]


async def test_a_token_that_is_not_taken_any_more_is_told(stores: Stores, fake: StandIn) -> None:
    run = await executing(stores)
    fake.fail_next("append", failing(403, "permission_denied"))
    with pytest.raises(Unavailable, match="refuses the token"):
        await stores.streams.append(draft(run, 0))


async def test_records_that_are_gone_are_told_of(stores: Stores, fake: StandIn) -> None:
    """A server that has forgotten everything must not be taken for one that is new."""
    run = await executing(stores)
    await filled(stores, run, 3)
    next(iter(fake.basins.values())).streams.clear()
    with pytest.raises(Unavailable, match="is gone, though it was acknowledged"):
        await stores.streams.known(run.id, APPROVAL, b"k")
    with pytest.raises(Unavailable, match="is gone, though it was acknowledged"):
        await stores.streams.append(draft(run, 3))


async def test_a_stream_that_has_lost_its_beginning_is_told_of(
    stores: Stores, twin: Stores, fake: StandIn
) -> None:
    run = await executing(stores)
    await filled(stores, run, 3)
    (log,) = next(iter(fake.basins.values())).streams.values()
    del log[0]
    with pytest.raises(Unavailable, match="is gone, though it was acknowledged"):
        await twin.streams.read(run.id, APPROVAL, 0, 9)


async def test_what_somebody_else_has_written_is_told_of(
    stores: Stores, twin: Stores, fake: StandIn
) -> None:
    run = await executing(stores)
    await filled(stores, run, 1)
    (log,) = next(iter(fake.basins.values())).streams.values()
    del log[0].headers[:]
    with pytest.raises(Unavailable, match="was not written by Headrace"):
        await twin.streams.read(run.id, APPROVAL, 0, 9)


async def test_a_stream_that_goes_while_it_is_weighed_is_told_of(
    stores: Stores, twin: Stores, fake: StandIn
) -> None:
    """Between reading where it ends and what is below, somebody drops the run."""

    async def dropped(perform: Perform) -> Answer | None:
        next(iter(fake.basins.values())).streams.clear()
        return perform()

    run = await executing(stores)
    await filled(stores, run, 3)
    fake.fail_next("read", None, dropped)
    with pytest.raises(Unavailable, match="does not show"):
        await twin.streams.backlog(run.id, APPROVAL, 1)


async def test_no_session_is_held_open(stores: Stores, fake: StandIn) -> None:
    """So no heartbeat can be missed: every call has its answer, and its end."""
    run = await executing(stores)
    await filled(stores, run, 2)
    await bodies(stores, run)
    assert set(fake.requests) <= {"GET basin", "POST basin", "append", "read", "tail", "list"}


async def test_a_cancelled_append_leaves_no_doubt(stores: Stores, fake: StandIn) -> None:
    """Whoever gave up on it, the next one finds it."""
    run = await executing(stores)
    late = Late()
    fake.fail_next("append", late)
    async with asyncio.TaskGroup() as group:
        made = draft(run, 0, b"first", key=b"k", digest=b"d")
        asked = group.create_task(stores.streams.append(made))
        await late.came.wait()
        asked.cancel()
    late.arrives.set()
    await late.answered.wait()
    again = await stores.streams.append(draft(run, 0, b"first", key=b"k", digest=b"d"))
    assert again == Appended(0, duplicate=True)
    assert await stores.streams.append(draft(run, 1, b"second")) == Appended(1)
    assert await bodies(stores, run) == [b"first", b"second"]


async def test_a_cancellation_that_a_call_swallows_is_not_lost() -> None:
    """As the client does on Python 3.11, when its answer comes at the same moment."""
    began = asyncio.Event()

    async def swallowing() -> int:
        began.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return 1

    async with asyncio.TaskGroup() as group:
        task = group.create_task(limited(swallowing, HASTE))
        await began.wait()
        task.cancel()
    assert task.cancelled()
