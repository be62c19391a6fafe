"""Metadata is acknowledged, and no commit of the run lands before what was set ahead of it."""

from __future__ import annotations

import pytest

from headrace.errors import Unavailable
from headrace.kernel.model import RunId
from headrace.testing.faults import Fault
from headrace.wire.channel import Completed, Note, Noted, Refusal
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
