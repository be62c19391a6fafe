"""Law 5: losers and timeouts consume nothing; a deadline is durable, never early, never renewed."""

from __future__ import annotations

from headrace.kernel.model import Entry, RunId, inward
from headrace.ports import Draft
from headrace.wire.channel import Ended, Told
from tests.engine.house import DECLARED, Ground, House
from tests.engine.worker import Job, Worker, attached, parked
from tests.servers.town import at_rest

MINUTE = 60_000


async def _quiet(house: House, worker: Worker) -> bool:
    """Tell whether the worker has been told nothing once everything is at rest."""
    await house.rest()
    return not [push for push in worker.unread() if isinstance(push, Told)]


async def _ends(house: House, worker: Worker, job: Job, in_ms: int) -> Entry:
    """Let time pass up to the deadline: nothing happens a millisecond before it."""
    await house.pass_time(in_ms - 1)
    assert await _quiet(house, worker)
    await house.pass_time(1)
    return await job.told()


async def test_law_5_a_wait_times_out_at_its_deadline_and_not_before(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.stand(timeout_ms=MINUTE)
        entry = await _ends(house, worker, job, MINUTE)
        assert (entry.ending, entry.body, entry.seq) == ("timeout", b"", -1)
        assert (entry.deadline, entry.at) == (house.clock.now(), house.clock.now())


async def test_law_5_a_timeout_consumes_nothing(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.stand(timeout_ms=MINUTE)
        assert (await _ends(house, worker, job, MINUTE)).ending == "timeout"
        assert not (await house.api.send(run, "notes", b"1")).resumed
        assert (await house.api.retrieve(run)).unread == {"notes": 1}
        job.stand(key="/q#1", timeout_ms=MINUTE)
        assert (await job.told()).body == b"1"


async def test_law_5_a_moment_is_kept_as_it_was_said(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.stand(until=house.clock.now() + MINUTE, timeout_ms=1)
        assert (await _ends(house, worker, job, MINUTE)).ending == "timeout"


async def test_law_5_a_moment_that_has_passed_takes_what_is_there(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        await house.api.send(run, "notes", b"1")
        job = await worker.job(run)
        for n, ending in enumerate(("value", "timeout")):
            job.stand(key=f"/q#{n}", until=1)
            assert (await job.told()).ending == ending


async def test_law_5_a_timer_is_kept_while_the_run_is_cold(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.stand("", "/sleep#0", timeout_ms=MINUTE)
        job.park()
        job.release()
        await job.heard(Ended)
        await house.pass_time(MINUTE - 1)
        assert await house.status(run) == "WAITING"
        await house.pass_time(1)
        job = await worker.job(run)
        assert [(entry.kind, entry.ending) for entry in job.entries] == [("timer", "value")]


async def test_law_5_the_loser_of_a_race_consumes_nothing(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.stand("notes", "/race#0/notes")
        job.stand("orders", "/race#0/orders")
        await house.rest()
        await house.api.send(run, "orders", b"1")
        assert (await job.told()).key == "/race#0/orders"
        job.leave("/race#0/notes")
        assert (await job.told()).ending == "cancelled"
        assert not (await house.api.send(run, "notes", b"2")).resumed
        assert (await house.run(run)).cursors == {inward("orders"): 1}


async def test_law_5_what_is_in_the_log_at_the_deadline_wins(house: House) -> None:
    """Another process appended it, and no hint of that has come."""
    async with attached(house) as worker:
        run = RunId(await house.start())
        job = await parked(house, await worker.job(run))
        job.stand("orders", "/r#0", timeout_ms=MINUTE)
        await house.pass_time(MINUTE - 1)
        draft = Draft(run, inward("orders"), 0, b'"in time"', house.clock.now(), b"k")
        await house.stores.streams.append(draft)
        entry = await _ends(house, worker, job, 1)
        assert (entry.key, entry.ending, entry.body) == ("/r#0", "value", b'"in time"')


async def test_law_5_at_a_deadline_the_log_is_shared_out_in_the_order_of_the_waits(
    house: House,
) -> None:
    async with attached(house) as worker:
        run = RunId(await house.start())
        job = await worker.job(run)
        job.stand("notes", "/0/q#0", held=True)
        job.stand("notes", "/1/q#0", timeout_ms=MINUTE)
        await house.pass_time(MINUTE - 1)
        draft = Draft(run, inward("notes"), 0, b"1", house.clock.now(), b"k")
        await house.stores.streams.append(draft)
        first = await _ends(house, worker, job, 1)
        second = await job.told()
        assert [(e.key, e.ending) for e in (first, second)] == [
            ("/0/q#0", "value"),
            ("/1/q#0", "timeout"),
        ]


async def test_law_5_asking_again_does_not_start_the_time_again(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.stand(timeout_ms=MINUTE)
        await house.pass_time(MINUTE // 2)
    async with attached(house, job.holding) as worker:
        job.moves_to(worker)
        job.stand(timeout_ms=MINUTE)
        assert (await _ends(house, worker, job, MINUTE // 2)).ending == "timeout"


async def test_law_5_a_retry_does_not_start_the_time_again(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.stand(timeout_ms=MINUTE)
        await house.rest()
        job.fail()
        await house.pass_time(1_000)
        job = await worker.job(run)
        job.stand(timeout_ms=MINUTE)
        await house.rest()
        assert (await _ends(house, worker, job, MINUTE - 1_000)).ending == "timeout"


async def test_law_5_a_wait_that_was_cancelled_by_the_failure_keeps_its_deadline(
    house: House,
) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.stand(timeout_ms=MINUTE)
        await house.rest()
        job.leave()
        left = await job.told()
        assert left.deadline is not None
        job.fail(undone=left.n, revived={left.key: left.deadline})
        await house.pass_time(1_000)
        job = await worker.job(run)
        assert job.entries == []
        job.stand(timeout_ms=MINUTE)
        assert (await _ends(house, worker, job, MINUTE - 1_000)).ending == "timeout"


async def test_law_5_a_lost_worker_does_not_start_the_time_again(house: House) -> None:
    run = await house.start()
    async with attached(house, lasts=False) as worker:
        (await worker.job(run)).stand(timeout_ms=MINUTE)
        await house.rest()
    for _ in range(12):
        await at_rest(house)
        house.clock.advance(500)
    async with attached(house, name="another") as worker:
        job = await worker.job(run)
        job.stand(timeout_ms=MINUTE)
        await house.rest()
        assert (await _ends(house, worker, job, MINUTE - 6_000)).ending == "timeout"


async def test_law_5_a_restart_does_not_start_the_time_again(ground: Ground) -> None:
    async with ground.house() as house:
        await house.api.register(DECLARED)
        run = await house.start()
        async with attached(house) as worker:
            job = await worker.job(run)
            job.stand(timeout_ms=MINUTE)
            await house.pass_time(MINUTE // 2)
    async with ground.house("again") as house, attached(house, job.holding) as worker:
        job.moves_to(worker)
        assert (await _ends(house, worker, job, MINUTE // 2)).ending == "timeout"


async def test_law_5_what_is_overdue_at_a_restart_ends_at_once(ground: Ground) -> None:
    async with ground.house() as house:
        await house.api.register(DECLARED)
        run = await house.start()
        async with attached(house) as worker:
            job = await worker.job(run)
            job.stand(timeout_ms=MINUTE)
            await house.rest()
    ground.clock.advance(2 * MINUTE)
    async with ground.house("again") as house, attached(house, job.holding) as worker:
        job.moves_to(worker)
        assert (await job.told()).ending == "timeout"


async def test_law_5_many_deadlines_end_each_in_its_time(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        for n in range(30):
            job.stand("", f"/sleep#{n}", timeout_ms=1_000 * (30 - n))
        await house.rest()
        for n in range(30):
            now = await house.pass_time(1_000)
            entry = await job.told()
            assert (entry.key, entry.at) == (f"/sleep#{29 - n}", now)
        assert await _quiet(house, worker)
