"""Who gets which run, and when: slots, the order of the queue, timers, and what is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest

from headrace.engine import core, dispatch
from headrace.engine.aside import REST_S
from headrace.engine.rechecking import Rechecking
from headrace.kernel import machine
from headrace.kernel.commands import Claim, Stand
from headrace.kernel.model import Key, RunId, Wait, inward, later
from headrace.wire.channel import Assigned, Ended, Renewed
from tests.engine.gates import Gates
from tests.engine.house import House
from tests.engine.worker import Worker, attached, parked


def _given(worker: Worker) -> list[str]:
    return [push.run for push in worker.unread() if isinstance(push, Assigned)]


# --- slots and the queue ------------------------------------------------------------------------


async def test_no_worker_is_given_more_than_it_has_slots(house: House) -> None:
    async with attached(house, slots=3) as worker:
        runs = [await house.start() for _ in range(10)]
        await house.rest()
        assert _given(worker) == runs[:3]


async def test_queued_runs_go_before_fresh_ones_in_their_order(house: House) -> None:
    queued = [await house.start() for _ in range(5)]
    async with attached(house, slots=1) as worker:
        fresh = [await house.start() for _ in range(3)]
        for run in (*queued, *fresh):
            job = await worker.job(run)
            await house.rest()
            assert _given(worker) == []
            job.complete()
            await job.heard(Ended)


async def test_a_fresh_run_goes_to_the_worker_with_most_room(house: House) -> None:
    async with (
        attached(house, name="small", slots=1) as small,
        attached(house, name="large", slots=4) as large,
    ):
        await house.rest()
        runs = [await house.start() for _ in range(5)]
        await house.rest()
        assert sorted(_given(small) + _given(large)) == sorted(runs)
        assert len(_given(small)) == 1


@asynccontextmanager
async def shared(house: House, count: int) -> AsyncGenerator[tuple[list[str], list[str]]]:
    """Queue runs before two workers; yield what each was given."""
    async with (
        attached(house, name="one", slots=count) as one,
        attached(house, name="other", slots=count) as other,
    ):
        for worker in (one, other):
            worker.post(Renewed(slots=0))
        runs = [await house.start() for _ in range(count)]
        for worker in (one, other):
            worker.post(Renewed(slots=count))
        await house.rest()
        first, second = _given(one), _given(other)
        assert sorted(first + second) == sorted(runs)
        yield first, second


async def test_workers_share_what_is_queued(house: House) -> None:
    async with shared(house, 20) as (first, second):
        assert abs(len(first) - len(second)) <= dispatch.SHARE


async def test_the_longer_the_queue_the_larger_the_shares(troubled: tuple[House, Gates]) -> None:
    house, gates = troubled
    async with shared(house, 60):
        assert gates.limits[-6:] == [dispatch.SHARE * n for n in range(1, 7)]


async def test_a_worker_is_given_only_its_own_tasks(house: House) -> None:
    async with attached(house, tasks=["short"]) as worker:
        await house.start("work")
        run = await house.start("short")
        await house.rest()
        assert _given(worker) == [run]


async def test_more_slots_are_filled_at_once(house: House) -> None:
    async with attached(house, slots=1) as worker:
        runs = [await house.start() for _ in range(4)]
        await house.rest()
        worker.post(Renewed(slots=3))
        await house.rest()
        assert _given(worker) == runs[:3]


async def test_a_drained_worker_is_given_nothing(house: House) -> None:
    async with attached(house) as worker:
        worker.post(Renewed(slots=0))
        run = await house.start()
        await house.rest()
        assert _given(worker) == []
    async with attached(house, name="another") as other:
        assert (await other.job(run)).run == run


async def test_a_run_that_waits_holds_no_slot(house: House) -> None:
    async with attached(house, slots=1) as worker:
        for _ in range(5):
            await parked(house, await worker.job(await house.start()))
        await worker.job(await house.start())


async def test_many_cold_runs_that_wake_at_once_do_not_flood_a_worker(
    troubled: tuple[House, Gates],
) -> None:
    """Each is claimed in the commit of its answer, while the others' are under way."""
    house, gates = troubled
    async with attached(house, slots=10) as worker:
        runs = [await house.start() for _ in range(10)]
        for run in runs:
            job = await parked(house, await worker.job(run))
            job.release()
            await job.heard(Ended)
    async with attached(house, slots=2) as worker:
        await house.rest()
        gates.may_write.clear()
        async with anyio.create_task_group() as group:
            for run in runs:
                group.start_soon(house.api.send, run, "notes", b"1")
            await house.until(lambda: gates.held_up == len(runs))
            gates.may_write.set()
        await house.rest()
        assert len(_given(worker)) == 2


async def test_a_fresh_run_takes_no_slot_that_is_being_filled(
    troubled: tuple[House, Gates],
) -> None:
    house, gates = troubled
    queued = await house.start()
    gates.may_claim.clear()
    async with attached(house, slots=1) as worker:
        await house.until(lambda: gates.claiming > 0)
        fresh = await house.start()
        gates.may_claim.set()
        job = await worker.job(queued)
        await house.rest()
        assert _given(worker) == []
        job.complete()
        assert (await worker.job(fresh)).run == fresh


async def test_no_slot_is_lost_over_many_runs(house: House) -> None:
    """Ends, failures, waits, releases and cancellations: at last the worker is as free as ever."""
    async with attached(house, slots=2) as worker:
        for n in range(30):
            run = await house.start(maxAttempts=1)
            job = await worker.job(run)
            match n % 5:
                case 0:
                    job.complete()
                case 1:
                    job.fail()
                case 2:
                    await parked(house, job)
                    await house.api.cancel(run)
                    job.complete()
                case 3:
                    await parked(house, job)
                    await house.api.send(run, "notes", b"1")
                    job.complete()
                case _:
                    await house.api.cancel(run)
                    job.complete()
            await job.heard(Ended)
        (seat,) = house.core.seats.all()
        assert (seat.running, seat.known, seat.pending, seat.free) == (set(), {}, set(), 2)


async def test_a_slot_that_nobody_knows_of_is_found_again(house: House) -> None:
    async with attached(house, slots=1) as worker:
        await house.rest()
        (seat,) = house.core.seats.all()
        seat.running.add(RunId("run_that_never_was"))
        run = await house.start()
        for _ in range(10):
            await house.pass_time(500)
        assert (await worker.job(run)).run == run


async def test_a_run_that_the_worker_should_hold_and_was_never_told_of_is_given_to_it(
    house: House,
) -> None:
    """A claim landed whose reply was lost."""
    run = RunId(await house.start())
    async with attached(house) as worker:
        await worker.job(run)
        lost = RunId(await house.start("strict"))
        found = await house.run(lost)
        command = Claim(house.worker(worker.name))
        await house.stores.runs.commit(machine.decide(found, command, house.clock.now()))
        for _ in range(5):
            await house.pass_time(500)
        assert (await worker.job(lost)).epoch == 1


# --- timers -------------------------------------------------------------------------------------


async def test_a_timer_asks_the_store_no_more_than_it_must(troubled: tuple[House, Gates]) -> None:
    house, gates = troubled
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.stand(timeout_ms=100_000)
        await house.rest()
        before = gates.dues
        for _ in range(100):
            await house.pass_time(1_000)
        await job.told()
        assert gates.dues - before <= 110


@pytest.mark.parametrize("stands", [True, False])
async def test_an_older_reading_does_not_keep_the_timer_busy(
    troubled: tuple[House, Gates], monkeypatch: pytest.MonkeyPatch, *, stands: bool
) -> None:
    """Another process has let a wait stand, and is gone; this one had read the run before."""
    house, gates = troubled
    monkeypatch.setattr(Rechecking, "look", _idle)  # it would find out as well
    async with attached(house) as worker:
        run = RunId(await house.start())
        job = await worker.job(run)
        if stands:
            job.stand("orders", "/other#0")
        await house.rest()
        theirs = machine.decide(
            await house.run(run), _standing(house, job.epoch), house.clock.now()
        )
        await house.stores.runs.commit(theirs)
        before = gates.dues
        await house.pass_time(60_000)
        assert (await job.told()).ending == "timeout"
        await house.rest()
        assert gates.dues - before <= 5


async def _idle(_: Rechecking) -> None:
    """Look at nothing."""


def _standing(house: House, epoch: int) -> Stand:
    wait = Wait(Key("/q#0"), inward("notes"), later(house.clock.now(), 60_000))
    return Stand(epoch, wait)


async def test_what_becomes_due_earlier_than_was_thought_is_not_missed(house: House) -> None:
    async with attached(house) as worker:
        jobs = [await worker.job(await house.start()) for _ in range(3)]
        for job, timeout in zip(jobs, (900, 500, 100), strict=True):
            job.stand(timeout_ms=timeout)
            await house.rest()
        for job, pause in ((jobs[2], 100), (jobs[1], 400), (jobs[0], 400)):
            now = await house.pass_time(pause)
            assert (await job.told()).at == now


async def test_more_than_a_batch_may_be_due_at_once(house: House) -> None:
    runs = [await house.start(delay="1m") for _ in range(1_100)]
    await house.pass_time(60_000)
    await house.rest()
    assert {await house.status(run) for run in runs} == {"QUEUED"}


async def test_a_bug_in_one_run_does_not_keep_the_timer_busy(
    troubled: tuple[House, Gates], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, gates = troubled

    async def bug(_sheet: object) -> object:
        raise KeyError("bug")

    async with attached(house) as worker:
        job = await worker.job(await house.start())
        job.stand(timeout_ms=100)
        await house.rest()
        monkeypatch.setattr(dispatch, "elapse", bug)
        before, start = gates.dues, asyncio.get_running_loop().time()
        await house.pass_time(100)
        for _ in range(50):
            await house.rest()
        # One look for the deadline, then two around each rest, however slow the machine is.
        rests = (asyncio.get_running_loop().time() - start) / REST_S
        assert gates.dues - before <= 3 + 2 * rests
        monkeypatch.undo()
        assert (await job.told()).ending == "timeout"


# --- memory -------------------------------------------------------------------------------------


async def test_desks_of_runs_that_are_over_are_given_up(house: House) -> None:
    async with attached(house) as worker:
        for _ in range(20):
            job = await worker.job(await house.start())
            job.stand()
            job.complete()
            await job.heard(Ended)
        await house.rest()
        assert house.core.desks() == {}


async def test_a_desk_that_holds_what_is_nowhere_else_is_kept(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "DESKS_KEPT", 3)
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.stand()
        await house.rest()
        for _ in range(20):
            await house.api.cancel(await house.start("strict", delay="1h"))
            await house.api.send(await house.start("strict", delay="1h"), "notes", b"1")
        assert len(house.core.desks()) <= 5
        assert (await house.api.send(run, "notes", b"7")).resumed
        assert (await job.told()).body == b"7"
