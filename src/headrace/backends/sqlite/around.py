"""Leases, catalog and blobs in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from headrace.backends.rows.catalog import Declared, pack
from headrace.backends.sqlite.queries import SQL
from headrace.backends.sqlite.reader import Reader
from headrace.backends.sqlite.writer import Transaction, Writer
from headrace.kernel.model import EnvId, Instant, WorkerId
from headrace.ports import NEVER, Unseated
from headrace.wire.registration import Registration


class SqliteLeases:
    """The `Leases` port."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader, self._writer = reader, writer

    async def sit(self, worker: WorkerId, until: Instant) -> int:
        """Seat the worker, with a lease until then; return the number of its seat."""
        found = await self._writer.write(lambda t: t.db.rows(SQL["upsert_lease"], (worker, until)))
        return cast("int", found[0][0])

    async def renew(self, worker: WorkerId, until: Instant, seat: int) -> Instant:
        """Set the end of the worker's lease, never to an earlier instant; return it."""
        values = (worker, until, seat)
        found = await self._writer.write(lambda t: t.db.rows(SQL["renew_lease"], values))
        if not found:
            raise Unseated
        return cast("Instant", found[0][0])

    async def drop(self, worker: WorkerId, now: Instant) -> bool:
        """Give the worker up if its lease had ended by then; tell whether it has none."""

        def work(transaction: Transaction) -> bool:
            transaction.db.run(SQL["delete_lease"], (worker, now))
            return not transaction.db.rows(SQL["select_lease"], (worker,))

        return await self._writer.write(work)

    async def lapsed(self, now: Instant) -> Sequence[WorkerId]:
        """List workers that hold runs without a lease, then those whose lease had ended."""
        found = await self._reader.rows(SQL["select_lapsed"], (now,))
        return [cast("WorkerId", worker) for worker, _ in found]

    async def extend(self, until: Instant) -> None:
        """Give every worker known at least until then."""
        await self._writer.write(lambda t: t.db.run(SQL["extend_leases"], (until,)))


class SqliteCatalog(Declared):
    """The `Catalog` port."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        super().__init__(reader.rows, SQL)
        self._writer = writer

    async def register(self, env: EnvId, registration: Registration, now: Instant) -> None:
        """Keep a version's tasks and streams; the latest registration of a name counts."""
        version = registration.version
        made_of = (registration.python, pack(registration.functions))
        tasks = [(env, "task", one.id, version, pack(one)) for one in registration.tasks]
        streams = [(env, "stream", one.name, version, pack(one)) for one in registration.streams]

        def work(transaction: Transaction) -> None:
            transaction.db.run(SQL["delete_deploy"], (env, version))
            transaction.db.run(SQL["insert_deploy"], (env, version, now, *made_of))
            for values in (*tasks, *streams):
                transaction.db.run(SQL["upsert_declared"], values)
            transaction.db.run(SQL["forget_functions"], (env,))

        await self._writer.write(work)


class SqliteBlobs:
    """The `Blobs` port."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader, self._writer = reader, writer

    async def put(self, key: str, value: bytes, until: Instant = NEVER) -> None:
        """Store the value; the same key again replaces it."""
        await self._writer.write(lambda t: t.db.run(SQL["upsert_blob"], (key, value, until)))

    async def first(self, key: str, value: bytes) -> bytes:
        """Store the value if the key has none; return the one that it has now."""
        await self._writer.write(lambda t: t.db.run(SQL["insert_blob"], (key, value)))
        return await self.get(key) or value

    async def get(self, key: str) -> bytes | None:
        """Return the value."""
        found = await self._reader.rows(SQL["select_blob"], (key,))
        return cast("bytes", found[0][0]) if found else None

    async def drop(self, key: str) -> None:
        """Forget the value."""
        await self._writer.write(lambda t: t.db.run(SQL["delete_blob"], (key,)))

    async def purge(self, now: Instant, limit: int) -> int:
        """Forget up to `limit` values whose time was over at `now`; say how many."""
        return await self._writer.write(lambda t: t.db.run(SQL["purge_blobs"], (now, limit)))
