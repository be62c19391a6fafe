"""Waitpoints in memory, and who waits for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from headrace.backends.memory.tables import Tables, WaitpointKey
from headrace.kernel.commands import Change
from headrace.kernel.model import Instant, RunId, WaitpointId, at_waitpoint, waitpoint_of
from headrace.ports import (
    Clock,
    Conflict,
    Issued,
    Retried,
    Waitpoint,
    WaitpointFilter,
)


class MemoryWaitpoints:
    """The `Waitpoints` port."""

    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables, self._clock = tables, clock

    async def create(self, waitpoint: Waitpoint, retried: Retried | None = None) -> Issued:
        """Add a waitpoint, unless one of the keys is taken in its environment."""
        known, now = self._tables.waitpoints, waitpoint.created
        wanted = list(_places(waitpoint, retried))
        for place, _ in wanted:
            found = self._tables.waitpoint_keys.get(place)
            if found is not None and (not found[1] or found[1] > now):
                return Issued(known[found[0]], cached=place.space == "caller")
        known[waitpoint.id] = waitpoint
        self._tables.waitpoint_keys.update(
            {place: (waitpoint.id, until) for place, until in wanted}
        )
        return Issued(waitpoint)

    async def load(self, waitpoint: WaitpointId) -> Waitpoint | None:
        """Return the waitpoint."""
        return self._tables.waitpoints.get(waitpoint)

    async def complete(self, waitpoint: WaitpointId, output: bytes) -> bool:
        """Write its value, if it has none and its deadline has not come."""
        known, now = self._tables.waitpoints.get(waitpoint), self._clock.now()
        if known is None or known.awaits is not None or known.state(now) != "WAITING":
            return False
        completed = replace(known, completed=now, output=output)
        self._tables.waitpoints[waitpoint] = completed
        return True

    async def settle(self, waitpoint: WaitpointId, came: Instant) -> Instant:
        """Write down when the awaited record came, unless that has been settled."""
        known = self._tables.waitpoints.get(waitpoint)
        if known is None or known.awaits is None:
            return came
        settled = came if known.came is None else known.came
        self._tables.waitpoints[waitpoint] = replace(known, came=settled)
        return settled

    async def find(self, query: WaitpointFilter) -> Sequence[Waitpoint]:
        """List waitpoints of an environment."""
        newest_first = list(reversed(self._tables.waitpoints.values()))
        ids = [one.id for one in newest_first]
        if not {query.after, query.before} - {None} <= set(ids):
            return []
        first = 0 if query.after is None else ids.index(query.after) + 1
        end = len(ids) if query.before is None else ids.index(query.before)
        found = [one for one in newest_first[first:end] if _fits(one, query)]
        from_the_end = query.after is None and query.before is not None
        return found[max(0, len(found) - query.size) :] if from_the_end else found[: query.size]

    async def waiters(self, waitpoint: WaitpointId) -> Sequence[RunId]:
        """List the runs that wait for it durably."""
        stream = at_waitpoint(waitpoint)
        runs = self._tables.runs.values()
        return [run.id for run in runs if any(wait.stream == stream for wait in run.waits)]

    async def owed(self, limit: int) -> Sequence[tuple[RunId, WaitpointId]]:
        """List runs that wait durably for a waitpoint that has its value."""
        found = [
            (run.id, waitpoint)
            for run in self._tables.runs.values()
            for waitpoint in dict.fromkeys(waitpoint_of(wait.stream) for wait in run.waits)
            if waitpoint is not None and has_value(self._tables, waitpoint)
        ]
        return found[:limit]


def has_value(tables: Tables, waitpoint: WaitpointId) -> bool:
    """Tell whether the waitpoint has been completed."""
    known = tables.waitpoints.get(waitpoint)
    return known is not None and known.completed is not None


def check_timeouts(tables: Tables, change: Change) -> None:
    """Refuse a timeout that comes too late: what has been completed is not timed out any more."""
    for entry in change.entries:
        waitpoint = waitpoint_of(entry.stream)
        if waitpoint is not None and entry.ending == "timeout" and has_value(tables, waitpoint):
            raise Conflict


def _fits(one: Waitpoint, query: WaitpointFilter) -> bool:
    return (
        one.env == query.env
        and (not query.states or one.awaits is not None or one.state(query.now) in query.states)
        and (not query.tags or not set(query.tags).isdisjoint(one.tags))
        and (not query.key or one.key == query.key)
        and (query.since is None or one.created >= query.since)
        and (query.until is None or one.created <= query.until)
    )


def _places(
    waitpoint: Waitpoint, retried: Retried | None
) -> Iterator[tuple[WaitpointKey, Instant]]:
    if retried is not None:
        yield WaitpointKey(waitpoint.env, "request", None, retried.key), retried.until
    if waitpoint.key:
        record = waitpoint.awaits
        stream = None if record is None else (record.run, record.stream)
        place = WaitpointKey(waitpoint.env, "caller", stream, waitpoint.key)
        yield place, waitpoint.key_until
