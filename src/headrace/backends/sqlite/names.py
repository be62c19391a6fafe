"""Small numbers for what many rows share: tasks, names of streams, versions of code, footings.

Owns: which numbers are known for sure. Must never know: rows of runs.
"""

from __future__ import annotations

from typing import cast

from headrace.backends.sqlite.database import Database
from headrace.backends.sqlite.queries import SQL
from headrace.kernel.model import EnvId, StreamId, TaskId

KNOWN_AT_MOST = 10_000


class Names:
    """The numbers that are on disk, and those of the transaction under way."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, tuple[str, ...]], int] = {}
        self._new: dict[tuple[str, tuple[str, ...]], int] = {}

    def task(self, db: Database, env: EnvId, task: TaskId) -> int:
        """Return the number of a task, given to it now if it has none."""
        return self._number(db, "task", (env, task))

    def stream(self, db: Database, name: StreamId) -> int:
        """Return the number of a stream's name, given to it now if it has none."""
        return self._number(db, "stream", (name,))

    def code(self, db: Database, version: str) -> int | None:
        """Return the number of a version, given to it now if it has none; "" is no version."""
        return self._number(db, "code", (version,)) if version else None

    def footing(self, db: Database, text: str) -> int | None:
        """Return the number of a footing, given to it now if it has none; "" is none."""
        return self._number(db, "footing", (text,)) if text else None

    def _number(self, db: Database, table: str, name: tuple[str, ...]) -> int:
        number = self._known.get((table, name)) or self._new.get((table, name))
        if number is None:
            found = db.rows(SQL[f"select_{table}_number"], name)
            found = found or db.rows(SQL[f"insert_{table}"], name)
            # Until the commit it may still be undone, and given to another name.
            self._new[table, name] = number = cast("int", found[0][0])
        return number

    def landed(self) -> None:
        """Keep what the transaction has found or given."""
        if self._new:
            if len(self._known) > KNOWN_AT_MOST:
                self._known.clear()
            self._known |= self._new
            self._new.clear()

    def undone(self) -> None:
        """Forget what the transaction has found or given."""
        self._new.clear()
