"""Law 4: a wait is answered from the log at the cursor; several waiters are served as they came."""

from __future__ import annotations

from headrace.kernel.model import RunId, inward
from headrace.ports import Draft
from tests.engine.house import House
from tests.engine.worker import Job, attached, parked


async def _answers(job: Job, count: int) -> dict[str, bytes]:
    told = [await job.told() for _ in range(count)]
    return {entry.key: entry.body for entry in told}


async def test_law_4_a_wait_takes_the_oldest_record_and_not_the_latest_request(
    house: House,
) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        for n in range(3):
            await house.api.send(run, "notes", str(n).encode())
        job.stand()
        assert (await job.told()).body == b"0"


async def test_law_4_waiters_are_served_first_come_first_served(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        for n in range(4):
            job.stand("notes", f"/{n}/q#0", held=n % 2 == 0)
        await house.rest()
        for n in range(4):
            assert (await house.api.send(run, "notes", str(n).encode())).resumed
        assert await _answers(job, 4) == {f"/{n}/q#0": str(n).encode() for n in range(4)}


async def test_law_4_each_waiter_gets_one_record(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.stand("notes", "/0/q#0")
        job.stand("notes", "/1/q#0")
        await house.rest()
        await house.api.send(run, "notes", b'"only"')
        assert await _answers(job, 1) == {"/0/q#0": b'"only"'}
        await house.rest()
        assert worker.unread() == []
        known = house.core.desk(RunId(run)).run
        assert known is not None
        assert [wait.key for wait in known.waits] == ["/1/q#0"]


async def test_law_4_who_left_is_not_served(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.stand("notes", "/0/q#0")
        job.stand("notes", "/1/q#0")
        job.leave("/0/q#0")
        left = await job.told()
        assert (left.key, left.ending, left.seq) == ("/0/q#0", "cancelled", -1)
        await house.api.send(run, "notes", b"1")
        assert await _answers(job, 1) == {"/1/q#0": b"1"}


async def test_law_4_the_place_in_the_line_outlives_the_worker(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await worker.job(run)
        job.stand("notes", "/0/q#0", held=True)
        await parked(house, job, "notes", "/1/q#0")
        job.release()
        await house.rest()
    await house.api.send(run, "notes", b'"first"')
    async with attached(house, name="another") as worker:
        job = await worker.job(run)
        assert [(entry.key, entry.body) for entry in job.entries] == [("/0/q#0", b'"first"')]
        await house.api.send(run, "notes", b'"second"')
        assert await _answers(job, 1) == {"/1/q#0": b'"second"'}


async def test_law_4_what_another_process_appended_comes_first(house: House) -> None:
    """It was appended behind the back of this engine, while a wait stood in its memory."""
    async with attached(house) as worker:
        run = RunId(await house.start())
        job = await worker.job(run)
        job.stand("notes", "/0/q#0")
        job.stand("notes", "/1/q#0")
        await house.rest()
        draft = Draft(run, inward("notes"), 0, b'"theirs"', house.clock.now(), b"k")
        await house.stores.streams.append(draft)
        await house.api.send(run, "notes", b'"ours"')
        assert await _answers(job, 2) == {"/0/q#0": b'"theirs"', "/1/q#0": b'"ours"'}


async def test_law_4_a_hint_is_enough_to_find_what_another_process_appended(house: House) -> None:
    async with attached(house) as worker:
        run = RunId(await house.start())
        job = await worker.job(run)
        job.stand()
        await house.rest()
        draft = Draft(run, inward("notes"), 0, b'"theirs"', house.clock.now(), b"k")
        await house.stores.streams.append(draft)
        house.core.look_again()
        assert (await job.told()).body == b'"theirs"'


async def test_law_4_what_came_between_the_look_and_the_commit_is_taken(house: House) -> None:
    """A durable wait reads the log once more after it stands on disk."""
    async with attached(house) as worker:
        run = RunId(await house.start())
        job = await worker.job(run)
        desk = house.core.desk(run)

        async def behind_its_back(_sheet: object) -> object:
            draft = Draft(run, inward("notes"), 0, b'"late"', house.clock.now(), b"k")
            await house.stores.streams.append(draft)
            return None

        job.stand(held=True)
        desk.post(
            behind_its_back
        )  # in the same batch: after the wait has looked, before its commit
        assert (await job.told()).body == b'"late"'
