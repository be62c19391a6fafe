"""Notes about runs, and keys that are let go of, in Postgres."""

from __future__ import annotations

from typing import cast

import msgspec

from headrace.backends.postgres.database import Connection, Database, fetched
from headrace.backends.postgres.lookups import Lookups
from headrace.backends.postgres.queries import SQL
from headrace.backends.rows import Row
from headrace.backends.rows.orders import caller_key, tags_from
from headrace.kernel.model import EnvId, Instant, RunId, TaskId
from headrace.ports import Conflict, Notes


class _Applied(msgspec.Struct, frozen=True, array_like=True):
    """What makes a change count once."""

    seen: tuple[bytes, ...] = ()
    mark: tuple[int, ...] = ()


_pack = msgspec.msgpack.Encoder().encode
_applied = msgspec.msgpack.Decoder(_Applied).decode
_json = msgspec.json.Encoder().encode


class PostgresNotebook:
    """The `Notebook` port."""

    def __init__(self, database: Database, notes: Lookups) -> None:
        self._database, self._notes = database, notes

    async def read(self, run_id: RunId) -> Notes | None:
        """Return the run's notes, `None` where there is no such run."""
        found = await self._notes.rows(run_id)
        return _notes(found[0]) if found else None

    async def write(self, run_id: RunId, notes: Notes) -> None:
        """Replace the notes; their stored revision is one more than that of `notes`."""
        tags = _json(notes.tags).decode() if notes.tags else None
        applied = _Applied(notes.seen, notes.mark)
        packed = None if applied == _Applied() else _pack(applied)

        async def work(connection: Connection) -> None:
            place = (run_id, notes.revision)
            found = await fetched(connection, SQL["select_tags_of_run"], place)
            if not found:
                raise Conflict
            await fetched(connection, SQL["update_notes"], (*place, tags, notes.metadata, packed))
            await retag(connection, found[0], set(notes.tags))

        await self._database.transact(work)


async def retag(connection: Connection, row: Row, tags: set[str]) -> None:
    """Write which tags a run (its number, its creation, its tags before) has now."""
    number, created, column = cast("tuple[int, int, str | None]", row)
    had = set(tags_from(column)) if column is not None else set[str]()
    for query, some in (("delete_tagged", had - tags), ("insert_tagged", tags - had)):
        if some:
            await fetched(connection, SQL[query], (number, created, sorted(some)))


def _notes(row: Row) -> Notes:
    tags, metadata, revision, packed = cast("tuple[str | None, bytes, int, bytes | None]", row)
    applied = _Applied() if packed is None else _applied(packed)
    return Notes(
        tags=() if tags is None else tuple(tags_from(tags)),
        metadata=metadata,
        revision=revision,
        seen=applied.seen,
        mark=applied.mark,
    )


class PostgresTaken:
    """The `Taken` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def free(self, env: EnvId, task: TaskId, key: str, now: Instant) -> RunId | None:
        """Free a caller's key; return the run that stood under it, if one did."""
        found = await self._database.run(SQL["free_taken"], (env, task, caller_key(key), now))
        return cast("RunId", found[0][0]) if found else None

    async def purge(self, now: Instant, limit: int) -> int:
        """Forget up to `limit` that have been free since `now` or before; say how many."""
        keys = await self._database.run(SQL["purge_taken"], (now, limit))
        return len(keys) + len(await self._database.run(SQL["purge_tickets"], (now, limit)))
