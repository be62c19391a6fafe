"""What is due of one run waits for nobody else: a log that is away holds up who needs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import pytest

from headrace.backends.memory import open_memory
from headrace.engine.dispatch import FEW
from headrace.errors import Unavailable
from headrace.kernel.model import Record, RunId, StreamId
from headrace.ports import Backlog, Streams
from headrace.testing.clock import ManualClock
from headrace.testing.faults import FailingStreams
from tests.engine.gates import Gates, behind
from tests.engine.house import DECLARED, House, opened
from tests.engine.worker import Job, attached

MINUTE, STEP_MS, LATE_MS = 60_000, 250, 2_000


class Away(FailingStreams):
    """A log elsewhere that gives no answer for a while, or that of a server in trouble."""

    def __init__(self, inner: Streams, gates: Gates) -> None:
        super().__init__(inner, gates)
        self.is_here, self.fails = asyncio.Event(), False
        self.is_here.set()

    async def _asked(self) -> None:
        if self.fails:
            raise Unavailable("the log is away")
        await self.is_here.wait()

    async def backlog(self, run_id: RunId, stream: StreamId, start: int) -> Backlog:
        """Weigh a stream once the log is there."""
        await self._asked()
        return await super().backlog(run_id, stream, start)

    async def read(
        self, run_id: RunId, stream: StreamId, start: int, limit: int
    ) -> Sequence[Record]:
        """Read a stream once the log is there."""
        await self._asked()
        return await super().read(run_id, stream, start, limit)

    async def ends(self, run_id: RunId) -> Mapping[StreamId, Backlog]:
        """Weigh all streams once the log is there."""
        await self._asked()
        return await super().ends(run_id)


@asynccontextmanager
async def _house(clock: ManualClock) -> AsyncGenerator[tuple[House, Away]]:
    async with open_memory(clock) as stores:
        gates = Gates()
        log = Away(stores.streams, gates)
        apart = replace(behind(stores, gates, delivers=False), streams=log)
        async with opened(apart, clock) as house:
            await house.api.register(DECLARED)
            yield house, log


async def _pass(house: House, ms: int) -> None:
    """Let time pass while not everything comes to rest."""
    for _ in range(ms // STEP_MS):
        house.clock.advance(STEP_MS)
        for _ in range(200):
            await asyncio.sleep(0)


async def _needs_the_log(house: House, job: Job) -> Job:
    job.stand("notes", timeout_ms=MINUTE, held=True)
    await house.rest()
    return job


@pytest.mark.parametrize("fails", [True, False])
async def test_a_sleep_is_not_late_because_the_log_of_others_is_away(
    clock: ManualClock, *, fails: bool
) -> None:
    async with _house(clock) as (house, log), attached(house, slots=100) as worker:
        jobs = [await worker.job(await house.start()) for _ in range(2 * FEW + 1)]
        waiting = [await _needs_the_log(house, job) for job in jobs[1:]]
        await house.pass_time(
            1
        )  # those are due first, and there are more of them than is asked for
        jobs[0].stand("", timeout_ms=MINUTE, held=True)
        await house.pass_time(MINUTE - LATE_MS)
        log.is_here.clear()
        log.fails = fails
        await _pass(house, 2 * LATE_MS)
        assert jobs[0].worker.unread(jobs[0].run)
        assert (await jobs[0].told()).ending == "value"
        assert not any(job.worker.unread(job.run) for job in waiting)
        log.is_here.set()
        log.fails = False
        await _pass(house, 5 * LATE_MS)
        with anyio.fail_after(5):
            assert {(await job.told()).ending for job in waiting} == {"timeout"}
