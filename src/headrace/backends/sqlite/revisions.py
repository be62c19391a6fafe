"""How far runs have come, in SQLite."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final, cast

from headrace.backends.rows.orders import tags_from
from headrace.backends.sqlite.queries import SQL
from headrace.backends.sqlite.reader import Reader
from headrace.kernel.model import RunId
from headrace.ports import Revision, Tagged

FEW: Final = 8
"""Runs; asking for more would hold up the event loop."""


class SqliteRevisions:
    """The `Revisions` port."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def of(self, run_ids: Sequence[RunId]) -> Mapping[RunId, Revision]:
        """Return the revisions of those that there are."""
        read = self._reader.rows if len(run_ids) <= FEW else self._reader.search
        rows = await read(SQL["select_revisions"], (json.dumps(run_ids),))
        return {found.run_id: found for found in map(_revision, rows)}

    async def tagged(self, query: Tagged, limit: int) -> Sequence[Revision]:
        """Return the revisions of up to `limit` runs, the newest first."""
        first, *rest = query.tags or ("",)
        values = (query.env, first, query.since, json.dumps(rest), limit)
        return [_revision(row) for row in await self._reader.search(SQL["find_tagged"], values)]

    async def tags(self, run_ids: Sequence[RunId]) -> Mapping[RunId, Sequence[str]]:
        """Return the tags of those that have any."""
        read = self._reader.rows if len(run_ids) <= FEW else self._reader.search
        rows = await read(SQL["select_tags"], (json.dumps(run_ids),))
        found = cast("list[tuple[RunId, str]]", rows)
        return {run_id: tags_from(tags) for run_id, tags in found}


def _revision(row: Sequence[object]) -> Revision:
    return Revision(*cast("tuple[RunId, int, int]", row))
