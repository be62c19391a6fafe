"""Logs in SQLite, and the change of a run in the same transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

import apsw

from headrace.backends.rows.records import record_from
from headrace.backends.sqlite.database import is_taken
from headrace.backends.sqlite.queries import SQL
from headrace.backends.sqlite.reader import Reader
from headrace.backends.sqlite.revisions import FEW
from headrace.backends.sqlite.runs import apply
from headrace.backends.sqlite.writer import Transaction, Writer
from headrace.errors import NotFound
from headrace.kernel.commands import Change
from headrace.kernel.model import Record, RunId, StreamId
from headrace.ports import Appended, Backlog, Clash, Draft


class SqliteStreams:
    """The ports `Streams`, `Delivering` and `Tallying`."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader, self._writer = reader, writer

    async def append(self, draft: Draft) -> Appended:
        """Append at `draft.seq`, or return where its key stands."""
        return await self._writer.write(lambda transaction: _append(transaction, draft))

    async def deliver(self, drafts: Sequence[Draft], change: Change) -> None:
        """Append every draft at its number and apply `change`, whole or not at all."""

        def work(transaction: Transaction) -> None:
            own = apply(transaction, change)  # it knows whose records most of them are
            for draft in drafts:
                same = draft.run_id == change.before.id
                _insert(transaction, own if same else _run_number(transaction, draft), draft)

        await self._writer.write(work)

    async def read(
        self, run_id: RunId, stream: StreamId, start: int, limit: int
    ) -> Sequence[Record]:
        """Return up to `limit` records from number `start` on."""
        found = await self._reader.rows(SQL["select_records"], (run_id, stream, start, limit))
        return [record_from(row) for row in found]

    async def known(self, run_id: RunId, stream: StreamId, key: bytes) -> Record | None:
        """Return the record that was appended under `key`, without its body."""
        found = await self._reader.rows(SQL["select_known"], (run_id, stream, key))
        return record_from(found[0]) if found else None

    async def backlog(self, run_id: RunId, stream: StreamId, start: int) -> Backlog:
        """Weigh what stands from number `start` on."""
        found = await self._reader.rows(SQL["select_ends"], (run_id, stream, start))
        tail, total, before = cast("tuple[int, int, int]", found[0])
        if start >= tail:
            return Backlog(tail)
        return Backlog(tail, tail - start, total - before)

    async def ends(self, run_id: RunId) -> Mapping[StreamId, Backlog]:
        """Weigh the whole of each stream of the run that holds a record."""
        found = await self._reader.rows(SQL["select_all_ends"], (run_id,))
        rows = cast("list[tuple[StreamId, int, int]]", found)
        return {stream: Backlog(tail, tail, total) for stream, tail, total in rows}

    async def tally(self, run_ids: Sequence[RunId]) -> Mapping[RunId, int]:
        """Count the records of all input streams of each run."""
        read = self._reader.rows if len(run_ids) <= FEW else self._reader.search
        found = await read(SQL["select_tallies"], (json.dumps(run_ids),))
        return dict(cast("list[tuple[RunId, int]]", found))


def _run_number(transaction: Transaction, draft: Draft) -> int:
    found = transaction.db.rows(SQL["select_run_number"], (draft.run_id,))
    if not found:
        raise NotFound(f"there is no run {draft.run_id}")
    return cast("int", found[0][0])


def _append(transaction: Transaction, draft: Draft) -> Appended:
    run = _run_number(transaction, draft)
    if draft.key:
        stream = transaction.names.stream(transaction.db, draft.stream)
        found = transaction.db.rows(SQL["select_repeat"], (run, stream, draft.key))
        if found:
            seq, digest = cast("tuple[int, bytes | None]", found[0])
            return Appended(seq, duplicate=True, same=(digest or b"") == draft.digest)
    _insert(transaction, run, draft)
    return Appended(draft.seq)


def _insert(transaction: Transaction, run: int, draft: Draft) -> None:
    stream = transaction.names.stream(transaction.db, draft.stream)
    values = (
        run,
        stream,
        draft.seq,
        draft.body,
        draft.at,
        draft.key or None,
        draft.digest or None,
    )
    try:
        added = transaction.db.run(SQL["insert_record"], values)
    except apsw.ConstraintError as error:
        if is_taken(error):
            raise Clash from error
        raise
    if not added:
        raise Clash
