"""The past of the schema: `NNNN_what.sql`, applied once each, in order, while servers write.

Owns: which migrations a database lacks, and who applies them. Must never know: rows.
`schema.sql` is what they make together.

Rule 1: each is a transaction of its own, behind the lock of one row: of two servers one applies it.
Rule 2: code that knows an older schema goes on with the newer one: a migration only adds, and what
        it adds has a default. Columns are always named, never `*`.
Rule 3: nobody waits behind us for long: who needs a table for itself gives up, and tries again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import anyio
import asyncpg

from headrace.backends.postgres.database import Connection, fetched
from headrace.backends.postgres.queries import SQL
from headrace.backends.statements import Told, load_numbered, nobody
from headrace.errors import Mistake, Unavailable

LOCK_MS: Final = 500
TRIES: Final = 60
_AT_ONCE: Final = (
    asyncpg.DuplicateSchemaError,
    asyncpg.DuplicateTableError,
    asyncpg.DuplicateObjectError,  # a table's type may be there before the table
    asyncpg.UniqueViolationError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.InternalServerError,
)
"""Another server does the same, or a table is in use."""


SCRIPTS: Final = tuple(load_numbered(__package__ or ""))
"""The n-th leads to version n."""


async def version_of(connection: Connection) -> int | None:
    """Return how many migrations have been applied; None: it is no database of ours yet."""
    try:
        rows = await fetched(connection, SQL["select_ledger"], ())
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return None
    version, least = cast("tuple[int, int]", rows[0]) if rows else (0, 0)
    if least > len(SCRIPTS):
        raise Mistake(
            f"the database was made by a newer headrace"
            f" (its schema is {version}, this headrace knows {len(SCRIPTS)})",
            hint="Upgrade headrace; nothing in the database was changed.",
        )
    return version


async def migrate(
    connection: Connection, scripts: Sequence[str] = SCRIPTS, told: Told = nobody
) -> int:
    """Bring the database up to the present; others may use it, or do the same.

    Return the version that it had; `told` hears which one it has come to, and how many there are.
    """
    before = await version_of(connection) or 0
    if before >= len(scripts):
        return before
    for name in ("make_schema", "make_ledger", "insert_ledger"):
        await _patiently(connection, SQL[name])
    for number, script in enumerate(scripts, 1):
        await _patiently(connection, script, number)
        if number > before:
            told(number, len(scripts))
    return before


async def _patiently(connection: Connection, script: str, number: int = 0) -> None:
    for tried in range(TRIES):
        try:
            async with connection.transaction(isolation="read_committed"):
                await connection.execute(f"SET LOCAL lock_timeout = {LOCK_MS}")
                if number:
                    await _apply(connection, script, number)
                else:
                    await connection.execute(script)
        except _AT_ONCE:
            await anyio.sleep(min(0.01 * 2**tried, 1.0))
        else:
            return
    hint = "Look for transactions that never end in pg_stat_activity, then try again."
    raise Unavailable("the database's schema cannot be changed: its tables are in use", hint=hint)


async def _apply(connection: Connection, script: str, number: int) -> None:
    if cast("int", (await fetched(connection, SQL["lock_ledger"], ()))[0][0]) < number:
        await connection.execute(script)
        await fetched(connection, SQL["update_ledger"], (number,))
