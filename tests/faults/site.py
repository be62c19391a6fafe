"""A real server with a real worker before it, over HTTP, whose store can be held up or go blind.

Owns: opening them, and the moments that tests wait for. Must never know: what a task does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import anyio
import msgspec

from headrace import Task
from headrace.app.system import SystemChance, wall_now
from headrace.backends.clocks import CarriedClock
from headrace.client import Client, Target, open_client
from headrace.engine.desk import Desk
from headrace.errors import Unavailable
from headrace.kernel.model import Record, RunId, inward, later
from headrace.ports import Stores
from headrace.sdk import connection
from headrace.sdk.registry import registry
from headrace.sdk.sealing import Sealer
from headrace.wire.views import Receipt, RunView
from headrace.worker import Options, Worker
from tests.engine.gates import Gates, behind
from tests.faults import jobs
from tests.server.house import KEY, PATIENCE_S, House, house

T = TypeVar("T")
YEARS_MS = 10**12


class Sight(Gates):
    """Gates whose reads may fail, too."""

    def __init__(self) -> None:
        super().__init__()
        self.is_blind = False
        self.missed = 0

    async def read(self, call: Awaitable[T]) -> T:
        """Do the read, or fail it."""
        value = await super().read(call)
        if self.is_blind:
            self.missed += 1
            raise Unavailable("a read was made to fail", hint="Try again.")
        return value


@dataclass(frozen=True, slots=True)
class Site:
    """What a test holds."""

    home: House
    api: Client
    worker: Worker
    gates: Sight

    async def start(self, task: Task[Any, Any], payload: object = None) -> str:
        """Start a run over HTTP."""
        return (await (task.trigger() if payload is None else task.trigger(payload))).id

    async def send(self, run: str, number: int, *, key: str = "") -> Receipt:
        """Send to the stream of news over HTTP."""
        return await self.api.send(run, jobs.news.id, str(number).encode(), request_key=key)

    async def open_gate(self, run: str) -> Receipt:
        """Let a run go on that waits at the gate."""
        return await self.api.send(run, jobs.gate.id, b"1")

    async def waiting(self, run: str, stream: str = "", count: int = 1) -> RunView:
        """Return the run once it waits; if a stream is named, with so many waits on it."""

        def waits(view: RunView) -> bool:
            there = [wait for wait in view.waits if wait.stream == stream]
            return view.status == "WAITING" and (not stream or len(there) == count)

        return await self.seen(run, waits)

    async def ended(self, run: str) -> RunView:
        """Return the run once it is over."""
        return await self.seen(run, lambda view: view.is_completed)

    async def result(self, run: str) -> Any:
        """Return what came of the run."""
        view = await self.ended(run)
        assert view.status == "COMPLETED", view
        return None if view.output is msgspec.UNSET else msgspec.json.decode(view.output)

    async def executing(self, run: str) -> None:
        """Return once the run's code stands somewhere, and the run does not wait."""
        await self.seen(run, lambda view: view.status == "EXECUTING")
        await self.until(lambda: self.worker.is_at_rest)

    async def listening(self, run: str, count: int = 1, stream: str = jobs.news.id) -> None:
        """Return once the run asks for messages in so many places, by `once` or otherwise."""
        desk = self.desk(run)

        def asked() -> int:
            waits = () if desk.run is None else desk.run.waits
            return len([wait for wait in waits if wait.stream == inward(stream)])

        await self.until(lambda: asked() == count)

    def desk(self, run: str) -> Desk:
        """Look inside the engine."""
        return self.home.engine._core.desk(RunId(run))  # pyright: ignore[reportPrivateUsage]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return once something is so; nothing tells when."""
        with anyio.fail_after(PATIENCE_S):
            while not holds():  # noqa: ASYNC110
                await asyncio.sleep(0)

    async def pass_time(self, ms: int) -> None:
        """Let time pass; the worker is there all the time."""
        leases, now = self.home.stores.leases, self.home.clock.now()
        await leases.extend(later(now, YEARS_MS))
        self.home.clock.advance(ms)

    async def seen(self, run: str, holds: Callable[[RunView], bool]) -> RunView:
        """Return the run once it is so."""
        with anyio.fail_after(PATIENCE_S):
            async for view in self.home.api.subscribe(run):
                if holds(view):
                    return view
        raise AssertionError(f"{run} has ended otherwise")


def all_read(view: RunView) -> bool:
    """Tell whether the run has taken all news."""
    return jobs.news.id not in view.unread


async def log_of(site: Site, run: str) -> list[Record]:
    """Read a run's news as they are on disk."""
    found = await site.home.stores.streams.read(RunId(run), inward(jobs.news.id), 0, 1_000)
    return list(found)


@asynccontextmanager
async def open_site(snapshots: Literal["warm", "always"] = "warm") -> AsyncGenerator[Site]:
    """Open one."""
    jobs.marks.clear()
    jobs.latch.renew()
    gates, chance = Sight(), SystemChance()
    tasks = {task.id: task for task in registry.collect(jobs)}
    registration = await asyncio.to_thread(registry.registration, tuple(tasks.values()))
    options = Options(
        worker=f"worker_{chance.unique(8).hex()}",
        chance=chance,
        sealer=Sealer.of(["a key of the tests"]),
        snapshots=snapshots,
    )

    def veil(stores: Stores) -> Stores:
        return behind(stores, gates)

    async with AsyncExitStack() as stack:
        home = await stack.enter_async_context(house(veil=veil))
        clock = CarriedClock(wall_now())
        opened = open_client(Target(home.url, KEY), clock, chance)
        api = await stack.enter_async_context(opened)
        connection.configure(api=api)
        stack.callback(connection.configure)
        worker = Worker(api, tasks, registration, options)
        await stack.enter_async_context(_working(worker))
        yield Site(home, api, worker, gates)


@asynccontextmanager
async def _working(worker: Worker) -> AsyncGenerator[None]:
    async with asyncio.TaskGroup() as group:
        working = group.create_task(worker.run())
        await worker.attached.wait()
        try:
            yield
        finally:
            jobs.latch.opened.set()
            working.cancel()
