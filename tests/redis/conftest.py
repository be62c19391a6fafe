"""Servers that a test may break, and what is opened on them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from headrace.backends.clocks import CarriedClock
from headrace.backends.redis import Opened, open_redis
from tests.redis.given import clock_of
from tests.services.redis import RedisServer, redis_server


@pytest.fixture
def breakable() -> Iterator[RedisServer]:
    """A server of one test."""
    with redis_server() as server:
        yield server


@pytest.fixture
def clock(breakable: RedisServer) -> CarriedClock:
    return clock_of(breakable)


@pytest.fixture
async def one(breakable: RedisServer, clock: CarriedClock) -> AsyncIterator[Opened]:
    async with open_redis(breakable.url(), clock=clock, name="one", patience_s=2) as opened:
        yield opened


@pytest.fixture
async def two(breakable: RedisServer, clock: CarriedClock) -> AsyncIterator[Opened]:
    async with open_redis(breakable.url(), clock=clock, name="two", patience_s=2) as opened:
        yield opened
