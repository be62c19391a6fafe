"""Somebody who looks at the database while everybody is killed, and notes which runs are saved.

What it sees is on disk then: whatever begins later must begin there, or after it.
Must never know: what is right.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.history import events as e

EVERY_S: Final = 0.05
SAVED: Final = "SELECT id, saved FROM run WHERE saved IS NOT NULL"


class Watch:
    """Looks, as long as the block lasts, and writes to a file of its own."""

    def __init__(self, database: Path, path: Path) -> None:
        self._database, self._path = database, path
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        known = dict[str, int]()
        with e.Pen(self._path, sync=False) as pen:
            while not self._is_over.wait(EVERY_S):
                for run, seen in self._saved():
                    if known.get(run) != seen:
                        known[run] = seen
                        pen.write(e.Saved(at=e.instant(), run=run, seen=seen))

    def _saved(self) -> list[tuple[str, int]]:
        """Read by a connection of its own, lest the next server find the file in use."""
        try:
            with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as db:
                return db.execute(SAVED).fetchall()
        except sqlite3.OperationalError:
            return []  # it is being opened; there will be another look
