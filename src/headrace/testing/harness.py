"""A Headrace for tests of your own tasks: all of it in this process, on memory, with time by hand.

Owns: when time passes, and when everything that can happen has happened.
Must never know: what the tasks do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, Literal, Protocol, TypeVar, overload

from headrace.app.local import ENV, Local, Runnable, open_local
from headrace.errors import Diverged, HeadraceError, Mistake
from headrace.kernel.model import Instant, later
from headrace.ports import Api, Filter
from headrace.testing.clock import ManualClock
from headrace.wire.durations import MOST_MS, duration_ms
from headrace.wire.views import FINAL, Receipt, RunView, WaitView

P_contra = TypeVar("P_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)
P = TypeVar("P")
R = TypeVar("R")
T_contra = TypeVar("T_contra", contravariant=True)
T = TypeVar("T")

Replay = Literal["crashes", "always"]
Snapshot = Literal["warm", "always"]
PATIENCE_S: Final = 10.0
"""How long code may execute, in real time, before a test is told what hangs."""
ROUNDS: Final = 25
"""Looks in a row that must find everything at rest."""
GLANCE_S: Final = 0.001
MOST_RUNS: Final = 10_000


class HasId(Protocol):
    """A handle."""

    @property
    def id(self) -> str:
        """The run's id."""
        ...


class Started(HasId, Protocol[R_co]):
    """A run that was started."""

    def result(self) -> Coroutine[Any, Any, R_co]:
        """Wait for its result."""
        ...


class Startable(Protocol[P_contra, R_co]):
    """A task."""

    def trigger(self, payload: P_contra) -> Coroutine[Any, Any, Started[R_co]]:
        """Start a run."""
        ...


class Sendable(Protocol[T_contra]):
    """An input stream."""

    def send(self, run: str, value: T_contra) -> Coroutine[Any, Any, Receipt]:
        """Send to a run."""
        ...


class Harness:
    """What a test holds. Time stands still, but for `advance` and `run`."""

    def __init__(self, local: Local, clock: ManualClock) -> None:
        self.api: Api = local.api
        self.clock = clock
        self._stores, self._worker = local.stores, local.worker

    async def settle(self) -> None:
        """Return once every run waits, or is over, or stands in `once`, `on` or a loop."""
        at_rest = 0
        try:
            async with asyncio.timeout(PATIENCE_S):
                while at_rest < ROUNDS:
                    is_busy = bool(await self._busy())
                    at_rest = 0 if is_busy else at_rest + 1
                    await asyncio.sleep(GLANCE_S if is_busy else 0)
        except TimeoutError:
            busy = ", ".join(await self._busy())
            raise TimeoutError(f"still executing after {PATIENCE_S:.0f} s: {busy}") from None

    async def advance(self, duration: str | float | timedelta) -> None:
        """Let time pass, from one deadline to the next; what they wake runs before time goes on."""
        target = later(self.clock.now(), duration_ms(duration))
        await self.settle()
        while moment := await self._next_due(target):
            await self._go_on(moment)
        await self._go_on(target)

    @overload
    async def run(self, task: Startable[None, R]) -> R: ...
    @overload
    async def run(self, task: Startable[P, R], payload: P) -> R: ...
    async def run(self, task: Startable[Any, R], payload: Any = None) -> R:
        """Run a task to its end and return its result; nobody sends, so time flies meanwhile.

        A wait without a deadline, for which nothing was sent, is a `Mistake` that names it.
        """
        handle = await task.trigger(payload)
        while True:
            await self.settle()
            view = await self.api.retrieve(handle.id)
            if view.status in FINAL:
                return await handle.result()
            await self._go_on(await self._way_on(view))

    async def send(self, run: str | HasId, stream: Sendable[T], value: T) -> Receipt:
        """Send a value to a run, and let happen what comes of it."""
        receipt = await stream.send(run if isinstance(run, str) else run.id, value)
        await self.settle()
        return receipt

    async def waits(self, run: str | HasId) -> tuple[WaitView, ...]:
        """Return what the run waits for, once everything is at rest."""
        await self.settle()
        view = await self.api.retrieve(run if isinstance(run, str) else run.id)
        return tuple(view.waits)

    async def _busy(self) -> list[str]:
        """Name the runs that are executing, or about to."""
        found = [run_id for _, run_id in await self._stores.runs.due(self.clock.now(), MOST_RUNS)]
        states = ("Queued",) if self._worker.is_at_rest else ("Queued", "Running")
        moving = await self._stores.runs.find(Filter(ENV, size=MOST_RUNS, states=states))
        found += [run.id for run in moving]
        return [f"run {run_id}" for run_id in dict.fromkeys(found)]

    async def _next_due(self, until: Instant) -> Instant | None:
        due = await self._stores.runs.due(until, 1)
        return due[0][0] if due else None

    async def _go_on(self, moment: Instant) -> None:
        self.clock.advance(max(0, moment - self.clock.now()))
        await self.settle()

    async def _way_on(self, view: RunView) -> Instant:
        """Return the moment at which something happens to the run by itself."""
        if view.blocked:
            raise Diverged(view.blocked)
        far = later(self.clock.now(), MOST_MS)
        for moment, run_id in await self._stores.runs.due(far, MOST_RUNS):
            if run_id == view.id:
                return moment
        raise _unanswered(view)


def _unanswered(view: RunView) -> HeadraceError:
    waits = ", ".join(f"{wait.stream!r} at {wait.line}" for wait in view.waits)
    return Mistake(
        f"the run of {view.task_identifier} waits without a deadline, for {waits}",
        hint="Trigger it yourself and answer with `send`, or give the wait a timeout.",
    )


@asynccontextmanager
async def local(
    *tasks: Runnable, replay: Replay = "crashes", snapshot: Snapshot = "warm"
) -> AsyncGenerator[Harness]:
    """Run tasks in this process while the block lasts: those given, or all that are imported.

    With `replay="always"` every run is put away at each wait and goes on by replay, so that code
    which does not replay well fails here first. With `snapshot="always"` it is saved and put away
    at each wait, and goes on from there with its variables.
    """
    clock = ManualClock()
    async with open_local(clock, tasks, evicts=replay == "always", snapshots=snapshot) as opened:
        # The only worker is this process: no lease of it ends because time flies.
        await opened.stores.leases.extend(later(clock.now(), MOST_MS))
        yield Harness(opened, clock)
