"""Several engines on one store: what a test needs to be sure which of them did what.

Owns: opening them. Must never know: what a test is about.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import anyio

from headrace.backends.memory import open_memory
from headrace.backends.postgres import open_postgres
from headrace.backends.sqlite import open_sqlite
from headrace.kernel.model import RunId
from headrace.ports import Stores
from headrace.testing.clock import ManualClock
from tests.engine.gates import Gates, behind
from tests.engine.house import DECLARED, PATIENCE_S, House, opened

STEP_MS, STEPS = 500, 4
SLEEPERS = 4
"""Loops of one engine that sleep by the store's clock."""


class NoHints:
    """The `Wakeups` port at its worst: everything is lost."""

    async def announce(self, run_id: RunId, by: str = "") -> None:
        """Tell nobody."""

    @asynccontextmanager
    async def listen(
        self,
        but: str = "",  # noqa: ARG002 - the port's
    ) -> AsyncGenerator[AsyncIterator[RunId]]:
        """Hear nothing."""
        yield _silence()


async def _silence() -> AsyncGenerator[RunId]:
    await asyncio.Event().wait()
    yield RunId("")


@dataclass(frozen=True, slots=True)
class Site:
    """Where the store stands: in memory, or at a place that can be opened more than once."""

    clock: ManualClock
    place: str = ""

    @property
    def is_one(self) -> bool:
        """Tell whether all engines have the same store object."""
        return not self.place.startswith("postgresql:")

    @asynccontextmanager
    async def stores(self) -> AsyncGenerator[Stores]:
        """Open it."""
        if not self.place:
            async with open_memory(self.clock) as stores:
                yield stores
        elif self.is_one:
            async with open_sqlite(self.place, clock=self.clock) as stores:
                yield stores
        else:
            async with open_postgres(self.place, clock=self.clock) as stores:
                yield stores


def _plain(stores: Stores) -> Stores:
    return stores


@asynccontextmanager
async def town(
    site: Site,
    count: int = 2,
    *,
    hints: bool = True,
    delivers: bool = True,
    first: Callable[[Stores], Stores] = _plain,
) -> AsyncGenerator[tuple[House, ...]]:
    """Run so many engines; `hints`: whether they hear each other; `delivers`: as a database does.

    A log that is none appends first and commits then, and is asked for each stream. `first` says
    what the first engine sees of its store.
    """
    async with AsyncExitStack() as kept:
        houses, stores = list[House](), await kept.enter_async_context(site.stores())
        for n in range(count):
            if n and not site.is_one:
                stores = await kept.enter_async_context(site.stores())
            seen = stores if delivers else behind(stores, Gates(), delivers=False)
            seen = seen if n else first(seen)
            seen = seen if hints else replace(seen, wakeups=NoHints())
            houses.append(await kept.enter_async_context(opened(seen, site.clock, f"{n}")))
        if hints and count > 1:
            await houses[0].until(lambda: all(house.core.has_company for house in houses))
        await houses[0].api.register(DECLARED)
        await houses[0].rest()
        yield tuple(houses)


async def at_rest(*houses: House) -> None:
    """Return once all loops of all engines sleep: none of them is asking the store."""
    clock = houses[0].clock
    with anyio.fail_after(PATIENCE_S):
        while True:
            for house in houses:
                await house.rest()
            sleepers = clock._sleepers  # pyright: ignore[reportPrivateUsage]  # a test may look
            if len(sleepers) == SLEEPERS * len(houses):
                return
            await asyncio.sleep(0)


async def soon(*houses: House) -> None:
    """Let 2 s pass, for all engines of a town."""
    for _ in range(STEPS):
        await at_rest(*houses)
        houses[0].clock.advance(STEP_MS)
    await at_rest(*houses)
