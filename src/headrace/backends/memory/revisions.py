"""How far runs have come, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headrace.backends.memory.tables import Tables
from headrace.kernel.model import RunId, is_inward
from headrace.ports import Notes, Revision, Tagged


class MemoryRevisions:
    """The `Revisions` port."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def of(self, run_ids: Sequence[RunId]) -> Mapping[RunId, Revision]:
        """Return the revisions of those that there are."""
        return {run_id: self._revision(run_id) for run_id in run_ids if run_id in self._tables.runs}

    async def tagged(self, query: Tagged, limit: int) -> Sequence[Revision]:
        """Return the revisions of up to `limit` runs, the newest first."""
        tables = self._tables
        found = [
            run
            for run in reversed(tables.runs.values())
            if run.env == query.env and run.created >= query.since
            if set(query.tags) <= set(tables.orders[run.id].tags)
        ]
        found.sort(key=lambda run: -run.created)  # stable: equal ones stay in their order
        return [self._revision(run.id) for run in found[:limit]]

    async def tags(self, run_ids: Sequence[RunId]) -> Mapping[RunId, Sequence[str]]:
        """Return the tags of those that have any."""
        orders = self._tables.orders
        found = {run_id: orders[run_id].tags for run_id in run_ids if run_id in orders}
        return {run_id: tags for run_id, tags in found.items() if tags}

    def _revision(self, run_id: RunId) -> Revision:
        tables = self._tables
        logs = tables.records.get(run_id, {})
        written = sum(1 for stream, log in logs.items() if log and not is_inward(stream))
        noted = tables.notes.get(run_id, Notes()).revision
        return Revision(run_id, tables.runs[run_id].version, noted + written)
