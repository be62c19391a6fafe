"""Leases, catalog and blobs in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from headrace.backends.postgres.clock import HeardClock
from headrace.backends.postgres.database import Connection, Database, fetched
from headrace.backends.postgres.queries import SQL
from headrace.backends.rows.catalog import Declared, pack
from headrace.kernel.model import EnvId, Instant, WorkerId
from headrace.ports import NEVER, Unseated
from headrace.wire.registration import Registration


async def next_number(connection: Connection, name: str) -> int:
    """Take the next number of a counter; whoever asks after us waits for our commit."""
    rows = await fetched(connection, SQL["next_number"], (name,))
    return cast("int", rows[0][0])


class PostgresLeases:
    """The `Leases` port."""

    def __init__(self, database: Database, clock: HeardClock) -> None:
        self._database, self._clock = database, clock

    async def sit(self, worker: WorkerId, until: Instant) -> int:
        """Seat the worker, with a lease until then; return the number of its seat."""
        rows = await self._database.run(SQL["upsert_lease"], (worker, until))
        seat, now = cast("tuple[int, int]", rows[0])
        self._clock.hear(now)
        return seat

    async def renew(self, worker: WorkerId, until: Instant, seat: int) -> Instant:
        """Set the end of the worker's lease, never to an earlier instant; return it."""
        rows = await self._database.run(SQL["renew_lease"], (worker, until, seat))
        if not rows:
            raise Unseated
        end, now = cast("tuple[Instant, int]", rows[0])
        self._clock.hear(now)
        return end

    async def drop(self, worker: WorkerId, now: Instant) -> bool:
        """Give the worker up if its lease had ended by then; tell whether it has none."""
        rows = await self._database.run(SQL["delete_lease"], (worker, now))
        return cast("bool", rows[0][0])

    async def lapsed(self, now: Instant) -> Sequence[WorkerId]:
        """List workers that hold runs without a lease, then those whose lease had ended."""
        found = await self._database.rows(SQL["select_lapsed"], (now,))
        return [cast("WorkerId", worker) for worker, _ in found]

    async def extend(self, until: Instant) -> None:
        """Give every worker known at least until then."""
        await self._database.run(SQL["extend_leases"], (until,))


class PostgresCatalog(Declared):
    """The `Catalog` port."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.rows, SQL)
        self._database = database

    async def register(self, env: EnvId, registration: Registration, now: Instant) -> None:
        """Keep a version's tasks and streams; the latest registration of a name counts."""
        version = registration.version
        made_of = (registration.python, pack(registration.functions))
        # The last of a name counts; in one order, as everybody writes them.
        declared = {("task", one.id): pack(one) for one in registration.tasks}
        declared |= {("stream", one.name): pack(one) for one in registration.streams}
        names = sorted(declared)
        kinds = [kind for kind, _ in names]
        specs = [declared[name] for name in names]

        async def work(connection: Connection) -> None:
            number = await next_number(connection, "deploy")
            await fetched(connection, SQL["delete_deploy"], (env, version))
            deploy = (number, env, version, now, *made_of)
            await fetched(connection, SQL["insert_deploy"], deploy)
            declarations = (env, version, kinds, [name for _, name in names], specs)
            await fetched(connection, SQL["upsert_declared"], declarations)
            await fetched(connection, SQL["forget_functions"], (env,))

        await self._database.transact(work)


class PostgresBlobs:
    """The `Blobs` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, key: str, value: bytes, until: Instant = NEVER) -> None:
        """Store the value; the same key again replaces it."""
        await self._database.run(SQL["upsert_blob"], (key, value, until))

    async def first(self, key: str, value: bytes) -> bytes:
        """Store the value if the key has none; return the one that it has now."""
        await self._database.run(SQL["insert_blob"], (key, value))
        return await self.get(key) or value

    async def get(self, key: str) -> bytes | None:
        """Return the value."""
        found = await self._database.rows(SQL["select_blob"], (key,))
        return cast("bytes", found[0][0]) if found else None

    async def drop(self, key: str) -> None:
        """Forget the value."""
        await self._database.run(SQL["delete_blob"], (key,))

    async def purge(self, now: Instant, limit: int) -> int:
        """Forget up to `limit` values whose time was over at `now`; say how many."""
        return len(await self._database.run(SQL["purge_blobs"], (now, limit)))
