"""Reads beside the writer: each is one statement, and sees everything that was committed.

Rule: whoever commits finds its own pages in its cache; another connection has to drop what it knows
and fetch them again. So what is quick is asked of the writer's connection whenever it is at rest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from time import perf_counter

import anyio
import anyio.to_thread

from headrace.backends.rows import Row
from headrace.backends.sqlite.database import BUSY, TROUBLE, Database, unavailable


class Reader:
    """Two connections: one for quick look-ups in the event loop, one for searches in a thread.

    `at_rest` gives the writer's connection while no transaction is open on it.
    """

    def __init__(self, quick: Database, patient: Database, patience_s: float) -> None:
        self._quick, self._patient, self._patience_s = quick, patient, patience_s
        self._one_search = anyio.CapacityLimiter(1)
        self._searching = threading.Lock()
        self.at_rest: Callable[[], Database | None] = lambda: None

    async def rows(self, sql: str, values: Sequence[object]) -> list[Row]:
        """Look something up by an index."""
        end = perf_counter() + self._patience_s
        while True:
            try:
                return (self.at_rest() or self._quick).rows(sql, values)
            except BUSY as error:  # another process repairs the log after a crash
                if perf_counter() > end:
                    raise unavailable(error, self._quick.path) from error
            except TROUBLE as error:
                raise unavailable(error, self._quick.path) from error
            await anyio.sleep(0.005)

    async def search(self, sql: str, values: Sequence[object]) -> list[Row]:
        """Look through many rows without holding up the event loop."""
        try:
            return await anyio.to_thread.run_sync(
                self._searched, sql, values, limiter=self._one_search
            )
        except TROUBLE as error:
            raise unavailable(error, self._patient.path) from error

    def _searched(self, sql: str, values: Sequence[object]) -> list[Row]:
        with self._searching:
            return self._patient.rows(sql, values)

    def close(self) -> None:
        """Give the file back, once a search has ended that nobody waits for any more."""
        with self._searching:
            self._patient.close()
        self._quick.close()
