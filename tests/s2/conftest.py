"""A fake S2, and two servers that share it and a database in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headrace.backends.memory import open_memory
from headrace.backends.s2 import Patience, open_s2
from headrace.ports import Stores
from tests.s2.rooms import CALM, Chance
from tests.s2.standin import StandIn


@pytest.fixture
async def fake() -> AsyncIterator[StandIn]:
    fake = StandIn()
    async with fake.serving():
        yield fake


@pytest.fixture
async def memory() -> AsyncIterator[Stores]:
    async with open_memory() as stores:
        yield stores


@pytest.fixture
def patience() -> Patience:
    return CALM


@pytest.fixture
async def stores(fake: StandIn, memory: Stores, patience: Patience) -> AsyncIterator[Stores]:
    url = f"s2://dev?endpoint={fake.url}"
    async with open_s2(url, memory, Chance(), patience=patience) as opened:
        yield opened


@pytest.fixture
async def twin(fake: StandIn, memory: Stores, patience: Patience) -> AsyncIterator[Stores]:
    url = f"s2://dev?endpoint={fake.url}"
    async with open_s2(url, memory, Chance(), patience=patience) as opened:
        yield opened
