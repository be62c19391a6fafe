"""Logs in Postgres, and the change of a run in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from headrace.backends.postgres.database import (
    AGAIN_AT_MOST,
    Connection,
    Database,
    busy,
    fetched,
)
from headrace.backends.postgres.faults import TAKEN
from headrace.backends.postgres.landing import Landing, has_gap, landing
from headrace.backends.postgres.lanes import Lane
from headrace.backends.postgres.lookups import Lookups
from headrace.backends.postgres.names import Names
from headrace.backends.postgres.queries import SQL
from headrace.backends.postgres.sights import ENTRIES, sight_from
from headrace.backends.rows.records import record_from
from headrace.errors import NotFound
from headrace.kernel.commands import Change
from headrace.kernel.model import Record, RunId, StreamId
from headrace.ports import Appended, Backlog, Clash, Draft, Sight

FEW: Final = 8
"""Records that are read along with what others read."""


@dataclass(frozen=True, slots=True)
class Looks:
    """What is looked up so often that it is asked in groups."""

    records: Lookups
    known: Lookups
    ends: Lookups
    sights: Lookups


class PostgresStreams:
    """The ports `Streams`, `Delivering`, `Tallying` and `Sighting`."""

    def __init__(self, database: Database, landings: Lane[Landing], looks: Looks) -> None:
        self._database, self._landings, self._looks = database, landings, looks
        self._names = Names("number_streams")

    async def append(self, draft: Draft) -> Appended:
        """Append at `draft.seq`, or return where its key stands."""
        for _ in range(AGAIN_AT_MOST):
            try:
                return await self._database.call(lambda connection: self._append(connection, draft))
            except TAKEN as error:
                # The key may have come between our look at it and our writing.
                if not (draft.key and await self.known(draft.run_id, draft.stream, draft.key)):
                    raise Clash from error
        raise busy(self._database.place)

    async def _append(self, connection: Connection, draft: Draft) -> Appended:
        await self._names.learn(connection, [(draft.stream,)])
        values = (
            draft.run_id,
            self._names[(draft.stream,)],
            draft.seq,
            draft.body,
            draft.at,
            draft.key or None,
            draft.digest or None,
        )
        found = await fetched(connection, SQL["append_record"], values)
        if not found:
            raise NotFound(f"there is no run {draft.run_id}")
        seq, digest = cast("tuple[int | None, bytes | None]", found[0])
        if seq is None:
            return Appended(draft.seq)
        return Appended(seq, duplicate=True, same=(digest or b"") == draft.digest)

    async def deliver(self, drafts: Sequence[Draft], change: Change) -> None:
        """Append every draft at its number and apply `change`, whole or not at all."""
        if has_gap(drafts):
            raise Clash
        await self._landings.write(landing(change, drafts))

    async def read(
        self, run_id: RunId, stream: StreamId, start: int, limit: int
    ) -> Sequence[Record]:
        """Return up to `limit` records from number `start` on."""
        values, is_long = (run_id, stream, start, limit), limit > FEW
        found = await self._looks.records.rows(*values, is_long=is_long)
        return [record_from(row) for row in found]

    async def known(self, run_id: RunId, stream: StreamId, key: bytes) -> Record | None:
        """Return the record that was appended under `key`, without its body."""
        found = await self._looks.known.rows(run_id, stream, key)
        return record_from(found[0]) if found else None

    async def backlog(self, run_id: RunId, stream: StreamId, start: int) -> Backlog:
        """Weigh what stands from number `start` on."""
        found = await self._database.rows(SQL["select_ends"], (run_id, stream, start))
        if not found:
            return Backlog()
        tail, total, before = cast("tuple[int, int, int]", found[0])
        if start >= tail:
            return Backlog(tail)
        return Backlog(tail, tail - start, total - before)

    async def ends(self, run_id: RunId) -> Mapping[StreamId, Backlog]:
        """Weigh the whole of each stream of the run that holds a record."""
        found = await self._looks.ends.rows(run_id)
        rows = cast("list[tuple[StreamId, int, int]]", found)
        return {stream: Backlog(tail, tail, total) for stream, tail, total in rows}

    async def sight(self, run_id: RunId, start: int | None = None) -> Sight | None:
        """Return the run, its entries from number `start` on, and where its streams end."""
        found = await self._looks.sights.rows(run_id, start, ENTRIES + 1)
        return sight_from(found[0], start) if found else None

    async def tally(self, run_ids: Sequence[RunId]) -> Mapping[RunId, int]:
        """Count the records of all input streams of each run."""
        found = await self._database.rows(SQL["select_tallies"], (list(run_ids),))
        return dict(cast("list[tuple[RunId, int]]", found))
