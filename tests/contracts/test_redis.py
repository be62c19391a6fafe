"""Redis keeps the promises of its two ports, on a server of our own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from headrace.backends.clocks import CarriedClock
from headrace.backends.memory import open_memory
from headrace.backends.redis import Opened, open_redis
from headrace.ports import Stores
from headrace.ports.waitmap import WaitMap
from headrace.testing.contracts.stores import WaitMapContract, WakeupsContract
from tests.redis.given import clock_of
from tests.services.redis import RedisServer


@pytest.fixture
def clock(redis_of_all: RedisServer) -> CarriedClock:
    return clock_of(redis_of_all)


@pytest.fixture
async def opened(redis_of_all: RedisServer, clock: CarriedClock) -> AsyncIterator[Opened]:
    redis_of_all.do("FLUSHALL")
    async with open_redis(redis_of_all.url(), clock=clock, name="one", patience_s=5) as opened:
        yield opened


@pytest.fixture
async def stores(opened: Opened) -> AsyncIterator[Stores]:
    async with open_memory() as stores:
        yield replace(stores, wakeups=opened.wakeups)


@pytest.fixture
def waitmap(opened: Opened) -> WaitMap:
    return opened.waitmap


class TestWakeups(WakeupsContract): ...


class TestWaitMap(WaitMapContract): ...
