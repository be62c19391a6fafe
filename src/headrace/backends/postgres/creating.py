"""Runs to be created: how a group of them becomes one statement, and what its rows say.

Owns: what of a run and its order stands in which array. Must never know: queues, and who asked.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from headrace.backends.postgres.clock import HeardClock
from headrace.backends.postgres.database import Connection, fetched
from headrace.backends.postgres.lanes import Unlanded, Write
from headrace.backends.postgres.names import Names
from headrace.backends.postgres.queries import SQL
from headrace.backends.rows.orders import (
    Space,
    debounce_key,
    insert_values,
    large_parts,
    taken_keys,
)
from headrace.kernel.model import Instant, Run, RunId
from headrace.ports import NEVER, Created, Order, Spent, Ticket

RUN_COLUMNS: Final = 36


@dataclass(frozen=True, slots=True)
class Freed:
    """A run whose keys are given up."""

    run_id: RunId
    keys: Sequence[tuple[Space, bytes, Instant]]


@dataclass(slots=True, eq=False)
class Creation(Write[Created]):
    """A run to be created."""

    run: Run = field(kw_only=True)
    order: Order = field(kw_only=True)
    ticket: Ticket | None = field(default=None, kw_only=True)
    freed: Freed | None = field(default=None, kw_only=True)
    keys: Sequence[tuple[Space, bytes, Instant]] = field(default=(), kw_only=True)


def creation(
    run: Run, order: Order, *, ticket: Ticket | None = None, freed: Freed | None = None
) -> Creation:
    """Return the write that creates `run`."""
    keys = taken_keys(order)
    touches: set[Hashable] = {run.id}
    touches |= {(run.env, run.task, space, key) for space, key, _ in keys}
    if order.debounce is not None:
        touches.add((run.env, run.task, "debounce", debounce_key(order)))
    if ticket is not None:
        touches.add(ticket.token)
    weight = len(order.payload) + len(order.metadata)
    return Creation(
        frozenset(touches),
        weight,
        alone=freed is not None,  # two statements, and any key of any run
        run=run,
        order=order,
        ticket=ticket,
        freed=freed,
        keys=keys,
    )


class Creator:
    """Lands groups; see `lanes.Lane`."""

    def __init__(self, clock: HeardClock) -> None:
        self._clock = clock
        self._tasks, self._codes = Names("number_tasks"), Names("number_codes")

    async def __call__(self, connection: Connection, group: Sequence[Creation]) -> None:
        """Create those that can be; the others find an older run, or have failed."""
        runs = [write.run for write in group]
        await self._tasks.learn(connection, {(run.env, run.task) for run in runs})
        await self._codes.learn(connection, {(run.code,) for run in runs if run.code})
        freed = group[0].freed
        if freed is None or not freed.keys:
            await self._create(connection, group)
            return
        async with connection.transaction(isolation="read_committed"):
            spaces = [space for space, _, _ in freed.keys]
            values = (freed.run_id, spaces, [key for _, key, _ in freed.keys])
            await fetched(connection, SQL["delete_taken"], values)
            await self._create(connection, group)
            if group[0].failure is not None:
                raise Unlanded

    async def _create(self, connection: Connection, group: Sequence[Creation]) -> None:
        values = (
            *_columns(RUN_COLUMNS, map(self._inserted, group)),
            *_columns(5, _keys(group)),
            *_columns(3, _tickets(group)),
            *_columns(3, _parts(group)),
            *_columns(2, _labels(group)),
        )
        rows = await fetched(connection, SQL["create_runs"], values)
        told = cast("list[tuple[int, str, RunId | None, int | None]]", rows)
        found: dict[tuple[int, str], RunId | None] = {}
        for place, what, run_id, now in told:
            found[place, what] = run_id
            if now is not None:
                self._clock.hear(now)
        for place, write in enumerate(group, 1):
            _answer(write, place, found)

    def _inserted(self, write: Creation) -> Sequence[object]:
        run = write.run
        task = self._tasks[run.env, run.task]
        code = self._codes[(run.code,)] if run.code else None
        return insert_values(run, write.order, task, code)


def _answer(write: Creation, place: int, found: dict[tuple[int, str], RunId | None]) -> None:
    """Say what came of it: a client's retry counts first, then the ticket, then the key."""
    run_id = write.run.id
    if (place, "born") in found:
        write.value = Created(run_id)
    elif (older := found.get((place, "request"))) is not None:
        write.value = Created(older, cached=True, by_request=True)
    elif (place, "spent") in found:
        write.failure = Spent()
    elif (older := found.get((place, "caller"))) is not None:
        write.value = Created(older, cached=True)
    elif (older := found.get((place, "debounce"))) is not None:
        write.value = Created(older, cached=True, delayed=True)
    else:
        write.value = Created(run_id, cached=True)


def _keys(group: Sequence[Creation]) -> Iterable[Sequence[object]]:
    for place, write in enumerate(group, 1):
        for space, key, until in write.keys:
            yield place, space, key, until, None
        if write.order.debounce is not None:
            since = write.order.debounce.since
            yield place, "debounce", debounce_key(write.order), NEVER, since


def _tickets(group: Sequence[Creation]) -> Iterable[Sequence[object]]:
    for place, write in enumerate(group, 1):
        if write.ticket is not None:
            yield place, write.ticket.token, write.ticket.until


def _parts(group: Sequence[Creation]) -> Iterable[Sequence[object]]:
    for place, write in enumerate(group, 1):
        for part, body in large_parts(write.order):
            yield place, part, body


def _labels(group: Sequence[Creation]) -> Iterable[Sequence[object]]:
    for place, write in enumerate(group, 1):
        for tag in dict.fromkeys(write.order.tags):
            yield place, tag


def _columns(width: int, rows: Iterable[Sequence[object]]) -> list[Sequence[object]]:
    columns: list[Sequence[object]] = list(zip(*rows, strict=True))
    return columns or [()] * width
