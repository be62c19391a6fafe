"""A connection beside the store: what is really there, and who stands in whose way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg

Raw: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@asynccontextmanager
async def raw(dsn: str) -> AsyncGenerator[Raw]:
    """Open one."""
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Return as soon as it is so."""
    async with asyncio.timeout(10):
        while not await is_so():  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0)


async def waiting(connection: Raw, count: int, is_done: Callable[[], bool] = lambda: False) -> None:
    """Return once so many connections wait for a lock, or it is done anyway."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"

    async def is_so() -> bool:
        return is_done() or bool(await connection.fetchval(sql) >= count)

    await until(is_so)
