"""Who reads the streams of runs: wakes each when there may be more.

Owns: the one loop that looks for records that hints have missed (law 9): whoever reads costs an
event here, however long he stays. Must never know: who reads, and how far.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Final

from headrace.engine.bells import RECHECK_S, Bells
from headrace.engine.rounds import Pace, each
from headrace.kernel.model import RunId
from headrace.ports import Revision, Revisions, Streams

AT_ONCE: Final = 500
"""Runs that one question to the store is about."""
READ_AT_ONCE: Final = 50
"""Runs whose streams are looked at at the same time: a store may look at these together."""


class Readers:
    """Everybody who reads."""

    def __init__(self, revisions: Revisions, streams: Streams, bells: Bells) -> None:
        self._revisions, self._streams, self._bells = revisions, streams, bells
        self._readers: dict[RunId, set[asyncio.Event]] = {}
        self._ends: dict[RunId, tuple[Revision | None, int]] = {}
        """How far runs that are read had come, and how many records they had in all."""
        self._wanted, self.pace = asyncio.Event(), Pace()

    @contextmanager
    def of(self, run_id: RunId) -> Generator[asyncio.Event]:
        """Follow the streams of a run until its end; clear the bell before looking."""
        with self._bells.bell(run_id) as bell:
            readers = self._readers.setdefault(run_id, set())
            readers.add(bell)
            self._wanted.set()
            try:
                yield bell
            finally:
                readers.discard(bell)
                if not readers and self._readers.get(run_id) is readers:
                    del self._readers[run_id]
                    self._ends.pop(run_id, None)

    async def recheck(self) -> None:
        """Look for what nobody was told of, for ever, while anybody reads."""
        while True:
            await self.pace.next(self._wanted, RECHECK_S, len(self._readers))
            if not self._readers:
                self._wanted.clear()
            names = list(self._readers)
            for start in range(0, len(names), AT_ONCE):
                some = names[start : start + AT_ONCE]
                found = await self._revisions.of(some)
                await each(some, READ_AT_ONCE, partial(self._look, found))

    async def _look(self, found: Mapping[RunId, Revision], run_id: RunId) -> None:
        """Ring where there is more than before, and where nobody has looked before."""
        ends = await self._streams.ends(run_id)
        now = found.get(run_id), sum(end.tail for end in ends.values())
        readers = self._readers.get(run_id, ())
        if readers and self._ends.get(run_id) != now:
            self._ends[run_id] = now
            for bell in readers:
                bell.set()
