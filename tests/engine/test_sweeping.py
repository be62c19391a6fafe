"""What is over is forgotten by itself, after a while."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from headrace.backends.memory import open_memory
from headrace.engine import open_engine
from headrace.engine.sweeping import BITE, EVERY_MS
from headrace.kernel.model import EnvId, later
from headrace.ports import Order, Stores, Ticket
from headrace.testing.clock import ManualClock
from headrace.testing.contracts.given import queued
from tests.engine.house import CountedChance

PATIENCE_S = 10.0


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Return once it is true."""
    with anyio.fail_after(PATIENCE_S):
        while not await true():
            await anyio.lowlevel.checkpoint()


async def _filled(stores: Stores, clock: ManualClock, count: int) -> None:
    end = later(clock.now(), 1_000)
    for n in range(count):
        order = Order(key=f"k-{n}", key_until=end)
        run = queued(f"run-{n}", at=clock.now())
        await stores.runs.create(run, order, ticket=Ticket(n.to_bytes(32, "big"), end))
    await stores.blobs.put("packet", b"1", end)
    await stores.blobs.put("kept", b"1")


async def test_the_engine_sweeps_in_bites_after_a_rest() -> None:
    clock = ManualClock()
    async with open_memory(clock) as stores, open_engine(stores, CountedChance()) as engine:
        assert await engine.at(EnvId("dev")).listing() is None
        await _filled(stores, clock, BITE + 1)
        await anyio.lowlevel.checkpoint()
        assert await stores.blobs.get("packet") == b"1"
        clock.advance(EVERY_MS)

        async def is_swept() -> bool:
            return await stores.blobs.get("packet") is None

        await until(is_swept)
        assert await stores.taken.purge(clock.now(), BITE) == 0
        assert await stores.blobs.get("kept") == b"1"
