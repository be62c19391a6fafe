"""Waitpoints in SQLite, and who waits for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from headrace.backends.rows.waitpoints import (
    find_values,
    waitpoint_from,
    waitpoint_keys,
    waitpoint_values,
)
from headrace.backends.sqlite.database import Database
from headrace.backends.sqlite.queries import SQL
from headrace.backends.sqlite.reader import Reader
from headrace.backends.sqlite.writer import Transaction, Writer
from headrace.kernel.commands import Change
from headrace.kernel.model import Instant, Run, RunId, WaitpointId, waitpoint_of
from headrace.ports import (
    Clock,
    Conflict,
    Issued,
    Retried,
    Waitpoint,
    WaitpointFilter,
)


class SqliteWaitpoints:
    """The `Waitpoints` port."""

    def __init__(self, reader: Reader, writer: Writer, clock: Clock) -> None:
        self._reader, self._writer, self._clock = reader, writer, clock

    async def create(self, waitpoint: Waitpoint, retried: Retried | None = None) -> Issued:
        """Add a waitpoint, unless one of the keys is taken in its environment."""
        keys = waitpoint_keys(waitpoint, retried)

        def work(transaction: Transaction) -> Issued:
            db, env = transaction.db, waitpoint.env
            for space, key, _ in keys:
                found = db.rows(SQL["select_waitpoint_key"], (env, space, key, waitpoint.created))
                if found:
                    return Issued(waitpoint_from(found[0]), cached=space == "caller")
            db.run(SQL["insert_waitpoint"], waitpoint_values(waitpoint))
            for space, key, until in keys:
                db.run(SQL["insert_waitpoint_key"], (waitpoint.id, env, space, key, until))
            return Issued(waitpoint)

        return await self._writer.write(work)

    async def load(self, waitpoint: WaitpointId) -> Waitpoint | None:
        """Return the waitpoint."""
        found = await self._reader.rows(SQL["select_waitpoint"], (waitpoint,))
        return waitpoint_from(found[0]) if found else None

    async def complete(self, waitpoint: WaitpointId, output: bytes) -> bool:
        """Write its value, if it has none and its deadline has not come."""

        def work(transaction: Transaction) -> bool:
            # Not before: who saw the deadline pass has written that instant, and it is known now.
            values = (waitpoint, self._clock.now(), output)
            if not transaction.db.run(SQL["complete_waitpoint"], values):
                return False
            transaction.db.run(SQL["owe_waiters"], (waitpoint,))
            return True

        return await self._writer.write(work)

    async def settle(self, waitpoint: WaitpointId, came: Instant) -> Instant:
        """Write down when the awaited record came, unless that has been settled."""

        def work(transaction: Transaction) -> Instant:
            transaction.db.run(SQL["settle_waitpoint"], (waitpoint, came))
            found = transaction.db.rows(SQL["select_settled"], (waitpoint,))
            return cast("Instant", found[0][0]) if found else came

        return await self._writer.write(work)

    async def find(self, query: WaitpointFilter) -> Sequence[Waitpoint]:
        """List waitpoints of an environment."""
        upwards = query.before is not None and query.after is None
        sql = SQL["find_waitpoints_before" if upwards else "find_waitpoints"]
        found = [waitpoint_from(row) for row in await self._reader.search(sql, find_values(query))]
        return found[::-1] if upwards else found

    async def waiters(self, waitpoint: WaitpointId) -> Sequence[RunId]:
        """List the runs that wait for it durably."""
        found = await self._reader.rows(SQL["select_waiters"], (waitpoint,))
        return [cast("RunId", run_id) for (run_id,) in found]

    async def owed(self, limit: int) -> Sequence[tuple[RunId, WaitpointId]]:
        """List runs that wait durably for a waitpoint that has its value."""
        found = await self._reader.rows(SQL["select_owed"], (limit,))
        return cast("list[tuple[RunId, WaitpointId]]", found)


def check_timeouts(db: Database, change: Change) -> None:
    """Refuse a timeout that comes too late: what has been completed is not timed out any more."""
    for entry in change.entries:
        waitpoint = waitpoint_of(entry.stream)
        is_late = waitpoint is not None and entry.ending == "timeout"
        if is_late and db.rows(SQL["select_completed"], (waitpoint,)):
            raise Conflict


def note_waiters(db: Database, number: int, change: Change) -> None:
    """Write down which waitpoints the run (its row's number) waits for from now on."""
    if change.before.waits is change.after.waits:
        return
    before, after = _awaited(change.before), _awaited(change.after)
    for waitpoint in after - before:
        db.run(SQL["insert_waiter"], (waitpoint, number))
    for waitpoint in before - after:
        db.run(SQL["delete_waiter"], (waitpoint, number))


def _awaited(run: Run) -> set[WaitpointId]:
    found = (waitpoint_of(wait.stream) for wait in run.waits if wait.held)
    return {waitpoint for waitpoint in found if waitpoint is not None}
