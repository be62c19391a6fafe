"""What other engines have written of the runs whose workers sit here, when no hint has told.

Owns: the round through these runs, and what it found the last time.
Must never know: what a run's worker is told.

Rule 1: losing a hint costs at most 2 s (law 9). The round asks about all runs at once, not for
        each: a run that nobody else touches costs a look-up in an index.
Rule 2: a look that failed is owed until one has succeeded, whatever was found out meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from headrace.engine.core import Core
from headrace.engine.rounds import each, first
from headrace.engine.sheet import Sheet
from headrace.kernel.model import Run, RunId, StreamId, is_inward, later

ROUND_MS: Final = 1_500
"""Less than the 2 s that a lost hint may cost: looking takes some time as well."""
SHOWN_AT_ONCE: Final = 100
"""Runs of a log elsewhere that are looked at in a round since nobody knows what was told."""
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
        self._tallying = core.abilities.tallying
        self._seen: dict[RunId, _Seen] = {}
        self._unshown: dict[RunId, None] = {}
        """Runs that may have records of which nobody was told."""

    async def run(self) -> None:
        """Look once in each round, for ever."""
        core = self._core
        while True:
            await self._rest()
            if core.pace.begin() and self._tallying is None:
                self._unshown.update(dict.fromkeys(self._told()))
            await self.look()

    async def _rest(self) -> None:
        """Let some time pass; less where nobody knows what was told."""
        core = self._core
        resting = core.stores.clock.sleep_until(later(core.now(), ROUND_MS))
        await first(resting, core.pace.hurried(len(self._seen)))

    async def look(self) -> None:
        """Have those runs read again of which the store knows more than we."""
        told = self._told()
        self._seen = {run_id: seen for run_id in told if (seen := self._seen.get(run_id))}
        for start in range(0, len(told), AT_ONCE):
            some = told[start : start + AT_ONCE]
            tallies = None if self._tallying is None else await self._tallying.tally(some)
            await self._compare(some, tallies)
        self._make_good()
        self._show()
        if self._tallying is None:
            await self._weigh(told)

    def _make_good(self) -> None:
        """Look once more where a look has failed: nothing that is new would tell of it again."""
        desks = self._core.desks().values()
        owing = [desk for desk in desks if desk.owes_look and not desk.working]
        for desk in owing[:AT_ONCE]:
            self._core.look_at(self._core.desk(desk.run_id))  # and behind the others next time

    def _show(self) -> None:
        """Look for records that nobody waits for, where no question tells of all of them."""
        some = list(islice(self._unshown, SHOWN_AT_ONCE))
        for run_id in some:
            del self._unshown[run_id]
            if self._core.seats.told(run_id) is not None:
                self._core.look_at(self._core.desk(run_id), only=frozenset())

    def _told(self) -> list[RunId]:
        return [run_id for seat in self._core.seats.all() for run_id in seat.known]

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
        runs = [run for run in map(self._known, names) if run is not None]
        pairs = [(run, stream) for run in runs for stream in _listened(run)]
        await each(pairs, READ_AT_ONCE, self._has_more)

    async def _has_more(self, pair: tuple[Run, StreamId]) -> None:
        run, stream = pair
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


def _listened(run: Run) -> set[StreamId]:
    found = {wait.stream for wait in run.waits if not wait.held and wait.stream is not None}
    return {stream for stream in found if is_inward(stream)}
