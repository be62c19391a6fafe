"""Law 8: one executor per run; `epoch` fences every write; three lost workers are a crash."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel
import pytest

from headrace.engine.dispatch import LEASE_MS, Warden
from headrace.errors import Unavailable
from headrace.kernel.machine import outcome_of
from headrace.kernel.model import EPOCH, Completed, Entry, Key, RunId, Running, later
from headrace.wire import channel as ch
from headrace.wire.channel import Ended, Fenced, Operation
from tests.engine.gates import Gates
from tests.engine.house import DECLARED, PATIENCE_S, PROD, House
from tests.engine.worker import CAUSE, POLICY, Job, attached, parked
from tests.servers.town import at_rest

LEASE_ROUNDS = 12
"""Rounds of half a second after which a lease of five has lapsed, and that was noticed."""


async def _lose(house: House) -> None:
    """Let every lease lapse, and what follows be on disk."""
    for _ in range(LEASE_ROUNDS):
        await at_rest(house)
        house.clock.advance(500)
    await at_rest(house)


def _every_operation(run: str, epoch: int) -> list[Operation]:
    entry = Entry(0, Key("/s#0"), "step", "value", b"1", EPOCH)
    return [
        ch.Standing(run, epoch, "/q#0", "notes", held=True),
        ch.Parked(run, epoch),
        ch.Left(run, epoch, "/q#0"),
        ch.Remembered(run, epoch, entry),
        ch.Started(run, epoch, "/t#0", "work", b"{}"),
        ch.Sent(run, epoch, "/m#0", run, "notes", b"1"),
        ch.Emitted(run, epoch, "tokens", "/o#0", b"1"),
        ch.Noted(run, epoch, "name", b"1"),
        ch.Completed(run, epoch, b"1"),
        ch.Raised(run, epoch, CAUSE, POLICY),
        ch.Yielded(run, epoch),
        ch.Blocked(run, epoch, CAUSE),
        ch.Released(run, epoch),
    ]


async def _everything(house: House, run: str) -> tuple[object, ...]:
    ident, runs = RunId(run), house.stores.runs
    streams = house.stores.streams
    return (
        await runs.load(ident),
        await runs.journal(ident),
        await runs.metadata(ident),
        await streams.ends(ident),
    )


async def _is_fenced(house: House, job: Job, *, of: str, epoch: int) -> None:
    """Post every operation there is, and demand that none of them does anything."""
    before = await _everything(house, of)
    for operation in _every_operation(of, epoch):
        job.post(operation)
        fenced = await job.worker.pushed(Fenced, of)
        assert fenced.epoch == epoch, operation
    await house.rest()
    assert await _everything(house, of) == before


@pytest.mark.parametrize("by", [-1, 1])
async def test_law_8_another_epoch_is_fenced_whatever_it_asks(house: House, by: int) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        await _is_fenced(house, job, of=run, epoch=job.epoch + by)
        job.complete()
        await job.heard(Ended)


async def test_law_8_a_worker_can_do_nothing_to_what_another_holds(house: House) -> None:
    async with (
        attached(house, tasks=["work"]) as worker,
        attached(house, name="other", tasks=["short"]) as other,
    ):
        mine, theirs = await house.start(), await house.start("short")
        job, victim = await worker.job(mine), await other.job(theirs)
        await _is_fenced(house, job, of=theirs, epoch=victim.epoch)


async def test_law_8_a_worker_can_do_nothing_in_another_environment(house: House) -> None:
    prod = House(house.stores, house.clock, house.engine, PROD)
    await prod.api.register(DECLARED)
    async with attached(house) as worker, attached(prod) as other:  # of one name, even
        mine, theirs = await house.start(), await prod.start()
        job, victim = await worker.job(mine), await other.job(theirs)
        await _is_fenced(house, job, of=theirs, epoch=victim.epoch)


async def test_law_8_a_run_is_given_to_one_worker(house: House) -> None:
    async with attached(house, name="one") as one, attached(house, name="two") as two:
        runs = [await house.start() for _ in range(10)]
        await house.rest()
        given = [push.run for worker in (one, two) for push in worker.unread()]
        assert sorted(given) == sorted(runs)


async def test_law_8_a_lost_worker_loses_its_run_to_another(house: House) -> None:
    async with attached(house, name="zombie", lasts=False) as zombie:
        run = await house.start()
        lost = await zombie.job(run)
        async with attached(house, name="heir") as heir:
            await _lose(house)
            job = await heir.job(run)
            assert (job.epoch, job.assigned.attempt) == (lost.epoch + 1, 1)
            lost.complete(b'"stale"')  # nobody listens to that attachment any more
            await zombie.ended()
            async with attached(house, lost.holding, name="zombie") as back:
                lost.moves_to(back)
                await lost.heard(Fenced)
                await _is_fenced(house, lost, of=run, epoch=lost.epoch)
            job.complete(b'"fresh"')
            await job.heard(Ended)
    assert outcome_of(await house.run(run)) == Completed(b'"fresh"')


async def test_law_8_a_worker_that_renews_is_not_lost(house: House) -> None:
    async with attached(house, lasts=False) as worker:
        run = await house.start()
        job = await worker.job(run)
        for _ in range(20):
            worker.post(ch.Renewed(slots=8))
            await _renewed(house, worker.name)
            await house.rest()
            seat = house.core.seats.of(house.worker(worker.name))
            assert seat is not None
            assert seat.lasts == later(house.clock.now(), LEASE_MS)
            await house.pass_time(1_500)
        assert (await house.run(run)).epoch == job.epoch
        job.complete()
        await job.heard(Ended)


async def _renewed(house: House, name: str) -> None:
    """Return once the lease lasts as long from now as a lease does."""
    almost = later(house.clock.now(), LEASE_MS - 1)
    with anyio.fail_after(PATIENCE_S):
        while house.worker(name) in await house.stores.leases.lapsed(almost):
            await anyio.lowlevel.checkpoint()


async def test_law_8_a_lost_workers_warm_runs_turn_cold(house: House) -> None:
    async with attached(house, lasts=False) as worker:
        run = await house.start()
        await parked(house, await worker.job(run))
        await _lose(house)
        assert await house.status(run) == "WAITING"
        assert (await house.run(run)).lost == 0
    async with attached(house, name="heir") as heir:
        await house.rest()
        assert heir.unread() == []
        assert (await house.api.send(run, "notes", b"1")).resumed
        assert [entry.body for entry in (await heir.job(run)).entries] == [b"1"]


async def test_law_8_three_lost_workers_are_a_crash(house: House) -> None:
    run = await house.start()
    for n in range(3):
        async with attached(house, name=f"worker{n}", lasts=False) as worker:
            job = await worker.job(run)
            assert job.assigned.attempt == 1
        await _lose(house)
    view = await house.api.retrieve(run)
    assert (view.status, view.attempt_count) == ("CRASHED", 1)


async def test_law_8_a_run_that_was_told_to_stop_is_no_crash(house: House) -> None:
    run = await house.start()
    for n in range(3):
        assert await house.status(run) != "CANCELED"
        async with attached(house, name=f"worker{n}", lasts=False) as worker:
            await worker.job(run)
            await house.api.cancel(run)
        await _lose(house)
    assert await house.status(run) == "CANCELED"


async def test_law_8_a_new_entry_starts_the_count_anew(house: House) -> None:
    run = await house.start()
    for n in range(5):
        async with attached(house, name=f"worker{n}", lasts=False) as worker:
            job = await worker.job(run)
            job.step(f"/s#{n}")
            await job.told()
        await _lose(house)
    assert await house.status(run) == "QUEUED"


async def test_law_8_a_run_whose_worker_left_in_order_counts_nobody_lost(house: House) -> None:
    run = await house.start()
    for n in range(5):
        async with attached(house, name=f"worker{n}") as worker:
            job = await worker.job(run)
            worker.post(ch.Renewed(slots=0))
            job.release()
            await job.heard(Ended)
    assert (await house.run(run)).lost == 0


# --- when the store has trouble meanwhile -------------------------------------------------------


async def test_law_8_a_run_that_could_not_be_taken_from_a_lost_worker_is_taken_later(
    troubled: tuple[House, Gates],
) -> None:
    house, gates = troubled
    async with attached(house, lasts=False) as worker:
        run = await house.start()
        await worker.job(run)
        await house.rest()
        gates.commits_fail = True
        await _lose(house)
        assert isinstance((await house.run(run)).state, Running)
        gates.commits_fail = False
        await house.pass_time(500)
        await house.pass_time(500)
        assert await house.status(run) == "QUEUED"


async def test_law_8_what_a_worker_has_got_since_it_was_given_up_is_not_taken_from_it(
    troubled: tuple[House, Gates],
) -> None:
    """It has come back before others looked at what it had held."""
    house, gates = troubled
    worker, given_up = house.worker("worker"), later(house.clock.now(), LEASE_MS)
    async with attached(house, lasts=False) as lost:
        older = await lost.job(await house.start())
        await house.rest()
    await house.stores.leases.drop(worker, given_up)
    gates.may_list.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(Warden(house.core).bury(worker))
        await house.until(lambda: gates.listing == 1)
        house.clock.advance(1)
        back = group.create_task(_come_back(house))
        await house.until(lambda: gates.listing == 2)
        newer = await house.start()
        gates.may_list.set()
        await back
    assert [(await house.run(run)).lost for run in (older.run, newer)] == [1, 0]


async def _come_back(house: House) -> None:
    async with attached(house):
        await house.rest()


async def test_law_8_a_worker_without_a_lease_gets_no_seat(troubled: tuple[House, Gates]) -> None:
    """Else a run in its hands would never be taken from it again."""
    house, gates = troubled
    await house.rest()
    gates.fail_next(landed=False)
    with pytest.raises(Unavailable):
        async with attached(house):
            pass
    run = await house.start()
    await house.rest()
    assert await house.status(run) == "QUEUED"
