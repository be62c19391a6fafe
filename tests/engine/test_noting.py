"""Metadata is acknowledged, and no commit of the run lands before what was set ahead of it."""

from __future__ import annotations

import anyio
import pytest
from msgspec import Raw

from headrace.errors import Unavailable
from headrace.kernel.model import RunId
from headrace.testing.faults import Fault
from headrace.wire.changes import Amendment, Edit
from headrace.wire.channel import Completed, Note, Noted, Refusal, Released
from tests.engine.gates import Gates
from tests.engine.house import House
from tests.engine.worker import attached


async def test_what_was_set_is_acknowledged_once_it_is_stored(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.post(Noted(run, job.epoch, "a", b"1", "0/a"), Noted(run, job.epoch, "b", b"2", "1/b"))
        assert [(await job.heard(Note)).key for _ in range(2)] == ["0/a", "1/b"]
        assert await house.stores.runs.metadata(RunId(run)) == b'{"a":1,"b":2}'
        job.post(Noted(run, job.epoch, "a", b"1", "0/a"))  # the acknowledgement was lost
        assert (await job.heard(Note)).key == "0/a"


async def test_what_is_too_large_is_refused_by_its_key(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.post(Noted(run, job.epoch, "a", b'"' + b"x" * 300_000 + b'"', "0/a"))
        refusal = await job.heard(Refusal)
        assert (refusal.key, refusal.code) == ("0/a", "too_large")


@pytest.mark.parametrize("landed", [False, True])
@pytest.mark.parametrize("write", [1, 2, 3])
async def test_a_run_is_not_over_before_its_metadata_is_stored(
    troubled: tuple[House, Gates], write: int, *, landed: bool
) -> None:
    house, gates = troubled
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        gates.fault = Fault(at=gates.writes + write, landed=landed)
        job.post(Noted(run, job.epoch, "progress", b"1", "0/a"), Completed(run, job.epoch, b"2"))
        assert (await job.heard(Refusal)).code == Unavailable.code
        await house.rest()
        metadata = await house.stores.runs.metadata(RunId(run))
        assert await house.status(run) != "COMPLETED" or metadata == b'{"progress":1}'


async def test_a_change_counts_once_by_its_place_in_the_code(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        for key, n in (("0/n", 1), ("1/n", 2), ("1/n", 2), ("0/n", 1)):
            mark = (1, 0, n)
            job.post(Noted(run, job.epoch, "n", b"1", key, "increment", mark))
            assert (await job.heard(Note)).key == key
        notes = await house.stores.notebook.read(RunId(run))
        assert notes is not None
        assert (notes.metadata, notes.mark) == (b'{"n":2}', (1, 0, 2))


async def test_what_cannot_be_done_is_refused_by_its_key(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.post(Noted(run, job.epoch, "n", b'"text"', "0/n", "set", (1, 0, 1)))
        await job.heard(Note)
        job.post(Noted(run, job.epoch, "n", b"1", "1/n", "increment", (1, 0, 2)))
        refusal = await job.heard(Refusal)
        assert (refusal.key, refusal.code) == ("1/n", "mistake")


async def test_the_run_and_others_count_together(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        more = Amendment(operations=[Edit(type="increment", key="n", value=Raw(b"1"))])

        async def outside() -> None:
            await house.api.amend(run, more)

        async with anyio.create_task_group() as group:
            for n in range(20):
                job.post(Noted(run, job.epoch, "n", b"1", f"{n}/n", "increment", (1, 0, n)))
                group.start_soon(outside)
        for n in range(20):
            assert (await job.heard(Note)).key == f"{n}/n"
        assert await house.api.metadata(run) == b'{"n":40}'


async def test_a_later_life_is_told_what_has_landed(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.post(Noted(run, job.epoch, "n", b"1", "0/n", "increment", (1, 0, 1)))
        await job.heard(Note)
        job.post(Released(run, job.epoch))
        again = await worker.job(run)
        assert (again.assigned.mark, again.assigned.metadata) == ((1, 0, 1), b'{"n":1}')
