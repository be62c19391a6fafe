"""One desk per run: batches, lost replies, doubts, and callers who go away or ask for nonsense."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import anyio
import pytest

from headrace.backends.memory import open_memory
from headrace.engine.sends import Message, key_of
from headrace.engine.sheet import Sheet
from headrace.errors import BadValue, NotFound, Unavailable
from headrace.kernel.commands import Cancel, Remember, Stand
from headrace.kernel.machine import decide
from headrace.kernel.model import EPOCH, Entry, Key, RunId, Running, Wait, inward
from headrace.ports import Draft
from headrace.testing.clock import ManualClock
from headrace.wire.channel import Ended, Fenced, Refusal, Stopping, Unread
from headrace.wire.views import Receipt
from tests.engine.gates import Gates, gated
from tests.engine.house import DECLARED, DEV, PATIENCE_S, House, opened
from tests.engine.worker import attached


@pytest.fixture
def gates(troubled: tuple[House, Gates]) -> Gates:
    return troubled[1]


@pytest.fixture
def house(troubled: tuple[House, Gates]) -> House:
    return troubled[0]


async def _send(
    house: House, run: str, body: bytes, key: str, stream: str = "numbers"
) -> asyncio.Future[object]:
    """Put a send on the run's desk, and do not wait for it."""
    spec = await house.core.specs.stream(DEV, stream)
    message = Message(house.core, DEV, stream, body, key_of("key", key), trusted=True, spec=spec)
    return house.core.post(RunId(run), message)


async def _stuck(house: House, gates: Gates) -> None:
    """Return once a commit stands before the closed gate."""
    await house.until(lambda: gates.held_up > 0)


# --- batches -------------------------------------------------------------------------------------


async def test_what_is_asked_while_a_commit_is_under_way_is_one_commit(
    house: House, gates: Gates
) -> None:
    run = await house.start()
    gates.may_write.clear()
    first = await _send(house, run, b"0", "0")
    await _stuck(house, gates)
    rest = [await _send(house, run, str(n).encode(), str(n)) for n in range(1, 50)]
    writes = gates.writes
    gates.may_write.set()
    receipts = [await answer for answer in (first, *rest)]
    assert [r.seq for r in receipts if isinstance(r, Receipt)] == list(range(50))
    assert gates.writes == writes + 2


async def test_one_that_fails_takes_nobody_of_its_batch_with_it(house: House, gates: Gates) -> None:
    run = await house.start()

    async def bug(_sheet: Sheet) -> object:
        raise KeyError("bug")

    gates.may_write.clear()
    answers = [await _send(house, run, b"0", "a")]
    await _stuck(house, gates)
    answers += [
        await _send(house, run, b"1", "b"),
        await _send(house, run, b'"x"', "c"),
        house.core.post(RunId(run), bug),
        await _send(house, run, b"3", "d"),
    ]
    gates.may_write.set()
    outcomes = await asyncio.gather(*answers, return_exceptions=True)
    assert [one.seq for one in outcomes if isinstance(one, Receipt)] == [0, 1, 2]
    assert [type(one) for one in outcomes[2:4]] == [BadValue, KeyError]
    assert (await house.api.retrieve(run)).unread == {"numbers": 3}


async def test_a_repeat_in_the_same_batch_is_a_repeat(house: House, gates: Gates) -> None:
    run = await house.start()
    gates.may_write.clear()
    answers = [await _send(house, run, b"0", "first")]
    await _stuck(house, gates)
    answers += [await _send(house, run, b"7", "k") for _ in range(2)]
    gates.may_write.set()
    receipts = [await answer for answer in answers]
    assert receipts[1:] == [
        Receipt(seq=1, duplicate=False, resumed=False),
        Receipt(seq=1, duplicate=True, resumed=False),
    ]


async def test_a_caller_who_goes_away_is_not_waited_for(house: House, gates: Gates) -> None:
    """What was asked for happens all the same, and the others hear of theirs."""
    run = await house.start()
    gates.may_write.clear()
    first = await _send(house, run, b"1", "a")
    await _stuck(house, gates)
    gone, other = await _send(house, run, b"2", "b"), await _send(house, run, b"3", "c")
    first.cancel()
    gone.cancel()
    gates.may_write.set()
    assert await other == Receipt(seq=2, duplicate=False, resumed=False)
    assert (await house.api.retrieve(run)).unread == {"numbers": 3}


async def test_a_run_that_is_not_there_is_not_kept_in_mind(house: House) -> None:
    for n in range(20):
        with pytest.raises(NotFound):
            await house.api.send(f"run_{n}", "notes", b"1")
    await house.rest()
    assert all(desk.is_idle for desk in house.core.desks().values())


# --- lost replies --------------------------------------------------------------------------------


async def test_a_refused_write_leaves_nothing_behind(house: House, gates: Gates) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.stand()
        await house.rest()
        gates.fail_next(landed=False)
        with pytest.raises(Unavailable):
            await house.api.send(run, "notes", b"1", key="k")
        await house.rest()
        assert (await house.api.retrieve(run)).unread == {}
        receipt = await house.api.send(run, "notes", b"1", key="k")
        assert receipt == Receipt(seq=0, duplicate=False, resumed=True)
        assert (await job.told()).body == b"1"


@pytest.mark.parametrize("held", [False, True])
async def test_a_take_whose_reply_was_lost_reaches_the_worker(
    house: House, gates: Gates, *, held: bool
) -> None:
    """And the wait that it ended stands no more, or every later send would meet it."""
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.stand(held=held)
        await house.rest()
        gates.fail_next(landed=True)
        with pytest.raises(Unavailable):
            await house.api.send(run, "notes", b"1", key="k")
        assert (await job.told()).body == b"1"
        known = house.core.desk(RunId(run)).run
        assert known is not None
        assert known.waits == ()
        again = await house.api.send(run, "notes", b"1", key="k")
        assert again == Receipt(seq=0, duplicate=True, resumed=False)
        assert (await house.api.send(run, "notes", b"2")).seq == 1
        job.stand(key="/q#1")
        assert [(await job.told()).body, job.again] == [b"2", []]


async def test_an_end_whose_reply_was_lost_frees_the_worker(house: House, gates: Gates) -> None:
    async with attached(house, slots=1) as worker:
        one = await house.start()
        job = await worker.job(one)
        two = await house.start()
        gates.fail_next(landed=True)
        job.complete()
        assert (await job.heard(Refusal)).code == "unavailable"
        await job.heard(Fenced)
        assert (await worker.job(two)).run == two
        assert await house.status(one) == "COMPLETED"


async def test_an_end_that_was_refused_can_be_told_again(house: House, gates: Gates) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        gates.fail_next(landed=False)
        job.complete()
        assert (await job.heard(Refusal)).code == "unavailable"
        job.complete()
        await job.heard(Ended)
        assert worker.unread() == []


async def test_a_step_whose_reply_was_lost_is_remembered_once(house: House, gates: Gates) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        gates.fail_next(landed=True)
        job.step("/s#0", b"7")
        assert (await job.heard(Refusal)).code == "unavailable"
        assert (await job.told()).body == b"7"
        job.step("/s#0", b"7")
        job.step("/s#1", b"8")
        assert (await job.told()).key == "/s#1"
        assert len(await house.stores.runs.journal(RunId(run))) == 2


@pytest.mark.parametrize("reads_fail", [False, True])
async def test_a_wait_whose_answer_was_lost_may_be_asked_for_again(
    house: House, gates: Gates, *, reads_fail: bool
) -> None:
    """It was answered at once. Asked again, it must not stand beside its own answer."""
    async with attached(house) as worker:
        run = await house.start()
        await house.api.send(run, "notes", b"1")
        job = await worker.job(run)
        gates.fail_next(landed=True)
        gates.journals_fail = reads_fail
        job.stand(held=True)
        assert (await job.heard(Refusal)).code == "unavailable"
        await house.rest()
        gates.journals_fail = False
        job.stand(held=True)
        assert (await job.told()).body == b"1"
        job.stand(held=True)
        await house.rest()
        assert (await house.run(run)).waits == ()
        assert (await house.api.send(run, "notes", b"2")).seq == 1


async def test_a_wait_that_stands_beside_its_answer_fails_no_sender(house: House) -> None:
    """No worker asks like that; if one did, its run must still take messages."""
    async with attached(house) as worker:
        run = RunId(await house.start())
        job = await worker.job(run)
        job.step("/q#0")
        await job.told()
        await house.rest()
        found = await house.run(run)
        stand = Stand(job.epoch, Wait(Key("/q#0"), inward("notes")))
        await house.stores.runs.commit(decide(found, stand, house.clock.now()))
        job.stand("notes", "/q#1", held=True)
        await house.rest()
        assert (await house.api.send(run, "notes", b"7")).resumed
        entry = await job.told()
        assert (entry.key, entry.body) == ("/q#1", b"7")
        assert (await house.run(run)).waits == ()


async def test_a_claim_whose_reply_was_lost_is_handed_over(house: House, gates: Gates) -> None:
    run = await house.start(delay="5s")
    async with attached(house) as worker:
        gates.fail_next(landed=True)  # the commit that ends the delay claims the run at once
        await house.pass_time(5_000)
        job = await worker.job(run)
        assert (await house.run(run)).epoch == job.epoch


async def test_a_landing_that_fails_is_made_good(house: House, gates: Gates) -> None:
    """The run is in the worker's hands, and what it needs to go on could not be read."""
    run = await house.start(delay="5s")
    async with attached(house) as worker:
        await house.rest()
        gates.orders_fail = True
        house.clock.advance(5_000)
        await house.until(lambda: gates.failed_orders > 0)
        await house.rest()
        assert isinstance((await house.run(run)).state, Running)
        gates.orders_fail = False
        for _ in range(4):
            await house.pass_time(500)
        await worker.job(run)


# --- doubts --------------------------------------------------------------------------------------


async def test_an_older_reading_does_not_hide_a_claim(house: House, gates: Gates) -> None:
    """The dispatcher claims a run while its desk is busy with something that writes nothing."""
    run = await house.start()
    await house.api.send(run, "numbers", b"1", key="k")
    house.core.repeats.met()  # the key is looked up first, before anything is tried
    gates.may_know.clear()
    again = await _send(house, run, b"1", "k")
    async with attached(house) as worker:
        await house.until(lambda: gates.claims > 0)
        gates.may_know.set()
        assert await again == Receipt(seq=0, duplicate=True, resumed=False)
        assert (await worker.job(run)).epoch == 1


async def test_a_desk_in_doubt_reads_again_and_tells_what_is_new(house: House) -> None:
    """Another process has appended, remembered and cancelled, and no hint has said so."""
    async with attached(house) as worker:
        run = RunId(await house.start())
        job = await worker.job(run)
        behind = await house.run(run)
        entry = Entry(0, Key("/s#0"), "step", "value", b"7", EPOCH)
        for command in (Remember(job.epoch, (entry,)), Cancel(500)):
            change = decide(behind, command, house.clock.now())
            await house.stores.runs.commit(change)
            behind = change.after
        draft = Draft(run, inward("notes"), 0, b"1", house.clock.now(), b"k")
        await house.stores.streams.append(draft)
        house.core.look_again()
        assert (await job.told()).body == b"7"
        assert (await job.heard(Unread)).body == b"1"
        await job.heard(Stopping)
        house.core.look_again()
        house.core.look_again()
        await house.rest()
        assert worker.unread() == []


async def test_streams_that_have_grown_one_after_another_are_looked_at_together(
    house: House,
) -> None:
    async with attached(house) as worker:
        run = RunId(await house.start())
        job = await worker.job(run)
        for stream in ("notes", "orders"):
            draft = Draft(run, inward(stream), 0, b"1", EPOCH, b"", b"", 0)
            await house.stores.streams.append(draft)
        desk = house.core.desk(run)
        house.core.look_at(desk, only=frozenset({inward("notes")}))
        house.core.look_at(desk, only=frozenset({inward("orders")}))
        unread = [await job.heard(Unread) for _ in range(2)]
        assert {one.stream for one in unread} == {"notes", "orders"}


async def test_a_hint_that_cannot_be_given_fails_nobody(house: House, gates: Gates) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        gates.hints_fail = True
        job.stand()
        assert (await house.api.send(run, "notes", b"1")).seq == 0
        assert (await job.told()).body == b"1"
        await house.api.register(DECLARED)
        async with aclosing(house.api.subscribe(run)) as views:
            assert (await anext(views)).status == "EXECUTING"
            job.complete()
            with anyio.fail_after(PATIENCE_S):
                assert (await anext(views)).status == "COMPLETED"


# --- the end of the engine -----------------------------------------------------------------------


async def test_an_engine_that_breaks_down_keeps_nobody_waiting(clock: ManualClock) -> None:
    answers: list[asyncio.Future[object]] = []

    async def break_down() -> None:
        async with open_memory(clock) as stores:
            behind, gates = gated(stores)
            async with opened(behind, clock, breaks_down=True) as house:
                await house.api.register(DECLARED)
                run = await house.start()
                gates.may_write.clear()
                answers.append(await _send(house, run, b"1", "a"))
                await _stuck(house, gates)
                answers.append(await _send(house, run, b"2", "b"))
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await break_down()
    with anyio.fail_after(PATIENCE_S):
        outcomes = await asyncio.gather(*answers, return_exceptions=True)
    assert [type(one) for one in outcomes] == [Unavailable, Unavailable]


async def test_an_engine_that_is_closed_finishes_what_was_asked(clock: ManualClock) -> None:
    async with open_memory(clock) as stores:
        async with opened(stores, clock) as house:
            await house.api.register(DECLARED)
            run = await house.start()
            answer = await _send(house, run, b"1", "a")
        assert await answer == Receipt(seq=0, duplicate=False, resumed=False)


async def test_an_engine_that_was_closed_takes_nothing_more(clock: ManualClock) -> None:
    async with open_memory(clock) as stores:
        async with opened(stores, clock) as house:
            await house.api.register(DECLARED)
            run = await house.start()
        with pytest.raises(Unavailable):
            await house.api.send(run, "notes", b"1")
        with pytest.raises(Unavailable):
            await house.api.cancel(run)
