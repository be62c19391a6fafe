"""Secret keys, and the uses of public tokens, in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import msgspec

from headrace.backends.rows import Row
from headrace.backends.sqlite.database import Database
from headrace.backends.sqlite.queries import SQL
from headrace.backends.sqlite.reader import Reader
from headrace.backends.sqlite.writer import Transaction, Writer
from headrace.kernel.model import EnvId, Instant
from headrace.ports import Counted, Credential, Use

_pack: Final = msgspec.msgpack.Encoder().encode
_scopes: Final = msgspec.msgpack.Decoder(tuple[str, ...]).decode


class SqliteCredentials:
    """The `Credentials` port."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader, self._writer = reader, writer

    async def add(self, credential: Credential, now: Instant) -> None:
        """Keep a key."""
        await self._writer.write(lambda t: _add(t.db, credential, now))

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

        def work(transaction: Transaction) -> bool:
            db = transaction.db
            if not db.run(SQL["end_credential"], (env, key_id, until, now)):
                return False
            if new is not None:
                _add(db, new, now)
            db.run(SQL["forget_sealed"], (now,))
            return True

        return await self._writer.write(work)

    async def listing(self, env: EnvId) -> Sequence[Credential]:
        """List the environment's keys, newest first, those that have ended as well."""
        found = await self._reader.rows(SQL["select_credentials"], (env,))
        return [_credential(row) for row in found]

    async def current(self, now: Instant) -> Sequence[Credential]:
        """List the keys of all environments that have not ended, newest first."""
        found = await self._reader.rows(SQL["select_current"], (now,))
        return [_credential(row) for row in found]

    async def revision(self) -> int:
        """Return a number that grows with every change of keys."""
        found = await self._reader.rows(SQL["select_revision"], ())
        return cast("int", found[0][0])

    async def use(self, use: Use, most: int, repeats_ms: int) -> Counted:
        """Count a use, if there are fewer than `most`."""

        def work(transaction: Transaction) -> Counted:
            db, place = transaction.db, (use.env, use.token, use.name)
            db.run(SQL["forget_uses"], (use.at,))
            if first := db.rows(SQL["select_use"], place):
                if cast("int", first[0][0]) + repeats_ms <= use.at:
                    return Counted.SPENT
                db.run(SQL["repeat_use"], place)
                return Counted.AGAIN
            if cast("int", db.rows(SQL["count_uses"], place[:2])[0][0]) >= most:
                return Counted.SPENT
            db.run(SQL["insert_use"], (*place, use.at, use.until))
            return Counted.NEW

        return await self._writer.write(work)

    async def give_back(self, use: Use) -> None:
        """Take back a use that came to nothing, unless it was repeated."""
        place = (use.env, use.token, use.name)
        await self._writer.write(lambda t: t.db.run(SQL["delete_use"], place))


def _add(db: Database, one: Credential, now: Instant) -> None:
    scopes = None if one.scopes is None else _pack(one.scopes)
    sealed = one.sealed or None
    values = (one.id, one.env, one.name, one.hint, one.digest, scopes, sealed)
    db.run(SQL["insert_credential"], (*values, one.created, one.until))
    db.run(SQL["forget_sealed"], (now,))


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
