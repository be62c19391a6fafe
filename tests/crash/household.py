"""An engine and a worker in this process, on whatever store, with time that is moved by hand.

Owns: when everything that can happen has happened. Must never know: what the tasks do, or which
write fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from anyio.to_thread import current_default_thread_limiter

from headrace.engine import Engine
from headrace.engine.dispatch import LEASE_MS
from headrace.kernel.model import (
    Blocked,
    EnvId,
    Over,
    Queued,
    Retry,
    Retrying,
    Run,
    RunId,
    State,
    later,
)
from headrace.ports import Api, Filter, Stores
from headrace.testing.clock import ManualClock
from headrace.wire.registration import Registration, StreamSpec, TaskSpec
from headrace.worker import Options, Worker
from tests.crash.threads import thread_of

ENV: Final = EnvId("test")
INPUTS: Final = ("x", "y", "z", "stop")
RETRY_MS: Final = 60_000
ROUNDS: Final = 8
"""Looks in a row that must find the same."""
MANY_ROUNDS: Final = 50
"""Looks in a row that must find the same while code waits for something that nobody sees."""
PATIENCE: Final = 100_000
GLANCE_S: Final = 0.001
MOST: Final = 10

Code = Callable[[bytes], Awaitable[bytes]]


class Stuck(Exception):
    """What should happen does not."""


class NoChance:
    """Chance without any."""

    def __init__(self) -> None:
        self._count = 0

    def jitter(self) -> float:
        return 0.0

    def unique(self, size: int) -> bytes:
        self._count += 1
        return self._count.to_bytes(size, "big")


@dataclass(frozen=True, slots=True)
class Job:
    """The task: whatever `code` does."""

    code: Code

    @property
    def id(self) -> str:
        return "job"

    @property
    def spec(self) -> TaskSpec:
        return TaskSpec(id=self.id, retry=Retry(max_attempts=3, jitter=False))

    async def execute(self, payload: bytes) -> bytes:
        return await self.code(payload)


def registration(job: Job) -> Registration:
    """Declare the task and every stream that a workflow may use."""
    streams = [StreamSpec(name=name, inward=True) for name in INPUTS]
    output = StreamSpec(name="out", inward=False)
    return Registration(version="1", tasks=(job.spec,), streams=(*streams, output))


class Household:
    """One life of the process. `sound` is the store without the fault, to look at things."""

    def __init__(self, engine: Engine, sound: Stores, clock: ManualClock, job: Job) -> None:
        self.api: Api = engine.at(ENV)
        self._sound, self._clock, self._job = sound, clock, job
        self._worker: Worker | None = None
        self._thread = thread_of(asyncio.get_running_loop())

    @asynccontextmanager
    async def worker(self, name: str, *, evicts: bool = False) -> AsyncGenerator[None]:
        """Employ a worker while the block lasts; it is not asked to drain."""
        options = Options(worker=name, chance=NoChance(), evicts=evicts)
        worker = Worker(self.api, {self._job.id: self._job}, registration(self._job), options)
        async with asyncio.TaskGroup() as group:
            working = group.create_task(worker.run())
            await worker.attached.wait()
            self._worker = worker
            try:
                yield
            finally:
                working.cancel()

    async def settle(self) -> None:
        """Return once nothing happens any more without somebody from outside, or time."""
        quiet, before = 0, list[Run]()
        for _ in range(PATIENCE):
            runs = [*await self._sound.runs.find(Filter(ENV, size=MOST))]
            if await self._is_busy(runs) or runs != before:
                quiet, before = 0, runs
            quiet += 1
            if quiet >= (ROUNDS if self._rests() else MANY_ROUNDS):
                return
            await asyncio.sleep(GLANCE_S)
        raise Stuck(f"it does not come to rest: {before}")

    def _rests(self) -> bool:
        """Tell whether the code can only go on by an answer; else it may wait for a thread."""
        return self._worker is not None and self._worker.is_at_rest

    async def _is_busy(self, runs: Sequence[Run]) -> bool:
        if self._thread.was_busy() or current_default_thread_limiter().borrowed_tokens:
            return True
        if self._worker is None or not self._worker.attached.is_set():
            return True
        if any(isinstance(run.state, Queued) for run in runs):
            return True
        return bool(await self._sound.runs.due(self._clock.now(), MOST))

    async def pass_time(self, ms: int) -> None:
        """Let time pass, and what it brings; nobody's lease ends by it."""
        await self._sound.leases.extend(later(self._clock.now(), ms + LEASE_MS))
        self._clock.advance(ms)
        await self.settle()

    async def bury(self) -> None:
        """Let the leases of the dead end: bit by bit, or the engine takes it for its own sleep."""
        for _ in range(2 * LEASE_MS // 1_000):
            self._clock.advance(1_000)
            for _ in range(ROUNDS):
                await asyncio.sleep(0)

    async def over(self, run: str) -> None:
        """Wait for the end of the run; a failed attempt is followed by the next."""
        for _ in range(MOST):
            await self.settle()
            match await self._state(run):
                case Over() | Blocked():
                    return
                case Retrying():
                    await self.pass_time(RETRY_MS)
                case state:
                    raise Stuck(f"run {run} is {state}")

    async def _state(self, run: str) -> State | None:
        known = await self._sound.runs.load(RunId(run))
        return None if known is None else known.state

    async def taken(self, run: str) -> Sequence[tuple[str, int, bytes]]:
        """Return what the run's journal says it took, by stream."""
        journal = await self._sound.runs.journal(RunId(run))
        takes = [e for e in journal if e.kind == "take" and e.seq >= 0]
        return sorted((str(entry.stream), entry.seq, entry.body) for entry in takes)

    async def log(self, run: str, name: str, *, inward: bool) -> tuple[bytes, ...]:
        """Return everything in a stream of a run that is over."""
        views = self.api.tail(run, name, inward=inward)
        return tuple([bytes(record.data) async for record in views])
