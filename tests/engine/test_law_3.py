"""Law 3: one cursor per (run, stream); it moves with the record of what was got, then user code."""

from __future__ import annotations

from headrace.kernel.model import RunId, inward
from headrace.wire.channel import Ended
from tests.engine.house import DECLARED, Ground, House
from tests.engine.worker import Job, attached, parked


async def _take(job: Job, n: int) -> bytes:
    job.stand("notes", f"/q#{n}")
    return (await job.told()).body


async def test_law_3_the_entry_and_the_cursor_are_one_commit(house: House) -> None:
    async with attached(house) as worker:
        run = RunId(await house.start())
        job = await worker.job(run)
        job.stand()
        await house.rest()
        before = await house.run(run)
        await house.api.send(run, "notes", b"1")
        after = await house.run(run)
        assert after.version == before.version + 1
        assert (after.entries, after.cursors) == (before.entries + 1, {inward("notes"): 1})
        (entry,) = await house.stores.runs.journal(run)
        assert (entry.key, entry.body, entry.seq) == ("/q#0", b"1", 0)


async def test_law_3_the_worker_is_told_what_is_durable_already(house: House) -> None:
    async with attached(house) as worker:
        run = RunId(await house.start())
        await house.api.send(run, "notes", b"1")
        job = await worker.job(run)
        job.stand()
        told = await job.told()
        assert list(await house.stores.runs.journal(run)) == [told]


async def test_law_3_nothing_is_returned_twice(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        for n in range(20):
            await house.api.send(run, "notes", str(n).encode())
        job = await worker.job(run)
        assert [await _take(job, n) for n in range(20)] == [str(n).encode() for n in range(20)]
        assert (await house.api.retrieve(run)).unread == {}


async def test_law_3_a_failed_attempt_keeps_what_it_took(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        for n in range(3):
            await house.api.send(run, "notes", str(n).encode())
        job = await worker.job(run)
        assert await _take(job, 0) == b"0"
        job.fail()
        await job.heard(Ended)
        await house.pass_time(1_000)
        again = await worker.job(run)
        assert (again.assigned.attempt, [entry.body for entry in again.entries]) == (2, [b"0"])
        assert await _take(again, 1) == b"1"


async def test_law_3_a_lost_worker_takes_nothing_with_it(house: House) -> None:
    """It was told a value and is gone: the next worker is told the same, at the same place."""
    run = await house.start()
    for n in range(2):
        await house.api.send(run, "notes", str(n).encode())
    async with attached(house, lasts=False) as worker:
        assert await _take(await worker.job(run), 0) == b"0"
    for _ in range(12):
        await house.pass_time(500)
    async with attached(house, name="another") as worker:
        job = await worker.job(run)
        assert [(entry.key, entry.body, entry.seq) for entry in job.entries] == [("/q#0", b"0", 0)]
        assert await _take(job, 1) == b"1"


async def test_law_3_a_restart_loses_no_cursor(ground: Ground) -> None:
    async with ground.house() as house:
        await house.api.register(DECLARED)
        run = await house.start()
        for n in range(2):
            await house.api.send(run, "notes", str(n).encode())
        async with attached(house) as worker:
            job = await worker.job(run)
            assert await _take(job, 0) == b"0"
    async with ground.house("again") as house, attached(house, job.holding) as worker:
        job.moves_to(worker)
        assert await _take(job, 1) == b"1"


async def test_law_3_the_journal_is_told_in_its_order_and_whole(house: House) -> None:
    """Steps, takes and sends by turns; what the worker sent itself comes back without its body."""
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        for n in range(5):
            job.step(f"/s#{n}", b'"mine"')
            job.stand("notes", f"/q#{n}")
            await house.api.send(run, "notes", str(n).encode())
        told = [await job.told() for _ in range(10)]
        assert [entry.n for entry in told] == list(range(10))
        assert job.again == []
        assert {entry.body for entry in told if entry.kind == "step"} == {b""}
        assert [entry.body for entry in told if entry.kind == "take"] == [
            b"%d" % n for n in range(5)
        ]


async def test_law_3_what_a_wait_got_is_never_shown_as_unread(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await parked(house, await worker.job(run))
        await house.api.send(run, "notes", b"1")
        await job.told()
        assert worker.unread() == []
