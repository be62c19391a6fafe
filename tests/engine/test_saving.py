"""A worker saves the state of a run's code, leaves with it, and anybody goes on from there."""

from __future__ import annotations

import pytest

from headrace.engine.sheet import Sheet, Tails
from headrace.kernel import commands as c
from headrace.kernel.model import RunId, Waiting
from headrace.testing.contracts.given import T0, claimed, queued
from headrace.wire import channel as ch
from headrace.wire.channel import Ended, Fenced, Refusal, Stopping
from tests.engine.gates import Gates
from tests.engine.house import House
from tests.engine.saving import kept, left, remembers, save
from tests.engine.worker import Job, attached, parked

# --- leaving --------------------------------------------------------------------------------------


async def test_who_leaves_with_a_snapshot_holds_the_run_no_more(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await left(house, await remembers(await worker.job(run), 3))
        cold = await house.run(run)
        assert (cold.state, cold.saved, cold.base) == (Waiting(None), 3, 0)
        assert await kept(house, run) == b"frames"
        assert await house.status(run) == "WAITING"
        job.step("/late#0")
        await job.heard(Fenced)


@pytest.mark.parametrize("name", ["worker", "another"])
async def test_whoever_goes_on_gets_the_snapshot_and_what_came_after_it(
    house: House, name: str
) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await left(house, await remembers(await worker.job(run), 3))
        if name == "worker":
            assert (await house.api.send(run, "notes", b"7")).resumed
            again = await worker.job(run)
            _expect_after_the_take(again, job.epoch + 1)
            return
    async with attached(house, name=name) as heir:
        assert (await house.api.send(run, "notes", b"7")).resumed
        again = await heir.job(run)
        _expect_after_the_take(again, job.epoch + 1)
        again.complete()
        await again.heard(Ended)
    assert await house.status(run) == "COMPLETED"


def _expect_after_the_take(job: Job, epoch: int) -> None:
    assigned = job.assigned
    assert (assigned.snapshot, assigned.saved, assigned.base) == (b"frames", 3, 0)
    assert [(entry.n, entry.body) for entry in assigned.entries] == [(3, b"7")]
    assert (assigned.epoch, assigned.code) == (epoch, "1")


async def test_a_run_that_nobody_took_up_at_once_is_given_with_all_that_came_meanwhile(
    house: House,
) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await remembers(await worker.job(run), 2)
        job.stand("orders", "/q#1", held=True)
        await left(house, job)
    for stream in ("notes", "orders"):
        await house.api.send(run, stream, b"7")
    async with attached(house, name="heir") as heir:
        again = await heir.job(run)
        assert [entry.key for entry in again.entries] == ["/q#0", "/q#1"]
        again.step("/next#0")
        assert (await again.told()).n == 4
        assert again.again == []


async def test_what_has_just_been_written_is_not_read_however_long_the_journal(
    troubled: tuple[House, Gates],
) -> None:
    house, gates = troubled
    run = await house.start()
    async with attached(house) as worker:
        await left(house, await remembers(await worker.job(run), 50))
        gates.journals_fail = True
        await house.api.send(run, "notes", b"7")
        again = await worker.job(run)
        assert [(entry.n, entry.body) for entry in again.entries] == [(50, b"7")]


async def test_news_that_come_first_keep_the_run_warm(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await parked(house, await worker.job(run))
        assert (await house.api.send(run, "notes", b"7")).resumed
        save(job, leaves=True)  # it has not heard yet
        assert (await job.told()).body == b"7"
        job.step("/next#0")
        assert (await job.told()).n == 1
        assert (await house.run(run)).saved is None
        assert not [push for push in worker.unread(run) if isinstance(push, Ended)]


async def test_news_that_come_after_it_in_one_batch_start_the_next_life(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await parked(house, await worker.job(run))
        save(job, leaves=True)
        receipt = await house.api.send(run, "notes", b"7")
        assert receipt.resumed
        await job.heard(Ended)
        again = await worker.job(run)
        assert (again.assigned.snapshot, again.assigned.saved) == (b"frames", 0)
        assert [(entry.n, entry.body) for entry in again.entries] == [(0, b"7")]


async def test_a_run_that_executes_cannot_beleft(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await remembers(await worker.job(run), 1)
        save(job, leaves=True)
        job.step("/next#0")
        assert (await job.told()).n == 1
        assert await kept(house, run) is None


async def test_a_run_that_was_told_to_stop_is_not_saved(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await parked(house, await worker.job(run))
        await house.api.cancel(run)
        save(job, leaves=True)
        save(job)
        await job.heard(Stopping)
        await house.rest()
        assert await kept(house, run) is None
        assert await house.status(run) == "EXECUTING"


async def test_a_deadline_goes_on_while_the_run_is_away(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await worker.job(run)
        job.stand(timeout_ms=60_000)
        job.park()
        await house.rest()
        save(job, leaves=True)
        await job.heard(Ended)
        await house.pass_time(60_000)
        again = await worker.job(run)
        assert [(e.n, e.ending) for e in again.entries] == [(0, "timeout")]
        assert again.assigned.snapshot == b"frames"


async def test_a_cancelled_run_is_resumed_from_its_snapshot(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        await left(house, await worker.job(run))
        await house.api.cancel(run)
        again = await worker.job(run)
        assert (again.assigned.snapshot, again.assigned.stopping) == (b"frames", True)


async def test_asking_again_for_a_wait_that_stands_changes_nothing(house: House) -> None:
    """What a restored life does first."""
    run = await house.start()
    async with attached(house) as worker:
        job = await worker.job(run)
        job.stand("orders", "/q#1", held=True)
        await left(house, job)
        await house.api.send(run, "orders", b"1")
        again = await worker.job(run)
        again.stand("notes", "/q#0", held=True)
        await house.api.send(run, "notes", b"2")
        assert (await again.told()).body == b"2"


# --- in place -------------------------------------------------------------------------------------


async def test_a_run_that_is_saved_in_place_goes_on_and_another_worker_goes_on_from_there(
    house: House,
) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await remembers(await worker.job(run), 3)
        save(job, b"older")
        job.step("/s#3")
        await job.told()
        save(job)
        job.step("/s#4")
        await job.told()
        job.release()
        await job.heard(Ended)
        again = await worker.job(run)
        assert (again.assigned.snapshot, again.assigned.saved) == (b"frames", 4)
        assert [entry.key for entry in again.entries] == ["/s#4"]


async def test_who_has_not_heard_everything_saves_nothing(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await worker.job(run)
        job.step("/s#0")
        save(job)  # it does not know its number yet
        await job.told()
        await house.rest()
        assert await kept(house, run) is None


async def test_what_a_snapshot_stands_for_can_be_let_go_of(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await left(house, await remembers(await worker.job(run), 300), drops=True)
        assert await house.stores.runs.journal(RunId(run)) == []
        await house.api.send(run, "notes", b"7")
        again = await worker.job(run)
        assert (again.assigned.saved, again.assigned.base) == (300, 300)
        assert [entry.n for entry in again.entries] == [300]
    async with attached(house, again.holding) as worker:
        again.moves_to(worker)
        again.step("/next#0")
        assert (await again.told()).n == 301
        assert again.again == []
    assert job.next_n == 300


async def test_a_failed_attempt_goes_on_from_the_snapshot(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await worker.job(run)
        job.step("/s#0", b"{}", "failure")
        await job.told()
        save(job)
        job.step("/s#1", b"{}", "failure")
        await job.told()
        job.fail(undone=0)
        await job.heard(Ended)
        await house.pass_time(1_000)
        again = await worker.job(run)
        assert (again.assigned.snapshot, again.assigned.attempt) == (b"frames", 2)
        assert (again.start, again.entries) == (1, [])
        again.step("/s#1")
        assert (await again.told()).n == 1


async def test_what_is_saved_and_over_on_one_sheet_was_never_saved(house: House) -> None:
    run = claimed(queued()).after
    sheet = Sheet(run, house.stores, Tails(), T0)
    sheet.apply(c.Save(run.epoch, 0, b"frames"))
    assert sheet.change().saved == b"frames"
    sheet.apply(c.Complete(run.epoch, b"1"))
    assert sheet.change().saved is None


async def test_the_end_takes_the_snapshot_along(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await worker.job(run)
        save(job)
        job.complete()
        await job.heard(Ended)
        for number in range(3):
            assert await house.stores.snapshots.read(RunId(run), number) is None


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"", "bad_request"), (bytes(ch.SNAPSHOT_AT_MOST + 1), "too_large")],
    ids=["empty", "too-large"],
)
async def test_what_is_no_snapshot_is_refused_and_the_run_goes_on(
    house: House, body: bytes, code: str
) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await parked(house, await worker.job(run))
        save(job, body, leaves=True)
        assert (await job.heard(Refusal)).code == code
        await house.api.send(run, "notes", b"7")
        assert (await job.told()).body == b"7"


# --- replies that are lost ------------------------------------------------------------------------


@pytest.mark.parametrize("landed", [True, False])
async def test_who_does_not_know_whether_it_has_left_is_told_when_it_comes_back(
    troubled: tuple[House, Gates], *, landed: bool
) -> None:
    house, gates = troubled
    run = await house.start()
    async with attached(house) as worker:
        job = await parked(house, await worker.job(run))
        gates.fail_next(landed=landed)
        save(job, leaves=True)
        assert (await job.heard(Refusal)).code == "unavailable"
        await house.rest()
    async with attached(house, job.holding) as worker:
        job.moves_to(worker)
        if landed:
            await job.heard(Fenced)
            assert await kept(house, run) == b"frames"
        else:
            assert await kept(house, run) is None
            await house.api.send(run, "notes", b"7")
            assert (await job.told()).body == b"7"


async def test_a_worker_that_was_away_is_fenced_from_what_itleft(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await parked(house, await worker.job(run))
        save(job, leaves=True)
        await house.rest()
    async with attached(house, job.holding) as worker:
        job.moves_to(worker)
        await job.heard(Fenced)


async def test_an_older_life_can_save_nothing(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        older = await left(house, await worker.job(run))
        await house.api.send(run, "notes", b"7")
        job = await worker.job(run)
        worker.post(ch.Saved(run, older.epoch, 1, b"zombie", leaves=True))
        await older.heard(Fenced)
        worker.post(ch.Unfit(run, older.epoch))
        await older.heard(Fenced)
        job.step("/next#0")
        await job.told()
        assert await house.stores.snapshots.read(RunId(run), 0) == b"frames"


# --- the code -------------------------------------------------------------------------------------


async def test_a_run_knows_the_code_that_it_started_on(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await left(house, await worker.job(run))
        assert job.assigned.code == "1"
    async with attached(house, name="newer", version="2") as newer:
        await house.api.send(run, "notes", b"7")
        again = await newer.job(run)
        assert (again.assigned.code, again.epoch) == ("1", job.epoch + 1)
    assert (await house.run(run)).code == "1"
