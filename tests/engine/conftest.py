"""Engines to test: each test on the memory backend, those of the laws on SQLite as well."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headrace.backends.memory import open_memory
from headrace.testing.clock import ManualClock
from tests.engine.gates import Gates, gated
from tests.engine.house import DECLARED, Ground, House, opened
from tests.s2.standin import StandIn


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["memory", "sqlite"])
async def ground(
    request: pytest.FixtureRequest, clock: ManualClock, tmp_path: Path
) -> AsyncIterator[Ground]:
    """Where an engine stands; it may be stopped and started again."""
    file = tmp_path / "headrace.db" if request.param == "sqlite" else None
    async with Ground(clock, file) as ground:
        yield ground


@pytest.fixture
async def house(ground: Ground) -> AsyncIterator[House]:
    """An engine with tasks and streams declared."""
    async with ground.house() as house:
        await house.api.register(DECLARED)
        yield house


@pytest.fixture
async def troubled(clock: ManualClock) -> AsyncIterator[tuple[House, Gates]]:
    """An engine in memory, and what makes its store fail or wait."""
    async with open_memory(clock) as stores:
        behind, gates = gated(stores)
        async with opened(behind, clock) as house:
            await house.api.register(DECLARED)
            yield house, gates


@pytest.fixture
async def fake() -> AsyncIterator[StandIn]:
    """S2, of which everything can be asked: faults, and what it was asked."""
    fake = StandIn()
    async with fake.serving():
        yield fake
