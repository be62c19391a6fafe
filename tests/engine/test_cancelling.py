"""Cancelling: nothing new is begun, the task may clean up for the grace, then the run is over."""

from __future__ import annotations

import pytest

from headrace.kernel.machine import GRACE_MS
from headrace.kernel.model import Queued, RunId
from headrace.wire import channel as ch
from headrace.wire.channel import Ended, Fenced, Refusal, Stopping, Told
from headrace.wire.views import RunQuery
from tests.engine.house import House
from tests.engine.worker import CAUSE, Job, Worker, attached, emitted, parked, sent, started
from tests.servers.town import at_rest


async def _cancelled(house: House, run: str) -> str:
    return (await house.api.cancel(run)).status


async def _stopping(house: House, worker: Worker, run: str) -> Job:
    job = await worker.job(run)
    assert await _cancelled(house, run) == "EXECUTING"
    await job.heard(Stopping)
    return job


# --- without anybody at work --------------------------------------------------------------------


async def test_a_queued_run_is_over_at_once(house: House) -> None:
    assert await _cancelled(house, await house.start()) == "CANCELED"


async def test_a_delayed_run_is_over_at_once(house: House) -> None:
    assert await _cancelled(house, await house.start(delay="1h")) == "CANCELED"


async def test_a_run_between_two_attempts_is_over_at_once(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        (await worker.job(run)).fail()
        await house.rest()
        assert await _cancelled(house, run) == "CANCELED"
        await house.pass_time(GRACE_MS)
        assert [type(push) for push in worker.unread()] == [Ended]


async def test_a_blocked_run_is_over_at_once(house: House) -> None:
    async with attached(house) as worker:
        await house.rest()  # a worker that has come tries once what is blocked by then
        run = await house.start()
        job = await worker.job(run)
        job.post(ch.Blocked(run, job.epoch, CAUSE))
        await job.heard(Ended)
        assert await house.status(run) == "PENDING_VERSION"
        assert await _cancelled(house, run) == "CANCELED"


async def test_a_cold_run_is_resumed_to_clean_up(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await parked(house, await worker.job(run))
        job.release()
        await job.heard(Ended)
        await house.api.cancel(run)
        job = await worker.job(run)
        assert (job.assigned.stopping, job.assigned.attempt) == (True, 1)
        job.leave()
        assert (await job.told()).ending == "cancelled"
        job.post(ch.Yielded(run, job.epoch))
        await job.heard(Ended)
        assert await house.status(run) == "CANCELED"


async def test_a_cold_run_without_a_worker_is_over_after_the_grace(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await parked(house, await worker.job(run))
        job.release()
        await job.heard(Ended)
    await house.api.cancel(run)
    assert isinstance((await house.run(run)).state, Queued)
    await house.pass_time(GRACE_MS - 1)
    assert await house.status(run) == "QUEUED"
    await house.pass_time(1)
    assert await house.status(run) == "CANCELED"


# --- in a worker's hands ------------------------------------------------------------------------


async def test_a_warm_run_goes_on_at_its_await(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await parked(house, await worker.job(run))
        assert await _cancelled(house, run) == "EXECUTING"
        await job.heard(Stopping)
        job.leave()
        assert (await job.told()).ending == "cancelled"
        job.post(ch.Yielded(run, job.epoch))
        await job.heard(Ended)
        assert await house.status(run) == "CANCELED"


async def test_code_that_no_longer_fits_ends_with_what_it_was_told(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await _stopping(house, worker, run)
        job.post(ch.Blocked(run, job.epoch, CAUSE))
        await job.heard(Ended)
        assert await house.status(run) == "CANCELED"


async def test_nothing_new_is_begun_while_it_stops(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        other = await house.start("strict")
        job = await _stopping(house, worker, run)
        job.stand("notes", "/q#0")
        job.post(started(job, "/t#0"), sent(job, "/m#0", other))
        refusals = {(await job.heard(Refusal)).key for _ in range(3)}
        assert refusals == {"/q#0", "/t#0", "/m#0"}
        assert len((await house.api.list_runs(RunQuery())).data) == 2
        assert (await house.api.retrieve(other)).unread == {}


async def test_a_stopping_run_is_not_parked(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.stand()
        await house.api.cancel(run)
        await job.heard(Stopping)
        job.park()
        refusal = await job.heard(Refusal)
        assert (refusal.key, refusal.code) == ("", "stopping")


async def test_steps_and_output_are_kept_while_it_stops(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await _stopping(house, worker, run)
        job.step("/s#0", b"7")
        job.post(emitted(job, "/o#0"), ch.Noted(run, job.epoch, "cleaned", b"true"))
        assert (await job.told()).key == "/s#0"
        assert (await job.heard(ch.Emit)).key == "/o#0"
        await house.rest()
        assert await house.stores.runs.metadata(RunId(run)) == b'{"cleaned":true}'


@pytest.mark.parametrize("how", ["complete", "fail", "yield"])
async def test_it_ends_as_it_was_told_to_whatever_it_says(house: House, how: str) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await _stopping(house, worker, run)
        match how:
            case "complete":
                job.complete()
            case "fail":
                job.fail()
            case _:
                job.post(ch.Yielded(run, job.epoch))
        await job.heard(Ended)
        view = await house.api.retrieve(run)
        assert (view.status, view.is_cancelled, view.is_failed) == ("CANCELED", True, False)


async def test_what_is_sent_while_it_stops_stays_unread(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await parked(house, await worker.job(run))
        await house.api.cancel(run)
        await job.heard(Stopping)
        assert not (await house.api.send(run, "notes", b"1")).resumed
        job.leave()
        assert (await job.told()).ending == "cancelled"
        assert (await house.api.retrieve(run)).unread == {"notes": 1}


async def test_what_was_taken_before_is_told_before(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await parked(house, await worker.job(run))
        await house.api.send(run, "notes", b"1")
        await house.api.cancel(run)
        await house.rest()
        assert [type(push) for push in worker.unread(run)] == [Told, Stopping]
        assert (await job.told()).body == b"1"


async def test_no_deadline_ends_while_it_stops(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.stand(timeout_ms=1_000)
        await house.rest()
        await house.api.cancel(run)
        await job.heard(Stopping)
        await house.pass_time(2_000)
        assert worker.unread(run) == []
        job.leave()
        assert (await job.told()).ending == "cancelled"


async def test_a_task_that_does_not_stop_is_over_after_the_grace(house: House) -> None:
    async with attached(house, slots=1) as worker:
        run = await house.start()
        job = await _stopping(house, worker, run)
        other = await house.start()
        await house.pass_time(GRACE_MS - 1)
        assert await house.status(run) == "EXECUTING"
        await house.pass_time(1)
        await job.heard(Fenced)
        assert await house.status(run) == "CANCELED"
        assert (await worker.job(other)).run == other


async def test_who_takes_a_stopping_run_over_is_told_so(house: House) -> None:
    run = await house.start()
    async with attached(house, lasts=False) as worker:
        await _stopping(house, worker, run)
        async with attached(house, name="heir") as heir:
            for _ in range(12):
                await at_rest(house)
                house.clock.advance(500)
            assert (await heir.job(run)).assigned.stopping


async def test_a_worker_that_comes_back_is_told_to_stop(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await worker.job(run)
    await house.api.cancel(run)
    async with attached(house, job.holding) as worker:
        job.moves_to(worker)
        await job.heard(Stopping)


async def test_cancelling_again_changes_nothing(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await _stopping(house, worker, run)
        before = await house.run(run)
        await house.pass_time(1_000)
        await house.api.cancel(run)
        assert await house.run(run) == before
        job.complete()
        await job.heard(Ended)
        over = await house.run(run)
        assert await _cancelled(house, run) == "CANCELED"
        assert await house.run(run) == over


# --- executing too long -------------------------------------------------------------------------


async def test_a_task_that_executes_too_long_is_stopped(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start("short")
        job = await worker.job(run)
        await house.pass_time(9_999)
        assert worker.unread() == []
        await house.pass_time(1)
        await job.heard(Stopping)
        job.complete()
        await job.heard(Ended)
        assert await house.status(run) == "TIMED_OUT"


async def test_only_executing_counts(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start("short")
        job = await worker.job(run)
        await house.pass_time(4_000)
        await parked(house, job)
        await house.pass_time(10**7)
        assert (await house.api.retrieve(run)).duration_ms == 4_000
        await house.api.send(run, "notes", b"1")
        await job.told()
        await house.pass_time(5_999)
        assert worker.unread() == []
        await house.pass_time(1)
        await job.heard(Stopping)


async def test_a_starter_may_set_another_duration(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start("short", maxDuration=3600)
        job = await worker.job(run)
        await house.pass_time(3_599_999)
        assert worker.unread() == []
        await house.pass_time(1)
        await job.heard(Stopping)
