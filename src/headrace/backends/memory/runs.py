"""Runs, their orders, journals and snapshots, in memory.

Owns: the storage of runs. Must never know: a transition; `claim` asks the kernel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from headrace.backends.memory.delays import begun, debounced, delayed_under
from headrace.backends.memory.tables import KeyPlace, Tables, Taken
from headrace.backends.memory.waitpoints import check_timeouts
from headrace.kernel import machine
from headrace.kernel.commands import Change, Claim
from headrace.kernel.effects import durable, stored_output
from headrace.kernel.model import (
    Delayed,
    Entry,
    EnvId,
    Footing,
    Instant,
    Over,
    Queued,
    Run,
    RunId,
    Running,
    TaskId,
    Waiting,
    WorkerId,
)
from headrace.ports import NEVER, Clash, Conflict, Created, Filter, Notes, Order, Spent, Ticket

REQUEST: Literal["request"] = "request"
CALLER: Literal["caller"] = "caller"


class MemoryRuns:
    """The `Runs` port."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def create(
        self, run: Run, order: Order, *, free: RunId | None = None, ticket: Ticket | None = None
    ) -> Created:
        """Add a run, unless its id or one of the order's keys is taken."""
        keys, wanted = self._tables.keys, list(places(run, order))
        kept = {place: taken for place, taken in keys.items() if taken.run_id != free}
        for place, _ in wanted:
            taken, by_request = kept.get(place), place.space == REQUEST
            if not by_request:
                self._check_unspent(ticket)
            if taken is not None and taken.is_taken(run.created):
                keys.clear()
                keys.update(kept)
                return Created(taken.run_id, cached=True, by_request=by_request)
        self._check_unspent(ticket)
        if (delayed := delayed_under(self._tables, run, order.debounce)) is not None:
            return Created(delayed, cached=True, delayed=True)
        keys.clear()
        keys.update(kept)
        if run.id in self._tables.runs:
            return Created(run.id, cached=True)
        if ticket is not None:
            self._tables.tickets[ticket.token] = ticket.until
        self._add(run, order)
        keys.update(wanted)
        if order.debounce is not None:
            keys[debounced(run, order.debounce)] = Taken(run.id, NEVER)
        return Created(run.id)

    def _check_unspent(self, ticket: Ticket | None) -> None:
        if ticket is not None and ticket.token in self._tables.tickets:
            raise Spent

    def _add(self, run: Run, order: Order) -> None:
        self._tables.runs[run.id] = durable(run)
        self._tables.orders[run.id] = replace(order, debounce=None)
        self._tables.notes[run.id] = Notes(order.tags, order.metadata)
        self._tables.journals[run.id] = []
        self._tables.records[run.id] = {}

    async def load(self, run_id: RunId) -> Run | None:
        """Return the run, without the waits that live in memory only."""
        return self._tables.runs.get(run_id)

    async def order(self, run_id: RunId, *, most: int | None = None) -> Order | None:
        """Return what the run was started with; a payload of more than `most` bytes is left out."""
        order = self._tables.orders.get(run_id)
        if order is None or most is None or len(order.payload) <= most:
            return order
        return replace(order, payload=b"", is_large=True)

    async def commit(self, change: Change) -> None:
        """Apply `change` whole, or raise and leave everything as it was."""
        apply(self._tables, change)

    async def claim(
        self, command: Claim, env: EnvId, tasks: Sequence[TaskId], now: Instant, limit: int
    ) -> Sequence[Run]:
        """Apply `command` to up to `limit` ready runs of these tasks, oldest first."""
        ready = [
            (run.state.since, run)
            for run in self._tables.runs.values()
            if isinstance(run.state, Queued) and run.env == env and run.task in tasks
            if machine.is_ready(run, now)
        ]
        ready.sort(key=lambda one: one[0])  # stable: equal ones stay in the order of creation
        claimed = [machine.decide(run, command, now).after for _, run in ready[:limit]]
        self._tables.runs.update({run.id: run for run in claimed})
        return claimed

    async def journal(self, run_id: RunId, start: int = 0) -> Sequence[Entry]:
        """Return the entries numbered `start` and above, in order."""
        return [entry for entry in self._tables.journals.get(run_id, ()) if entry.n >= start]

    async def due(self, now: Instant, limit: int) -> Sequence[tuple[Instant, RunId]]:
        """List runs whose `machine.due` is at or before `now`, earliest first."""
        moments = [(machine.due(run), run.id) for run in self._tables.runs.values()]
        found = [(due, run_id) for due, run_id in moments if due is not None and due <= now]
        return sorted(found, key=lambda one: one[0])[:limit]

    async def held(self, worker: WorkerId) -> Sequence[RunId]:
        """List the runs that `worker` holds, running or warm."""
        return [run.id for run in self._tables.runs.values() if _holder(run) == worker]

    async def find(self, query: Filter) -> Sequence[Run]:
        """List runs of an environment."""
        newest_first = list(reversed(self._tables.runs.values()))
        ids = [run.id for run in newest_first]
        if not {query.after, query.before} - {None} <= set(ids):
            return []
        first = 0 if query.after is None else ids.index(query.after) + 1
        end = len(ids) if query.before is None else ids.index(query.before)
        found = [run for run in newest_first[first:end] if self._fits(run, query)]
        from_the_end = query.after is None and query.before is not None
        return found[max(0, len(found) - query.size) :] if from_the_end else found[: query.size]

    def _fits(self, run: Run, query: Filter) -> bool:
        order = self._tables.orders[run.id]
        return (
            _is_named(run, order, query)
            and (not query.states or not names(run).isdisjoint(query.states))
            and (not query.waiting or bool(run.waits))
            and (not query.versions or run.code in query.versions)
            and (query.since is None or run.created >= query.since)
            and (query.until is None or run.created <= query.until)
        )

    async def metadata(self, run_id: RunId, value: bytes | None = None) -> bytes:
        """Set the run's metadata if given; return it: at first that of its order."""
        notes = self._tables.notes.get(run_id, Notes())
        if value is not None and run_id in self._tables.runs:
            notes = replace(notes, metadata=value, revision=notes.revision + 1)
            self._tables.notes[run_id] = notes
        return notes.metadata


class MemorySnapshots:
    """The `Snapshots` port."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def read(self, run_id: RunId, saved: int) -> bytes | None:
        """Return the run's snapshot, if it is the one that was taken at entry number `saved`."""
        run = self._tables.runs.get(run_id)
        is_it = run is not None and run.saved == saved
        return self._tables.snapshots.get(run_id) if is_it else None

    async def footing(self, run_id: RunId, saved: int) -> Footing | None:
        """Return what that snapshot stands on, if its worker has said so."""
        run = self._tables.runs.get(run_id)
        is_it = run is not None and run.saved == saved
        return self._tables.footings.get(run_id) if is_it else None


def apply(tables: Tables, change: Change) -> None:
    """Do everything that `change` says, or raise before anything is done."""
    before, after = change.before, change.after
    stored = tables.runs.get(before.id)
    if stored is None or stored.version != before.version:
        raise Conflict
    check_timeouts(tables, change)
    output = stored_output(change)
    if output and output not in tables.blobs:
        raise Conflict
    if isinstance(before.state, Delayed) and not isinstance(after.state, Delayed):
        begun(tables, before.id)
    kept = [
        entry
        for entry in tables.journals[before.id]
        if change.undone is None or entry.n < change.undone
    ]
    keys = [entry.key for entry in (*kept, *change.entries)]
    if len(set(keys)) < len(keys):
        raise Clash
    if output:
        tables.blobs[output] = NEVER, tables.blobs[output][1]
    first = change.dropped or 0
    tables.journals[before.id] = [e for e in (*kept, *change.entries) if e.n >= first]
    tables.runs[before.id] = durable(after)
    if change.saved is not None:
        tables.snapshots[before.id] = change.saved
        tables.footings[before.id] = change.footing
    elif after.saved is None:
        tables.snapshots.pop(before.id, None)
        tables.footings.pop(before.id, None)


def names(run: Run) -> set[str]:
    """Return the names under which `find` knows the state of `run`."""
    match run.state:
        case Over(outcome=outcome):
            return {"Over", type(outcome).__name__}
        case state:
            return {type(state).__name__}


def _is_named(run: Run, order: Order, query: Filter) -> bool:
    return (
        run.env == query.env
        and (not query.tasks or run.task in query.tasks)
        and (not query.tags or not set(query.tags).isdisjoint(order.tags))
        and (query.test is None or order.test == query.test)
    )


def places(run: Run, order: Order) -> Iterator[tuple[KeyPlace, Taken]]:
    """Yield where the idempotency keys of an order are taken by the run."""
    if order.request_key:
        place = KeyPlace(run.env, run.task, REQUEST, order.request_key)
        yield place, Taken(run.id, order.request_until)
    if order.key:
        place = KeyPlace(run.env, run.task, CALLER, order.key)
        yield place, Taken(run.id, order.key_until)


def _holder(run: Run) -> WorkerId | None:
    match run.state:
        case Running(worker=worker) | Waiting(worker=worker):
            return worker
        case _:
            return None
