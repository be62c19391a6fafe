"""What lies below every place: a commit of one row, and an append of one record.

Owns: those, by the same drivers as Headrace uses them, with nothing around. Must never know: any
workload.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, cast

from bench.places import Corner
from headrace.backends.sqlite.database import Database, Settings

BODY: Final = b'{"data":{"sent":1234567890123456,"last":false}}'
INSERT: Final = "INSERT INTO row (body) VALUES (?)"
INSERT_SHARED: Final = "INSERT INTO floor (body) VALUES ($1)"
WARM_UP: Final = 300
Act = Callable[[], Awaitable[None]]


class _Driver(Protocol):
    """What is used of the driver, which says nothing of its types here."""

    @abstractmethod
    async def execute(self, query: str, *values: object) -> object: ...
    @abstractmethod
    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Bottom:
    """A commit, and where streams are apart from the database an append."""

    on: str
    commit: Act
    append: Act | None = None


@asynccontextmanager
async def dug(folder: Path, corner: Corner) -> AsyncGenerator[Bottom]:
    """Have what lies below a corner."""
    async with AsyncExitStack() as stack:
        if corner.database:
            commit = await stack.enter_async_context(_shared(corner.database))
        else:
            commit = await stack.enter_async_context(_file(folder / "floor.db"))
        append = None
        if corner.streams:
            append = await stack.enter_async_context(_stream(corner.streams))
        for _ in range(WARM_UP):  # into logs that need not grow any more
            await commit()
        yield Bottom(corner.on, commit, append)


@asynccontextmanager
async def _file(path: Path) -> AsyncGenerator[Act]:
    db = Database(path, Settings(), cache_kib=16_384)
    try:
        db.script("PRAGMA journal_mode = WAL")
        db.run("CREATE TABLE row (no INTEGER PRIMARY KEY, body BLOB)")
        for _ in range(WARM_UP):
            db.run(INSERT, (BODY,))
        db.checkpoint()

        async def commit() -> None:
            db.run(INSERT, (BODY,))

        yield commit
    finally:
        db.close()


@asynccontextmanager
async def _shared(dsn: str) -> AsyncGenerator[Act]:
    import asyncpg  # noqa: PLC0415 - see places

    driver = cast("_Driver", await asyncpg.connect(dsn))
    try:
        await driver.execute(
            "CREATE TABLE floor (no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea)"
        )

        async def commit() -> None:
            await driver.execute(INSERT_SHARED, BODY)

        yield commit
    finally:
        await driver.close()


@asynccontextmanager
async def _stream(url: str) -> AsyncGenerator[Act]:
    from headrace.backends.s2 import sdk  # noqa: PLC0415 - see places
    from headrace.backends.s2.place import Patience, place_of  # noqa: PLC0415

    place = place_of(url)
    client = sdk.client_of(place, Patience())
    try:
        stream = client.basin(place.basin).stream(f"{place.prefix}floor")
        record = sdk.AppendInput(records=[sdk.Record(body=BODY)])

        async def append() -> None:
            # As Headrace does: the second part of the answer waits for this.
            asyncio.get_running_loop().call_soon(sdk.acknowledge_at_once, client)
            await stream.append(record)

        await append()
        yield append
    finally:
        await client.close()
