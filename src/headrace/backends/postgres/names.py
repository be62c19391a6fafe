"""Small numbers for what many rows share: tasks, names of streams, versions of code, footings.

Owns: which numbers are known. They are given before whatever needs them is written, and stay.
Must never know: rows of runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import cast

from headrace.backends.postgres.database import Connection, fetched
from headrace.backends.postgres.queries import SQL

KNOWN_AT_MOST = 10_000


class Names:
    """The numbers of one kind of things, by their names; a name has one or more parts."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._known: dict[tuple[str, ...], int] = {}

    def __getitem__(self, name: tuple[str, ...]) -> int:
        """Return the number of what was learned."""
        return self._known[name]

    async def learn(self, connection: Connection, names: Iterable[tuple[str, ...]]) -> None:
        """Know the numbers of all of these; those that have none get one."""
        wanted = set(names)
        if len(self._known) > KNOWN_AT_MOST:
            self._known.clear()
        while missing := sorted(wanted - self._known.keys()):
            # In one order, whoever adds them: nobody waits for each other.
            columns = [list(column) for column in zip(*self._asked(missing), strict=True)]
            for *name, number in await fetched(connection, SQL[self._query], columns):
                self._known[tuple(cast("list[str]", name))] = cast("int", number)

    def _asked(self, names: list[tuple[str, ...]]) -> Iterable[tuple[str | bytes, ...]]:
        return names


class Footings(Names):
    """Their texts are long: they are found by a hash."""

    def _asked(self, names: list[tuple[str, ...]]) -> Iterable[tuple[str | bytes, ...]]:
        return [(blake2b(text.encode(), digest_size=32).digest(), text) for (text,) in names]
