"""Delayed runs that are put off, in Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import msgspec

from headrace.backends.postgres.database import Connection, Database, fetched
from headrace.backends.postgres.landing import Lander, landing
from headrace.backends.postgres.notes import retag
from headrace.backends.postgres.queries import SQL
from headrace.backends.rows import Row
from headrace.backends.rows.orders import SMALL, taken_keys
from headrace.kernel.commands import Change
from headrace.ports import Order, Postponed

_json = msgspec.json.Encoder().encode


class PostgresPostponing:
    """The `Postponing` port."""

    def __init__(self, database: Database, land: Lander) -> None:
        self._database, self._land = database, land

    async def postpone(self, change: Change, triggers: Sequence[Postponed]) -> Sequence[bool]:
        """Apply `change`, and what each of the triggers says, in one transaction."""

        async def work(connection: Connection) -> list[bool]:
            write = landing(change)
            await self._land(connection, [write])
            if write.failure is not None:
                raise write.failure
            return [await _taken(connection, change, one) for one in triggers]

        return await self._database.transact(work)


async def _taken(connection: Connection, change: Change, trigger: Postponed) -> bool:
    run = (await fetched(connection, SQL["select_held_run"], (change.after.id,)))[0]
    (number, _, _, task), ticket = run, trigger.ticket
    keys = sorted(taken_keys(trigger.order))
    for space, key, _ in keys:
        asked = (task, space, key, trigger.at)
        if space == "request" and await fetched(connection, SQL["select_taken"], asked):
            return True
    if ticket is not None:
        used = (ticket.token, number, ticket.until)
        if not await fetched(connection, SQL["insert_ticket"], used):
            return False
    for space, key, until in keys:
        kept = (task, space, key, number, until, trigger.at)
        await fetched(connection, SQL["keep_taken"], kept)
    if trigger.replaces:
        await _replace(connection, run, trigger.order)
    return True


async def _replace(connection: Connection, run: Row, order: Order) -> None:
    number = cast("int", run[0])
    await _put(connection, number, "payload", order.payload)
    if order.metadata:
        await _put(connection, number, "metadata", order.metadata)
        await fetched(connection, SQL["replace_edited"], (number, order.metadata))
    if order.tags:
        tags = _json(order.tags).decode()
        await fetched(connection, SQL["update_tags"], (number, tags))
        await retag(connection, run[:3], set(order.tags))


async def _put(connection: Connection, number: int, part: str, body: bytes) -> None:
    await fetched(connection, SQL["delete_large"], (number, part))
    small = body if 0 < len(body) <= SMALL else None
    await fetched(connection, SQL[f"replace_{part}"], (number, small))
    if len(body) > SMALL:
        await fetched(connection, SQL["add_large"], (number, part, body))
