"""Looks at a database from outside, and changes nothing.

Owns: what is asked. Must never know: what is good or bad about an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Final, cast

import asyncpg

from headrace.backends.postgres.database import Settings, fetched, parted
from headrace.backends.postgres.migrations import SCRIPTS, version_of
from headrace.backends.postgres.opening import EXTRA, reached
from headrace.backends.postgres.queries import SQL
from headrace.kernel.model import Instant

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

TRIES: Final = 5
PATIENCE_S: Final = 2.0
CHANNEL: Final = "headrace_doctor"
NO_SUCH: Final = (
    asyncpg.UndefinedObjectError,
    asyncpg.UndefinedFunctionError,
    asyncpg.UndefinedTableError,
    asyncpg.FeatureNotSupportedError,
)
"""What something that only speaks as Postgres says."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A database as it was found. Text that is empty, and None: it does not say."""

    server: str
    way_ms: float
    """How long the quickest of a few answers took."""
    ahead_ms: float
    """How far this machine's clock is ahead of the database's."""
    schema: int
    needed: int
    loses: tuple[str, ...]
    """The settings by which a power cut takes what was acknowledged."""
    is_standby: bool
    may_migrate: bool
    pooler: bool
    hears: bool
    """Whether a NOTIFY arrives."""
    room: int | None
    """How many more connections it takes."""
    wanted: int
    """How many connections a server of ours opens at most."""
    mark: bytes | None
    """The value that was asked for."""


async def examine_postgres(dsn: str, wall: Callable[[], Instant], key: str) -> Examined:
    """Look at the database; `wall` tells what this machine's clock says, `key` is of a value."""
    dsn, settings = parted(dsn, Settings(patience_s=PATIENCE_S))

    async def work(connection: Connection) -> Examined:
        schema = await version_of(connection)
        way_ms, ahead_ms = await _timed(connection, wall)
        marks = await fetched(connection, SQL["select_blob"], (key,)) if schema else []
        text = cast("str", await _asked(connection, "SELECT version()") or "")
        return Examined(
            server=text.partition(" on ")[0].partition(" (")[0],
            way_ms=way_ms,
            ahead_ms=ahead_ms,
            schema=schema or 0,
            needed=len(SCRIPTS),
            loses=await _losing(connection),
            is_standby=bool(await _asked(connection, "SELECT pg_is_in_recovery()")),
            may_migrate=await _asked(connection, SQL["select_right"]) is not False,
            pooler=False,
            hears=await _hears(connection),
            room=cast("int | None", await _asked(connection, SQL["select_room"])),
            wanted=settings.connections + EXTRA,
            mark=cast("bytes", marks[0][0]) if marks else None,
        )

    used, found = await reached(dsn, settings, work)
    return replace(found, pooler=used.pooler)


async def _timed(connection: Connection, wall: Callable[[], Instant]) -> tuple[float, float]:
    """Return the quickest way there and back, and how far our clock is ahead by that answer."""
    found = list[tuple[float, float]]()
    for _ in range(TRIES):
        began, before = perf_counter(), wall()
        told = cast("int", (await fetched(connection, SQL["select_time"], ()))[0][0])
        way_ms = (perf_counter() - began) * 1_000
        found.append((way_ms, before + way_ms / 2 - told / 1_000))
    return min(found)


async def _losing(connection: Connection) -> tuple[str, ...]:
    asked = ("fsync", "full_page_writes", "synchronous_commit")
    told = [(name, await _asked(connection, f"SHOW {name}")) for name in asked]
    return tuple(f"{name} = {value}" for name, value in told if value == "off")


async def _asked(connection: Connection, sql: str) -> object:
    """Return the one value that is asked for; None from who does not know the question."""
    try:
        return (await fetched(connection, sql, ()))[0][0]
    except NO_SUCH:
        return None


async def _hears(connection: Connection) -> bool:
    """Tell whether what is notified arrives at who listens."""
    heard = asyncio.Event()

    def notified(*_: object) -> None:
        heard.set()

    try:
        await connection.add_listener(CHANNEL, notified)
        await fetched(connection, SQL["notify_doctor"], ())
        async with asyncio.timeout(PATIENCE_S):
            await heard.wait()
        await connection.remove_listener(CHANNEL, notified)
    except (TimeoutError, *NO_SUCH):
        return False
    return True
