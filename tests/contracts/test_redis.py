"""Redis and Valkey keep the promises of the two ports, on servers of our own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import cast

import pytest

from headrace.backends.clocks import CarriedClock
from headrace.backends.memory import open_memory
from headrace.backends.redis import Opened, open_redis
from headrace.ports import Stores
from headrace.ports.waitmap import WaitMap
from headrace.testing.contracts.stores import WaitMapContract, WakeupsContract
from tests.redis.given import clock_of
from tests.services.redis import RedisServer


@pytest.fixture(params=["redis_of_all", "valkey_of_all"], ids=["redis", "valkey"])
def server(request: pytest.FixtureRequest) -> RedisServer:
    return cast("RedisServer", request.getfixturevalue(cast("str", request.param)))


@pytest.fixture
def clock(server: RedisServer) -> CarriedClock:
    return clock_of(server)


@pytest.fixture
async def opened(server: RedisServer, clock: CarriedClock) -> AsyncIterator[Opened]:
    server.do("FLUSHALL")
    async with open_redis(server.url(), clock=clock, name="one", patience_s=5) as opened:
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
