"""Servers that a test may break, and what is opened on them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import cast

import pytest

from headrace.backends.clocks import CarriedClock
from headrace.backends.redis import Opened, open_redis
from tests.redis.given import clock_of
from tests.services.redis import Product, RedisServer, redis_server


@pytest.fixture(params=Product, ids=lambda product: product.value)
def breakable(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A server of one test."""
    product = cast("Product", request.param)
    if not product.is_here:
        pytest.skip(f"{product.value} has no package for this kind of machine")
    with redis_server(product=product) as server:
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
