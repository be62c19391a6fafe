"""Logs in memory, and the change of a run in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headrace.backends.memory.runs import apply
from headrace.backends.memory.tables import Tables
from headrace.kernel.commands import Change
from headrace.kernel.model import Record, RunId, StreamId, is_inward
from headrace.ports import Appended, Backlog, Clash, Draft


class MemoryStreams:
    """The ports `Streams`, `Delivering` and `Tallying`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def append(self, draft: Draft) -> Appended:
        """Append at `draft.seq`, or return where its key stands."""
        log = self._tables.log(draft.run_id, draft.stream)
        repeated = _under(log, draft.key)
        if repeated is not None:
            return Appended(repeated.seq, duplicate=True, same=repeated.digest == draft.digest)
        self._add(draft)
        return Appended(draft.seq)

    def _add(self, draft: Draft) -> None:
        log = self._tables.log(draft.run_id, draft.stream)
        if draft.seq != len(log) or _under(log, draft.key) is not None:
            raise Clash
        log.append(Record(draft.seq, draft.body, draft.at, draft.key, draft.digest))

    async def deliver(self, drafts: Sequence[Draft], change: Change) -> None:
        """Append every draft at its number and apply `change`, whole or not at all."""
        added: list[list[Record]] = []
        try:
            for draft in drafts:
                self._add(draft)
                added.append(self._tables.log(draft.run_id, draft.stream))
            apply(self._tables, change)
        except BaseException:
            for log in added:
                log.pop()
            raise

    async def read(
        self, run_id: RunId, stream: StreamId, start: int, limit: int
    ) -> Sequence[Record]:
        """Return up to `limit` records from number `start` on."""
        return self._log(run_id, stream)[start : start + limit]

    async def known(self, run_id: RunId, stream: StreamId, key: bytes) -> Record | None:
        """Return the record that was appended under `key`."""
        return _under(self._log(run_id, stream), key)

    async def backlog(self, run_id: RunId, stream: StreamId, start: int) -> Backlog:
        """Weigh what stands from number `start` on."""
        log = self._log(run_id, stream)
        rest = log[start:]
        return Backlog(len(log), len(rest), sum(len(record.body) for record in rest))

    async def ends(self, run_id: RunId) -> Mapping[StreamId, Backlog]:
        """Weigh the whole of each stream of the run that holds a record."""
        logs = self._tables.records.get(run_id, {})
        return {
            stream: await self.backlog(run_id, stream, 0) for stream, log in logs.items() if log
        }

    async def tally(self, run_ids: Sequence[RunId]) -> Mapping[RunId, int]:
        """Count the records of all input streams of each run."""
        found = {
            run_id: sum(
                len(log)
                for stream, log in self._tables.records.get(run_id, {}).items()
                if is_inward(stream)
            )
            for run_id in run_ids
        }
        return {run_id: count for run_id, count in found.items() if count}

    def _log(self, run_id: RunId, stream: StreamId) -> Sequence[Record]:
        return self._tables.records.get(run_id, {}).get(stream, [])


def _under(log: Sequence[Record], key: bytes) -> Record | None:
    if not key:
        return None
    return next((record for record in log if record.key == key), None)
