"""Law 9 in every order of what is said to the wait map, and of who asks it; and planted bugs.

`make explore` goes on to more actors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import pytest

from headrace.backends.memory.waitmap import Entry, MemoryWaitMap
from headrace.kernel.commands import Change
from headrace.kernel.evolve import evolve
from headrace.kernel.model import Instant, RunId, WorkerId
from headrace.ports import Live, Unseated
from tests.explorer.map_cast import ONE, SETTLED, MapCast, long, short
from tests.explorer.map_play import explore
from tests.explorer.mapped import MapBackstage, StagedLeases
from tests.explorer.staged import Process, StagedClock, StagedRuns

pytestmark = pytest.mark.timeout(180)  # of searches: seconds alone, many on a busy machine

LEAST = 10
"""Fewer schedules than this mean that the actors did not meet."""


@pytest.mark.parametrize("cast", [*short()], ids=str)
def test_every_schedule_keeps_the_laws(cast: MapCast) -> None:
    report = explore(cast)
    assert not report.failures, "\n".join(map(str, report.failures))
    assert report.schedules >= LEAST


def _found(cast: MapCast, backstage: Callable[[], MapBackstage]) -> str:
    """Return what was wrong with the first schedule that failed."""
    report = explore(cast, backstage, stop_at=1)
    return "\n".join(wrong for failure in report.failures for wrong in failure.wrong)


class LastWordCounts(MemoryWaitMap):
    """Whatever comes replaces what is there."""

    async def live(self, run_id: RunId, version: int, until: Instant) -> None:
        self._entries[run_id] = Entry(version, Live(until), until)


class NoVersions(MapBackstage):
    def new_map(self, clock: StagedClock) -> MemoryWaitMap:
        return LastWordCounts(clock)


class Deleting(MemoryWaitMap):
    """Who takes back that a run lives leaves nothing behind."""

    async def parked(self, run_id: RunId, version: int, streams: object) -> None:
        del version, streams
        self._entries.pop(run_id, None)


class Deletions(MapBackstage):
    def new_map(self, clock: StagedClock) -> MemoryWaitMap:
        return Deleting(clock)


@pytest.mark.parametrize("backstage", [NoVersions, Deletions])
def test_an_older_word_that_replaces_a_newer_is_found(
    backstage: Callable[[], MapBackstage],
) -> None:
    assert "has heard something newer" in _found(SETTLED, backstage)


class NeverAgain(StagedRuns):
    """When to look once more is not kept."""

    async def commit(self, change: Change) -> None:
        waits = tuple(evolve(wait, recheck=None) for wait in change.after.waits)
        after = change.after if not waits else evolve(change.after, waits=waits)
        await super().commit(replace(change, after=after))


class NoLook(MapBackstage):
    def runs(self, process: Process, *, delivering: bool) -> StagedRuns:
        return NeverAgain(process, delivering=delivering)


def test_a_wait_that_nobody_looks_at_again_is_found() -> None:
    assert "stands, and record 0 is in the log" in _found(SETTLED, NoLook)


class AnySeat(StagedLeases):
    """Who renews is not asked where the worker sits."""

    async def renew(self, worker: WorkerId, until: Instant, seat: int) -> Instant:
        try:
            return await super().renew(worker, until, seat)
        except Unseated:
            return until


class NoLease(MapBackstage):
    def leases(self, process: Process) -> StagedLeases:
        return AnySeat(process)


def test_a_server_that_says_live_of_a_worker_that_has_left_it_is_found() -> None:
    assert "stands, and record 0 is in the log" in _found(replace(ONE, fate="moved"), NoLease)


def _befalls(cast: MapCast) -> frozenset[str]:
    """Say what befalls the send, the wait, the take and what is said of it, in every cast."""
    of = {
        "the map is lost": bool(cast.flush),
        "what was said is old": cast.passes or cast.parked,
        "a server dies": cast.fate in {"crash", "lost", "orphaned"},
        "a lease lapses": cast.fate in {"lost", "orphaned"} and cast.passes,
    }
    return frozenset(what for what, does in of.items() if does)


def test_all_of_it_befalls_a_run_together() -> None:
    casts = [*short(), *long()]
    assert any(len(_befalls(cast)) == len(_befalls(EVERYTHING)) for cast in casts)
    for size in (1, 2):
        for some in combinations(sorted(_befalls(EVERYTHING)), size):
            needed = frozenset(some)
            assert any(needed <= _befalls(cast) for cast in casts if cast.actors <= FOUR), some


EVERYTHING = MapCast(ONE.cast, flush=1, passes=True, fate="orphaned")
FOUR = 4


def test_the_list_is_no_list_of_repeats() -> None:
    casts = [*short()]
    assert len(set(casts)) == len(casts)
    assert SETTLED in casts
