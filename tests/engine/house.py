"""An engine on a store with a clock that stands still, and what is declared in its environment.

Owns: opening, restarting, and the moment of rest. Must never know: what a test is about.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Self

import anyio
import msgspec
from msgspec import Raw

from headrace.backends.memory import open_memory
from headrace.backends.sqlite import open_sqlite
from headrace.backends.sqlite.database import Settings
from headrace.engine import Engine, open_engine
from headrace.engine.api import EnvApi
from headrace.engine.core import Core
from headrace.kernel.model import EnvId, Instant, Retry, Run, RunId, WorkerId, later
from headrace.ports import Stores
from headrace.testing.clock import ManualClock
from headrace.wire.registration import Registration, StreamSpec, TaskSpec
from headrace.wire.views import TriggerOptions, TriggerOrder

PATIENCE_S = 10.0
DEV, PROD = EnvId("dev"), EnvId("prod")
FAR_MS = 10**12
NUMBER = b'{"type":"integer"}'
DECLARED = Registration(
    version="1",
    tasks=(
        TaskSpec(id="work", retry=Retry(first_ms=1_000, jitter=False)),
        TaskSpec(id="strict", schema=NUMBER),
        TaskSpec(id="short", ttl_ms=60_000, max_duration_ms=10_000),
    ),
    streams=(
        StreamSpec(name="notes", inward=True),
        StreamSpec(name="orders", inward=True),
        StreamSpec(name="numbers", inward=True, schema=NUMBER),
        StreamSpec(name="secret", inward=True, schema=NUMBER, trusted=True),
        StreamSpec(name="tokens", inward=False),
    ),
)


class CountedChance:
    """Chance that is the same in every test: a counter, hashed."""

    def __init__(self, seed: str = "") -> None:
        self._seed, self._count = seed, 0

    def jitter(self) -> float:
        """Return a number in [0, 1)."""
        return 0.5

    def unique(self, size: int) -> bytes:
        """Return bytes that no earlier call gave."""
        self._count += 1
        return blake2b(f"{self._seed}{self._count}".encode(), digest_size=size).digest()


@dataclass(slots=True)
class House:
    """One engine and what it stands on."""

    stores: Stores
    clock: ManualClock
    engine: Engine
    env: EnvId = DEV

    @property
    def api(self) -> EnvApi:
        """Return the use cases of the environment."""
        return self.engine.at(self.env)

    @property
    def core(self) -> Core:
        """Look inside the engine."""
        return self.engine._core  # pyright: ignore[reportPrivateUsage]  # a test may look inside

    async def start(self, task: str = "work", payload: bytes = b"1", **options: object) -> str:
        """Trigger a run; return its id."""
        return (await self.api.trigger(task, order(payload, **options))).id

    async def run(self, run_id: str) -> Run:
        """Read the run from the store."""
        found = await self.stores.runs.load(RunId(run_id))
        assert found is not None
        return found

    async def status(self, run_id: str) -> str:
        """Say how the run is shown."""
        return (await self.api.retrieve(run_id)).status

    async def keep(self, worker: str) -> None:
        """Let the worker's lease last, whatever the clock says."""
        seat = self.core.seats.of(self.worker(worker))
        assert seat is not None
        until = later(self.clock.now(), FAR_MS)
        await self.stores.leases.renew(seat.worker, until, seat.number)

    def worker(self, name: str) -> WorkerId:
        """Return what the engine calls the worker."""
        return WorkerId(f"{self.env}/{name}")

    async def pass_time(self, ms: int) -> Instant:
        """Let time pass, and everything happen that follows."""
        await self.rest()
        now = self.clock.advance(ms)
        await self.rest()
        return now

    async def rest(self) -> None:
        """Return once nothing is under way in the engine but its loops' sleep."""
        quiet = 0
        with anyio.fail_after(PATIENCE_S):
            while quiet < 30:
                await asyncio.sleep(0)
                quiet = 0 if self._is_busy() else quiet + 1

    def _is_busy(self) -> bool:
        beside = (task.get_coro() for task in asyncio.all_tasks())
        return (
            self.core.wanted.is_set()
            or self.core.onlookers.is_behind
            or any(seat.reserved for seat in self.core.seats.all())
            or any(getattr(coro, "__name__", "") == "_guarded" for coro in beside)
        )

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return once `holds` says so."""
        with anyio.fail_after(PATIENCE_S):
            while not holds():  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0)


_options_of = msgspec.json.Decoder(TriggerOptions).decode


def order(payload: bytes = b"1", **options: object) -> TriggerOrder:
    """Return a trigger's body."""
    text = msgspec.json.encode(options)
    return TriggerOrder(payload=Raw(payload), options=_options_of(text))


@asynccontextmanager
async def opened(
    stores: Stores, clock: ManualClock, seed: str = "", *, breaks_down: bool = False
) -> AsyncGenerator[House]:
    """Run an engine on `stores`; what the body raises comes out as it is.

    Then the engine is closed in order, unless it `breaks_down` with the body.
    """
    failure: BaseException | None = None
    try:
        async with open_engine(stores, CountedChance(seed)) as engine:
            try:
                yield House(stores, clock, engine)
            except BaseException as error:
                failure = error
                if breaks_down:
                    raise
    except BaseExceptionGroup:
        if failure is None:
            raise
    if failure is not None:
        raise failure


class Ground:
    """Where engines stand: memory that outlives them, or a file that is opened again."""

    def __init__(self, clock: ManualClock, file: Path | None) -> None:
        self.clock, self._file = clock, file
        self._kept = AsyncExitStack()
        self._memory: Stores | None = None

    async def __aenter__(self) -> Self:
        await self._kept.__aenter__()
        if self._file is None:
            self._memory = await self._kept.enter_async_context(open_memory(self.clock))
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._kept.aclose()

    @asynccontextmanager
    async def stores(self) -> AsyncGenerator[Stores]:
        """Open the store."""
        if self._memory is not None:
            yield self._memory
        else:
            assert self._file is not None
            settings = Settings(wal_pages=64)
            async with open_sqlite(self._file, clock=self.clock, settings=settings) as stores:
                yield stores

    @asynccontextmanager
    async def house(self, seed: str = "") -> AsyncGenerator[House]:
        """Open the store and run an engine on it."""
        async with self.stores() as stores, opened(stores, self.clock, seed) as house:
            yield house
