"""What tests of Redis begin with."""

from __future__ import annotations

import asyncio
from typing import cast

import anyio.lowlevel

from headrace.backends.clocks import CarriedClock
from headrace.kernel.model import Instant, RunId, StreamId
from headrace.ports.waitmap import Live, On, WaitMap
from tests.services.redis import RedisServer

RUN = RunId("run-1")
A = StreamId("<a")
PATIENCE_S = 8


def clock_of(server: RedisServer) -> CarriedClock:
    """Return a store's clock that agrees with that of the server."""
    seconds, micros = cast("tuple[int, int]", server.do("TIME"))
    return CarriedClock(Instant(seconds * 1_000 + micros // 1_000))


async def answered(waitmap: WaitMap, where: Live | On | None) -> None:
    """Ask again and again until that is the answer."""
    async with asyncio.timeout(PATIENCE_S):
        while await waitmap.where(RUN) != where:
            await anyio.lowlevel.checkpoint()
