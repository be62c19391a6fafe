"""Notes about runs, and keys that are let go of, in SQLite."""

from __future__ import annotations

from typing import cast

import msgspec

from headrace.backends.rows import Row
from headrace.backends.rows.orders import caller_key
from headrace.backends.sqlite.queries import SQL
from headrace.backends.sqlite.reader import Reader
from headrace.backends.sqlite.writer import Transaction, Writer
from headrace.kernel.model import EnvId, Instant, RunId, TaskId
from headrace.ports import Conflict, Notes


class _Applied(msgspec.Struct, frozen=True, array_like=True):
    """What makes a change count once."""

    seen: tuple[bytes, ...] = ()
    mark: tuple[int, ...] = ()


_pack = msgspec.msgpack.Encoder().encode
_applied = msgspec.msgpack.Decoder(_Applied).decode
_tags = msgspec.json.Decoder(tuple[str, ...]).decode
_json = msgspec.json.Encoder().encode


class SqliteNotebook:
    """The `Notebook` port."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader, self._writer = reader, writer

    async def read(self, run_id: RunId) -> Notes | None:
        """Return the run's notes, `None` where there is no such run."""
        found = await self._reader.rows(SQL["select_notes"], (run_id,))
        return _notes(found[0]) if found else None

    async def write(self, run_id: RunId, notes: Notes) -> None:
        """Replace the notes; their stored revision is one more than that of `notes`."""
        tags = _json(notes.tags).decode() if notes.tags else None
        applied = _Applied(notes.seen, notes.mark)
        packed = None if applied == _Applied() else _pack(applied)

        def work(transaction: Transaction) -> None:
            db = transaction.db
            if not db.run(SQL["update_notes"], (run_id, notes.revision, tags)):
                raise Conflict
            db.run(SQL["upsert_notes"], (run_id, notes.metadata, packed))

        await self._writer.write(work)


def _notes(row: Row) -> Notes:
    tags, metadata, revision, packed = cast("tuple[str | None, bytes, int, bytes | None]", row)
    applied = _Applied() if packed is None else _applied(packed)
    return Notes(
        tags=() if tags is None else _tags(tags),
        metadata=metadata,
        revision=revision,
        seen=applied.seen,
        mark=applied.mark,
    )


class SqliteTaken:
    """The `Taken` port."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader, self._writer = reader, writer

    async def free(self, env: EnvId, task: TaskId, key: str, now: Instant) -> RunId | None:
        """Free a caller's key; return the run that stood under it, if one did."""
        hashed = caller_key(key)
        asked = (env, task, hashed, now)

        def work(transaction: Transaction) -> RunId | None:
            found = transaction.db.rows(SQL["select_task_taken"], asked)
            if not found:
                return None
            run_id = cast("RunId", found[0][0])
            transaction.db.run(SQL["delete_taken"], (run_id, "caller", hashed))
            return run_id

        return await self._writer.write(work)

    async def purge(self, now: Instant, limit: int) -> int:
        """Forget up to `limit` that have been free since `now` or before; say how many."""

        def work(transaction: Transaction) -> int:
            db = transaction.db
            keys = db.run(SQL["purge_taken"], (now, limit))
            return keys + db.run(SQL["purge_tickets"], (now, limit))

        return await self._writer.write(work)
