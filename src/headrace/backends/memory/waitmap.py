"""The wait map within one process: what every other is compared with."""

from __future__ import annotations

from dataclasses import dataclass

from headrace.kernel.model import Instant, RunId, StreamId, later
from headrace.ports.storage import Clock
from headrace.ports.waitmap import KEPT_MS, LIVE_MS, Live, On


@dataclass(frozen=True, slots=True)
class Entry:
    """What was said about a run; forgotten from `end` on."""

    version: int
    where: Live | On | None
    end: Instant


class MemoryWaitMap:
    """The `WaitMap` port."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[RunId, Entry] = {}

    async def where(self, run_id: RunId) -> Live | On | None:
        """Return where the run is."""
        entry = self._kept(run_id)
        return None if entry is None else entry.where

    async def live(self, run_id: RunId, version: int, until: Instant) -> None:
        """Say that the run is executed, at least until then."""
        until = min(until, later(self._clock.now(), LIVE_MS))
        match self._kept(run_id):
            case Entry(known, Live(end)) if known == version and end >= until:
                return
            case Entry(known, where) if known == version and not isinstance(where, Live):
                return
            case _:
                self._say(run_id, Entry(version, Live(until), until))

    async def parked(self, run_id: RunId, version: int, streams: frozenset[StreamId]) -> None:
        """Say that the run, from this version on, waits for any of the streams."""
        self._say(run_id, Entry(version, On(streams), later(self._clock.now(), KEPT_MS)))

    async def gone(self, run_id: RunId, version: int) -> None:
        """Say that, from this version on, nobody executes the run."""
        self._say(run_id, Entry(version, None, later(self._clock.now(), KEPT_MS)))

    def _say(self, run_id: RunId, entry: Entry) -> None:
        known = self._kept(run_id)
        if known is None or known.version <= entry.version:
            self._entries.pop(run_id, None)
            self._entries[run_id] = entry
            self._forget()

    def _forget(self) -> None:
        """Let go of what was said longest ago and is over; the rest is over before long, too."""
        while self._entries and self._kept(next(iter(self._entries))) is None:
            pass

    def _kept(self, run_id: RunId) -> Entry | None:
        entry = self._entries.get(run_id)
        if entry is not None and entry.end <= self._clock.now():
            del self._entries[run_id]
            return None
        return entry
