"""Where a server keeps what, as the settings say: the database, beside it Redis and S2.

Owns: which backend plays which port. Must never know: engine, HTTP.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import structlog

from headrace.app.home import Home
from headrace.app.settings import Settings, database_path, is_shared
from headrace.app.system import SystemChance
from headrace.backends.s2 import open_s2, place_of
from headrace.backends.sqlite import demand_present, open_sqlite
from headrace.ports import Stores

NAME_BYTES = 8
_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.app")


@dataclass(frozen=True, slots=True)
class Kept:
    """The stores of a server, and where they are: no secret in it."""

    stores: Stores
    database: str
    redis: str = ""
    streams: str = ""
    """Where the streams are, if that is not the database."""


@asynccontextmanager
async def keeping(setting: Settings, home: Home) -> AsyncGenerator[Kept]:
    """Open what the settings name."""
    async with AsyncExitStack() as stack:
        kept = await stack.enter_async_context(database(setting, home))
        if setting.redis:
            kept = await _redis(stack, setting, kept)
        if setting.streams:
            place = place_of(setting.streams, setting.s2_token)
            beside = open_s2(setting.streams, kept.stores, SystemChance(), token=setting.s2_token)
            stores = await stack.enter_async_context(beside)
            kept = replace(kept, stores=stores, streams=str(place))
        yield kept


@asynccontextmanager
async def database(setting: Settings, home: Home) -> AsyncGenerator[Kept]:
    """Open the database alone."""
    if is_shared(setting.database):
        # Loaded only here: who keeps a file need not have the driver.
        from headrace.backends.postgres import open_postgres, shown  # noqa: PLC0415

        async with open_postgres(setting.database, migrating=setting.migrates) as stores:
            yield Kept(stores, shown(setting.database))
        return
    path = database_path(setting.database, home.path)
    if not setting.migrates:
        await demand_present(path)
    async with open_sqlite(path) as stores:
        yield Kept(stores, str(path))


async def _redis(stack: AsyncExitStack, setting: Settings, kept: Kept) -> Kept:
    from headrace.backends.redis import open_redis  # noqa: PLC0415 - see database

    name = f"server-{SystemChance().unique(NAME_BYTES).hex()}"
    opened = open_redis(setting.redis, clock=kept.stores.clock, name=name)
    redis = await stack.enter_async_context(opened)
    for caution in redis.cautions:
        _log.warning(caution)
    stores = replace(kept.stores, wakeups=redis.wakeups, waitmap=redis.waitmap)
    return replace(kept, stores=stores, redis=redis.place)
