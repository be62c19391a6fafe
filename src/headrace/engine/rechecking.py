"""What other engines have written of the runs whose workers sit here, when no hint has told.

Owns: the round through these runs, and what it found the last time.
Must never know: what a run's worker is told.

Rule: losing a hint costs at most 2 s (law 9). The round asks about all runs at once, not for each:
a run that nobody else touches costs a look-up in an index.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from headrace.engine.core import Core
from headrace.engine.sheet import Sheet
from headrace.kernel.model import Run, RunId, StreamId, is_inward, later
from headrace.ports import Tallying

ROUND_MS: Final = 1_500
"""Less than the 2 s that a lost hint may cost: looking takes some time as well."""
AT_ONCE: Final = 500
"""Runs that one question to the store is about."""
READ_AT_ONCE: Final = 16
"""Streams that are weighed at the same time, where each has to be asked for."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """How far a run had come when it was looked at last."""

    version: int
    tally: int | None


class Rechecking:
    """Looks again at runs that others have changed."""

    def __init__(self, core: Core) -> None:
        self._core = core
        streams = core.stores.streams
        self._tallying = streams if isinstance(streams, Tallying) else None
        self._seen: dict[RunId, _Seen] = {}

    async def run(self) -> None:
        """Look once in each round, for ever."""
        core = self._core
        while True:
            await core.stores.clock.sleep_until(later(core.now(), ROUND_MS))
            await self.look()

    async def look(self) -> None:
        """Have those runs read again of which the store knows more than we."""
        told = [run_id for seat in self._core.seats.all() for run_id in seat.known]
        self._seen = {run_id: seen for run_id in told if (seen := self._seen.get(run_id))}
        for start in range(0, len(told), AT_ONCE):
            some = told[start : start + AT_ONCE]
            if self._tallying is not None:
                await self._compare(some, await self._tallying.tally(some))
            else:
                await self._compare(some, None)
                await self._weigh(some)

    async def _compare(self, names: Sequence[RunId], tallies: Mapping[RunId, int] | None) -> None:
        found = await self._core.stores.revisions.of(names)
        for run_id, revision in found.items():
            seen = _Seen(revision.version, None if tallies is None else tallies.get(run_id, 0))
            if self._is_news(run_id, seen):
                self._look_at(run_id, seen)
            self._seen[run_id] = seen

    def _is_news(self, run_id: RunId, now: _Seen) -> bool:
        run, seen = self._known(run_id), self._seen.get(run_id)
        version = -1 if seen is None else seen.version
        if now.version > max(version, -1 if run is None else run.version):
            return True
        if seen is not None and now.tally == seen.tally:
            return False
        return run is None or _has_unread(run, now)

    def _look_at(self, run_id: RunId, now: _Seen) -> None:
        """Have the run read again, unless what is news are our own writes, not yet heard of."""
        core, desk = self._core, self._core.desks().get(run_id)
        if core.seats.told(run_id) is None:
            return  # it was ended, or given away, while the store was asked
        if desk is not None and desk.working:
            core.post(run_id, _Unless(core, now))
        else:
            core.look_at(core.desk(run_id))

    def _known(self, run_id: RunId) -> Run | None:
        desk = self._core.desks().get(run_id)
        return None if desk is None else desk.run

    async def _weigh(self, names: Sequence[RunId]) -> None:
        """Weigh what waits in memory stand on: an append changes no run."""
        pairs = [(run, stream) for run in map(self._known, names) for stream in _listened(run)]
        for start in range(0, len(pairs), READ_AT_ONCE):
            some = pairs[start : start + READ_AT_ONCE]
            read = [self._has_more(run, stream) for run, stream in some if run is not None]
            await asyncio.gather(*read)

    async def _has_more(self, run: Run, stream: StreamId) -> None:
        found = await self._core.stores.streams.backlog(run.id, stream, _cursor(run, stream))
        if found.count:
            self._core.look_at(self._core.desk(run.id))


@dataclass(frozen=True, slots=True)
class _Unless:
    """The job of looking, unless the work that was under way has come as far by itself."""

    core: Core
    found: _Seen

    async def __call__(self, sheet: Sheet) -> object:
        if sheet.before.version < self.found.version or _has_unread(sheet.before, self.found):
            self.core.look_at(self.core.desk(sheet.run.id))
        return None


def _has_unread(run: Run, found: _Seen) -> bool:
    return (found.tally or 0) > _taken(run)


def _cursor(run: Run, stream: StreamId) -> int:
    return run.cursors.get(stream, 0)


def _taken(run: Run) -> int:
    return sum(cursor for stream, cursor in run.cursors.items() if is_inward(stream))


def _listened(run: Run | None) -> set[StreamId]:
    waits = () if run is None else run.waits
    found = {wait.stream for wait in waits if not wait.held and wait.stream is not None}
    return {stream for stream in found if is_inward(stream)}
