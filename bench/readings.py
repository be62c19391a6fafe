"""What is read from a server's database while it runs, or once it does not.

Must never know: what for.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import anyio.to_thread

from bench.house import House
from headrace.backends.sqlite.database import Database, Settings

SIZE: Final = (
    "SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = 'headrace'::regnamespace"
)


async def asked(house: House, question: str) -> int:
    """Ask the house's database for one number."""
    if house.corner.database:
        return await shared(house.corner.database, question)
    return await anyio.to_thread.run_sync(counted, house.database, question)


async def weighed(house: House) -> int:
    """Return the size of the house's tables; of a file's, that of the file."""
    if house.corner.database:
        return await shared(house.corner.database, SIZE)
    return await anyio.to_thread.run_sync(size, house.database)


async def shared(dsn: str, question: str) -> int:
    """Ask a database that others use as well for one number."""
    import asyncpg  # noqa: PLC0415 - see places

    connection = await asyncpg.connect(dsn, server_settings={"search_path": "headrace"})
    try:
        return int(await connection.fetchval(question))
    finally:
        await connection.close()


def counted(database: Path, question: str) -> int:
    """Ask for one number, by a connection of its own."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        return int(db.execute(question).fetchone()[0])


def size(database: Path) -> int:
    """Return the size of the file once the log has been copied into it."""
    db = Database(database, Settings(), cache_kib=16_384)
    db.script("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    beside = Path(f"{database}-wal")
    return database.stat().st_size + (beside.stat().st_size if beside.exists() else 0)
