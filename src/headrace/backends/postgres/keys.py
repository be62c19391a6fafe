"""Secret keys, and the uses of public tokens, in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import msgspec

from headrace.backends.postgres.around import next_number
from headrace.backends.postgres.database import Connection, Database, fetched
from headrace.backends.postgres.queries import SQL
from headrace.backends.rows import Row
from headrace.kernel.model import EnvId, Instant
from headrace.ports import Counted, Credential, Use

_pack: Final = msgspec.msgpack.Encoder().encode
_scopes: Final = msgspec.msgpack.Decoder(tuple[str, ...]).decode


class PostgresCredentials:
    """The `Credentials` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, credential: Credential, now: Instant) -> None:
        """Keep a key."""
        await self._database.transact(lambda connection: _add(connection, credential, now))

    async def end(
        self,
        env: EnvId,
        key_id: str,
        until: Instant,
        now: Instant,
        *,
        new: Credential | None = None,
    ) -> bool:
        """Let a key end at `until`, never later than it would, and keep `new` in its place."""

        async def work(connection: Connection) -> bool:
            revision = await next_number(connection, "credential")
            values = (env, key_id, until, now, revision)
            if not await fetched(connection, SQL["end_credential"], values):
                raise _NothingEnds
            if new is not None:
                await _add(connection, new, now)
            await fetched(connection, SQL["forget_sealed"], (now,))
            return True

        try:
            return await self._database.transact(work)
        except _NothingEnds:
            return False

    async def listing(self, env: EnvId) -> Sequence[Credential]:
        """List the environment's keys, newest first, those that have ended as well."""
        found = await self._database.rows(SQL["select_credentials"], (env,))
        return [_credential(row) for row in found]

    async def current(self, now: Instant) -> Sequence[Credential]:
        """List the keys of all environments that have not ended, newest first."""
        found = await self._database.rows(SQL["select_current"], (now,))
        return [_credential(row) for row in found]

    async def revision(self) -> int:
        """Return a number that grows with every change of keys."""
        found = await self._database.rows(SQL["select_revision"])
        return cast("int", found[0][0])

    async def use(self, use: Use, most: int, repeats_ms: int) -> Counted:
        """Count a use, if there are fewer than `most`."""
        place, lock = (use.env, use.token, use.name), (f"use of {use.env} {use.token.hex()}",)

        async def work(connection: Connection) -> Counted:
            await fetched(connection, SQL["lock_token"], lock)
            counted = await count(connection)
            await fetched(connection, SQL["unlock_token"], lock)
            return counted

        async def count(connection: Connection) -> Counted:
            await fetched(connection, SQL["forget_uses"], (use.at,))
            rows = await fetched(connection, SQL["select_use"], place)
            first, uses = cast("tuple[int | None, int]", rows[0])
            if first is not None:
                if first + repeats_ms <= use.at:
                    return Counted.SPENT
                await fetched(connection, SQL["repeat_use"], place)
                return Counted.AGAIN
            if uses >= most:
                return Counted.SPENT
            await fetched(connection, SQL["insert_use"], (*place, use.at, use.until))
            return Counted.NEW

        return await self._database.transact(work)

    async def give_back(self, use: Use) -> None:
        """Take back a use that came to nothing, unless it was repeated."""
        await self._database.run(SQL["delete_use"], (use.env, use.token, use.name))


class _NothingEnds(Exception):
    """There is no such key, or it has ended: the number that was taken is given back."""


async def _add(connection: Connection, one: Credential, now: Instant) -> None:
    scopes = None if one.scopes is None else _pack(one.scopes)
    revision = await next_number(connection, "credential")
    values = (one.id, one.env, one.name, one.hint, one.digest, scopes, one.sealed or None)
    await fetched(connection, SQL["insert_credential"], (*values, one.created, one.until, revision))
    await fetched(connection, SQL["forget_sealed"], (now,))


def _credential(row: Row) -> Credential:
    key_id, env, name, hint, digest, scopes, sealed, created, until = row
    return Credential(
        id=cast("str", key_id),
        env=cast("EnvId", env),
        name=cast("str", name),
        hint=cast("str", hint),
        digest=cast("bytes", digest),
        created=cast("Instant", created),
        until=cast("Instant | None", until),
        scopes=None if scopes is None else _scopes(cast("bytes", scopes)),
        sealed=cast("bytes", sealed or b""),
    )
