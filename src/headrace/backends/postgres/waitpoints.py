"""Waitpoints in Postgres, and who waits for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from headrace.backends.postgres.database import (
    AGAIN_AT_MOST,
    Connection,
    Database,
    busy,
    fetched,
)
from headrace.backends.postgres.queries import SQL
from headrace.backends.rows.waitpoints import (
    find_values,
    waitpoint_from,
    waitpoint_keys,
    waitpoint_values,
)
from headrace.kernel.model import Instant, RunId, WaitpointId
from headrace.ports import Clock, Issued, Retried, Waitpoint, WaitpointFilter


class PostgresWaitpoints:
    """The `Waitpoints` port. `clock` is given where it is not the database's own."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database, self._clock = database, clock

    async def create(self, waitpoint: Waitpoint, retried: Retried | None = None) -> Issued:
        """Add a waitpoint, unless one of the keys is taken in its environment."""
        keys, env = waitpoint_keys(waitpoint, retried), waitpoint.env

        async def work(connection: Connection) -> Issued:
            for space, key, _ in keys:
                asked = (env, space, key, waitpoint.created)
                found = await fetched(connection, SQL["select_waitpoint_key"], asked)
                if found:
                    return Issued(waitpoint_from(found[0]), cached=space == "caller")
            values = waitpoint_values(waitpoint)
            number = (await fetched(connection, SQL["insert_waitpoint"], values))[0][0]
            for space, key, until in keys:
                taken = (env, space, key, number, until, waitpoint.created)
                if not await fetched(connection, SQL["insert_waitpoint_key"], taken):
                    raise _JustTaken
            return Issued(waitpoint)

        for _ in range(AGAIN_AT_MOST):
            try:
                return await self._database.transact(work)
            except _JustTaken:
                continue
        raise busy(self._database.place)

    async def load(self, waitpoint: WaitpointId) -> Waitpoint | None:
        """Return the waitpoint."""
        found = await self._database.rows(SQL["select_waitpoint"], (waitpoint,))
        return waitpoint_from(found[0]) if found else None

    async def complete(self, waitpoint: WaitpointId, output: bytes) -> bool:
        """Write its value, if it has none and its deadline has not come."""

        async def work(connection: Connection) -> bool:
            await fetched(connection, SQL["lock_waitpoints"], ([waitpoint],))
            now: Instant | None = None if self._clock is None else self._clock.now()
            done = await fetched(connection, SQL["complete_waitpoint"], (waitpoint, now, output))
            if done:
                await fetched(connection, SQL["owe_waiters"], (done[0][0],))
            return bool(done)

        return await self._database.transact(work)

    async def settle(self, waitpoint: WaitpointId, came: Instant) -> Instant:
        """Write down when the awaited record came, unless that has been settled."""

        async def work(connection: Connection) -> Instant:
            found = await fetched(connection, SQL["settle_waitpoint"], (waitpoint, came))
            return cast("Instant", found[0][0]) if found else came

        return await self._database.transact(work)

    async def find(self, query: WaitpointFilter) -> Sequence[Waitpoint]:
        """List waitpoints of an environment."""
        upwards = query.before is not None and query.after is None
        sql = SQL["find_waitpoints_before" if upwards else "find_waitpoints"]
        found = [waitpoint_from(row) for row in await self._database.rows(sql, find_values(query))]
        return found[::-1] if upwards else found

    async def waiters(self, waitpoint: WaitpointId) -> Sequence[RunId]:
        """List the runs that wait for it durably."""
        found = await self._database.rows(SQL["select_waiters"], (waitpoint,))
        return [cast("RunId", run_id) for (run_id,) in found]

    async def owed(self, limit: int) -> Sequence[tuple[RunId, WaitpointId]]:
        """List runs that wait durably for a waitpoint that has its value."""
        found = await self._database.rows(SQL["select_owed"], (limit,))
        return [(run, one) for run, one in cast("list[tuple[RunId, WaitpointId]]", found)]


class _JustTaken(Exception):
    """Another has taken the key after we had looked for it."""
