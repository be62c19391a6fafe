"""Runs, their orders and journals, in SQLite."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, cast

import apsw

from headrace.backends.rows.footings import footing_from, footing_text
from headrace.backends.rows.orders import (
    debounce_key,
    find_values,
    insert_values,
    large_parts,
    order_from,
    taken_keys,
)
from headrace.backends.rows.records import entry_from, entry_values
from headrace.backends.rows.runs import (
    goes_on_in_place,
    limit_columns,
    packed_cursors,
    packed_waits,
    run_columns,
    run_from,
)
from headrace.backends.sqlite.database import Database, is_taken
from headrace.backends.sqlite.queries import SQL
from headrace.backends.sqlite.reader import Reader
from headrace.backends.sqlite.waitpoints import check_timeouts, note_waiters
from headrace.backends.sqlite.writer import Transaction, Writer
from headrace.kernel.commands import Change, Claim
from headrace.kernel.effects import lasting, stored_output
from headrace.kernel.model import (
    Delayed,
    Entry,
    EnvId,
    Footing,
    Instant,
    Run,
    RunId,
    TaskId,
    WorkerId,
)
from headrace.ports import NEVER, Clash, Conflict, Created, Filter, Order, Spent, Ticket

LONG_JOURNAL: Final = 200
"""Entries; reading more would hold up the event loop."""
LARGE_SNAPSHOT: Final = 256 * 1_024
"""Bytes; likewise."""


class SqliteRuns:
    """The `Runs` port."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader, self._writer = reader, writer

    async def create(
        self, run: Run, order: Order, *, free: RunId | None = None, ticket: Ticket | None = None
    ) -> Created:
        """Add a run, unless its id or one of the order's keys is taken."""
        freed = None if free is None else await self.order(free)
        # Where it was put off, it has keys that its own order does not name.
        keys = [] if freed is None else [*taken_keys(freed), *taken_keys(order)]

        def work(transaction: Transaction) -> Created:
            for space, key, _ in keys:
                transaction.db.run(SQL["delete_taken"], (free, space, key))
            return _create(transaction, run, order, ticket)

        return await self._writer.write(work)

    async def load(self, run_id: RunId) -> Run | None:
        """Return the run, without the waits that live in memory only."""
        found = await self._reader.rows(SQL["select_run"], (run_id,))
        return run_from(found[0]) if found else None

    async def order(self, run_id: RunId, *, most: int | None = None) -> Order | None:
        """Return what the run was started with; a payload of more than `most` bytes is left out."""
        found = await self._reader.rows(SQL["select_order"], (run_id, most))
        return order_from(found[0]) if found else None

    async def commit(self, change: Change) -> None:
        """Apply `change` whole, or raise and leave everything as it was."""
        await self._writer.write(lambda transaction: apply(transaction, change))

    async def claim(
        self, command: Claim, env: EnvId, tasks: Sequence[TaskId], now: Instant, limit: int
    ) -> Sequence[Run]:
        """Apply `command` to up to `limit` ready runs of these tasks, oldest first."""
        numbers = [await self._task(env, task) for task in sorted(set(tasks))]
        known = [number for number in numbers if number is not None]
        for number in known:
            if await self._reader.rows(SQL["select_ready"], (number, 1, now)):
                break
        else:
            return []  # without taking the write lock: workers ask often

        def work(transaction: Transaction) -> list[Run]:
            return _claim(transaction, command, known, now, limit)

        return await self._writer.write(work)

    async def _task(self, env: EnvId, task: TaskId) -> int | None:
        found = await self._reader.rows(SQL["select_task_number"], (env, task))
        return cast("int", found[0][0]) if found else None

    async def journal(self, run_id: RunId, start: int = 0) -> Sequence[Entry]:
        """Return the entries numbered `start` and above, in order."""
        length = await self._reader.rows(SQL["select_journal_length"], (run_id,))
        end, kept = cast("tuple[int, int]", length[0]) if length else (0, 0)
        if end <= start:
            return []
        # All that are kept are looked through, however few are asked for.
        is_long = kept > LONG_JOURNAL
        read = self._reader.search if is_long else self._reader.rows
        return [entry_from(row) for row in await read(SQL["select_entries"], (run_id, start))]

    async def due(self, now: Instant, limit: int) -> Sequence[tuple[Instant, RunId]]:
        """List runs whose `machine.due` is at or before `now`, earliest first."""
        found = await self._reader.rows(SQL["select_due"], (now, limit))
        return cast("list[tuple[Instant, RunId]]", found)

    async def held(self, worker: WorkerId) -> Sequence[RunId]:
        """List the runs that `worker` holds, running or warm."""
        found = await self._reader.rows(SQL["select_held"], (worker,))
        return [cast("RunId", run_id) for (run_id,) in found]

    async def find(self, query: Filter) -> Sequence[Run]:
        """List runs of an environment."""
        upwards = query.before is not None and query.after is None
        sql = SQL["find_before" if upwards else "find_newest"]
        runs = [run_from(row) for row in await self._reader.search(sql, find_values(query))]
        return runs[::-1] if upwards else runs

    async def metadata(self, run_id: RunId, value: bytes | None = None) -> bytes:
        """Set the run's metadata if given; return it: at first that of its order."""
        if value is not None:
            stored = value

            def work(transaction: Transaction) -> int:
                transaction.db.run(SQL["revise_run"], (run_id,))
                return transaction.db.run(SQL["upsert_metadata"], (run_id, stored))

            return value if await self._writer.write(work) else b""
        found = await self._reader.rows(SQL["select_metadata"], (run_id,))
        return cast("bytes", found[0][0]) if found else b""


class SqliteSnapshots:
    """The `Snapshots` port."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def read(self, run_id: RunId, saved: int) -> bytes | None:
        """Return the run's snapshot, if it is the one that was taken at entry number `saved`."""
        sql, asked = SQL["select_snapshot"], (run_id, saved)
        found = await self._reader.rows(sql, (*asked, LARGE_SNAPSHOT))
        body, length = cast("tuple[bytes | None, int]", found[0]) if found else (None, 0)
        if body is None and found:
            found = await self._reader.search(sql, (*asked, length))
            body = cast("bytes | None", found[0][0]) if found else None
        return body

    async def footing(self, run_id: RunId, saved: int) -> Footing | None:
        """Return what that snapshot stands on, if its worker has said so."""
        found = await self._reader.rows(SQL["select_footing"], (run_id, saved))
        return footing_from(cast("str", found[0][0])) if found else None


def _create(transaction: Transaction, run: Run, order: Order, ticket: Ticket | None) -> Created:
    db = transaction.db
    task = transaction.names.task(db, run.env, run.task)
    for space, key, _ in taken_keys(order):
        if space == "caller":
            check_unspent(transaction, ticket)
        found = db.rows(SQL["select_taken"], (task, space, key, run.created))
        if found:
            older = cast("RunId", found[0][0])
            return Created(older, cached=True, by_request=space == "request")
    check_unspent(transaction, ticket)
    if (delayed := _delayed(transaction, task, order)) is not None:
        return Created(delayed, cached=True, delayed=True)
    code = transaction.names.code(db, run.code)
    if not db.run(SQL["insert_run"], insert_values(run, order, task, code)):
        return Created(run.id, cached=True)
    _add_parts(transaction, run.id, task, order)
    if ticket is not None:
        db.run(SQL["insert_ticket"], (ticket.token, run.id, ticket.until))
    return Created(run.id)


def _add_parts(transaction: Transaction, run_id: RunId, task: int, order: Order) -> None:
    db = transaction.db
    for part, body in large_parts(order):
        db.run(SQL["insert_large"], (run_id, part, body))
    for space, key, until in taken_keys(order):
        db.run(SQL["insert_taken"], (run_id, task, space, key, until))
    if (debounced := debounce_key(order)) is not None:
        db.run(SQL["insert_taken"], (run_id, task, "debounce", debounced, NEVER))


def _delayed(transaction: Transaction, task: int, order: Order) -> RunId | None:
    """Return the run that is put off instead of another's beginning, if there is one."""
    if order.debounce is None:
        return None
    asked = (task, debounce_key(order), order.debounce.since)
    found = transaction.db.rows(SQL["select_delayed"], asked)
    return cast("RunId", found[0][0]) if found else None


def check_unspent(transaction: Transaction, ticket: Ticket | None) -> None:
    """Refuse a ticket that has been used."""
    if ticket is not None and transaction.db.rows(SQL["select_ticket"], (ticket.token,)):
        raise Spent


def _claim(
    transaction: Transaction, command: Claim, tasks: list[int], now: Instant, limit: int
) -> list[Run]:
    db = transaction.db
    ready = [row for task in tasks for row in db.rows(SQL["select_ready"], (task, limit, now))]
    chosen = sorted(cast("list[tuple[int, int]]", ready))[:limit]
    places = {number: place for place, (_, number) in enumerate(chosen)}
    numbers = json.dumps(list(places))
    code = transaction.names.code(db, command.version)
    db.run(SQL["claim_runs"], (command.worker, now, numbers, code))
    found = db.rows(SQL["select_runs_by_number"], (numbers,))
    found.sort(key=lambda row: places[cast("int", row[0])])
    return [run_from(row) for row in found]


def apply(transaction: Transaction, change: Change) -> int:
    """Do everything that `change` says; return the number of the run's row."""
    db, before, after = transaction.db, change.before, change.after
    if not lasting(change):
        found = db.rows(SQL["check_run"], (before.id, before.version))
    elif goes_on_in_place(before, after):
        found = db.rows(
            SQL["update_run_in_place"],
            (
                before.id,
                before.version,
                after.version,
                after.lost,
                after.entries,
                after.updated,
                packed_cursors(after),
                packed_waits(after),
            ),
        )
    else:
        code = transaction.names.code(db, after.code)
        columns = (*run_columns(after, code), *limit_columns(after))
        found = db.rows(SQL["update_run"], (before.id, before.version, *columns))
    if not found:
        raise Conflict
    check_timeouts(db, change)
    number = cast("int", found[0][0])
    _note_state(db, number, change)
    note_waiters(db, number, change)
    if change.undone is not None:
        db.run(SQL["delete_entries"], (number, change.undone))
    try:
        for entry in change.entries:
            db.run(SQL["insert_entry"], entry_values(number, entry))
    except apsw.ConstraintError as error:
        if is_taken(error):
            raise Clash from error
        raise
    _apply_snapshot(transaction, number, change)
    return number


def _note_state(db: Database, number: int, change: Change) -> None:
    """Let the output stay with which the run ends; let go of the key under which it was delayed."""
    if (stored := stored_output(change)) and not db.run(SQL["keep_blob"], (stored,)):
        raise Conflict
    was, is_ = (isinstance(run.state, Delayed) for run in (change.before, change.after))
    if was and not is_:
        db.run(SQL["delete_debounced"], (number,))


def _apply_snapshot(transaction: Transaction, number: int, change: Change) -> None:
    db = transaction.db
    if change.dropped is not None:
        db.run(SQL["drop_entries"], (number, change.dropped))
    if change.saved is not None:
        footing = transaction.names.footing(db, footing_text(change.footing))
        db.run(SQL["upsert_snapshot"], (number, change.saved, footing))
    elif change.before.saved is not None and change.after.saved is None:
        db.run(SQL["delete_snapshot"], (number,))
