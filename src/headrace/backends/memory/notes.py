"""Notes about runs, and keys that are let go of, in memory."""

from __future__ import annotations

from dataclasses import replace

from headrace.backends.memory.tables import KeyPlace, Tables
from headrace.kernel.model import EnvId, Instant, RunId, TaskId
from headrace.ports import NEVER, Conflict, Notes


class MemoryNotebook:
    """The `Notebook` port."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def read(self, run_id: RunId) -> Notes | None:
        """Return the run's notes, `None` where there is no such run."""
        return self._tables.notes.get(run_id)

    async def write(self, run_id: RunId, notes: Notes) -> None:
        """Replace the notes; their stored revision is one more than that of `notes`."""
        stored = self._tables.notes.get(run_id)
        if stored is None or stored.revision != notes.revision:
            raise Conflict
        self._tables.notes[run_id] = replace(notes, revision=notes.revision + 1)
        order = self._tables.orders[run_id]
        self._tables.orders[run_id] = replace(order, tags=notes.tags)


class MemoryTaken:
    """The `Taken` port."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def free(self, env: EnvId, task: TaskId, key: str, now: Instant) -> RunId | None:
        """Free a caller's key; return the run that stood under it, if one did."""
        place = KeyPlace(env, task, "caller", key)
        taken = self._tables.keys.get(place)
        if taken is None or not taken.is_taken(now):
            return None
        del self._tables.keys[place]
        return taken.run_id

    async def purge(self, now: Instant, limit: int) -> int:
        """Forget up to `limit` that have been free since `now` or before; say how many."""
        keys, tickets = self._tables.keys, self._tables.tickets
        ended = [(taken.until, place) for place, taken in keys.items() if taken.until != NEVER]
        over = sorted((one for one in ended if one[0] <= now), key=lambda one: one[0])[:limit]
        for _, place in over:
            del keys[place]
        spent = sorted((until, token) for token, until in tickets.items() if until <= now)[:limit]
        for _, token in spent:
            del tickets[token]
        return len(over) + len(spent)
