"""Outputs that are too large for their run's row: there when the run has ended, and only then."""

from __future__ import annotations

import pytest

from headrace.kernel.model import Completed, Over
from headrace.testing.faulting import Fault
from headrace.wire.channel import Ended, Fenced, Refusal
from headrace.wire.packets import INLINE, MOST
from tests.engine.gates import Gates
from tests.engine.house import Ground, House
from tests.engine.worker import attached

DAY_MS = 86_400_000
LARGE = b'"' + b"x" * 5_000_000 + b'"'
OTHER = b'"' + b"y" * 5_000_000 + b'"'


async def stored(house: House, run: str) -> str:
    """Return under which key the output of the run lies."""
    match (await house.run(run)).state:
        case Over(outcome=Completed(output=b"", stored=key)):
            return key
        case state:
            raise AssertionError(f"the run is {state}"[:200])


async def output(house: House, run: str) -> bytes:
    """Return what the run has returned."""
    return (await house.api.run_packet(run, "output")).body


async def test_a_large_output_lies_beside_the_run(house: House) -> None:
    async with attached(house) as worker:
        job = await worker.job(await house.start())
        job.complete(LARGE)
        await job.heard(Ended)
    assert await output(house, job.run) == LARGE
    assert await house.stores.blobs.get(await stored(house, job.run)) == LARGE
    assert await house.api.retrieve(job.run) == await house.api.retrieve(job.run)


async def test_what_is_not_large_lies_in_the_run(house: House) -> None:
    small = b'"' + b"x" * (INLINE - 2) + b'"'
    async with attached(house) as worker:
        job = await worker.job(await house.start())
        job.complete(small)
        await job.heard(Ended)
    state = (await house.run(job.run)).state
    assert isinstance(state, Over)
    assert state.outcome == Completed(small)


async def test_it_stays_as_long_as_the_run(house: House, ground: Ground) -> None:
    async with attached(house) as worker:
        job = await worker.job(await house.start())
        job.complete(LARGE)
        await job.heard(Ended)
    await house.pass_time(400 * DAY_MS)
    while await house.stores.blobs.purge(house.clock.now(), 100):
        pass
    assert await output(house, job.run) == LARGE
    async with ground.house("again") as later:
        assert await output(later, job.run) == LARGE


@pytest.mark.parametrize("landed", [False, True])
@pytest.mark.parametrize("write", ["the output", "the end"])
async def test_a_store_that_fails_loses_nothing_and_doubles_nothing(
    troubled: tuple[House, Gates], write: str, *, landed: bool
) -> None:
    house, gates = troubled
    async with attached(house) as worker:
        job = await worker.job(await house.start())
        await house.rest()
        at = gates.writes + (1 if write == "the output" else 2)
        gates.fault = Fault(at=at, landed=landed)
        job.complete(LARGE)
        assert (await job.heard(Refusal)).code == "unavailable"
        job.complete(LARGE)
        await house.rest()
        assert gates.writes >= at
    assert await output(house, job.run) == LARGE
    house.clock.advance(2 * DAY_MS)
    assert await house.stores.blobs.purge(house.clock.now(), 100) == 0
    assert await output(house, job.run) == LARGE


async def test_a_worker_that_does_not_hold_the_run_puts_nothing_away(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        before = await worker.job(run)
        before.release()
        await before.heard(Ended)
        job = await worker.job(run)
        before.complete(OTHER)
        await before.heard(Fenced)
        job.complete(LARGE)
        await job.heard(Ended)
        before.complete(OTHER)
        await before.heard(Fenced)
    assert await output(house, run) == LARGE
    house.clock.advance(2 * DAY_MS)
    assert await house.stores.blobs.purge(house.clock.now(), 100) == 0


async def test_what_a_cancelled_run_returns_is_thrown_away(house: House) -> None:
    async with attached(house) as worker:
        job = await worker.job(await house.start())
        await house.api.cancel(job.run)
        job.complete(LARGE)
        await job.heard(Ended)
    assert await house.status(job.run) == "CANCELED"
    house.clock.advance(DAY_MS)
    assert await house.stores.blobs.purge(house.clock.now(), 100) == 1


async def test_a_worker_that_returns_too_much_fails_its_run(house: House) -> None:
    async with attached(house) as worker:
        job = await worker.job(await house.start())
        job.complete(b'"' + b"x" * MOST + b'"')
        await job.heard(Ended)
    view = await house.api.retrieve(job.run)
    assert view.status == "FAILED"
    assert "10485760 bytes" in str(view.error)
