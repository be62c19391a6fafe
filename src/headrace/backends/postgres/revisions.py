"""How far runs have come, in Postgres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from headrace.backends.postgres.database import Database
from headrace.backends.postgres.queries import SQL
from headrace.backends.rows.orders import tags_from
from headrace.kernel.model import RunId
from headrace.ports import Revision, Tagged


class PostgresRevisions:
    """The `Revisions` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, run_ids: Sequence[RunId]) -> Mapping[RunId, Revision]:
        """Return the revisions of those that there are."""
        rows = await self._database.rows(SQL["select_revisions"], (run_ids,))
        return {found.run_id: found for found in map(_revision, rows)}

    async def tagged(self, query: Tagged, limit: int) -> Sequence[Revision]:
        """Return the revisions of up to `limit` runs, the newest first."""
        first, *rest = query.tags or ("",)
        values = (query.env, first, query.since, rest, limit)
        return [_revision(row) for row in await self._database.rows(SQL["find_tagged"], values)]

    async def tags(self, run_ids: Sequence[RunId]) -> Mapping[RunId, Sequence[str]]:
        """Return the tags of those that have any."""
        rows = await self._database.rows(SQL["select_tags"], (run_ids,))
        found = cast("list[tuple[RunId, str]]", rows)
        return {run_id: tags_from(tags) for run_id, tags in found}


def _revision(row: Sequence[object]) -> Revision:
    return Revision(*cast("tuple[RunId, int, int]", row))
