"""Delayed runs that are put off, in SQLite."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from headrace.backends.rows.orders import SMALL, taken_keys
from headrace.backends.sqlite.queries import SQL
from headrace.backends.sqlite.runs import apply, check_unspent
from headrace.backends.sqlite.writer import Transaction, Writer
from headrace.kernel.commands import Change
from headrace.kernel.model import Run
from headrace.ports import Order, Postponed, Spent

_json = msgspec.json.Encoder().encode


class SqlitePostponing:
    """The `Postponing` port."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def postpone(self, change: Change, triggers: Sequence[Postponed]) -> Sequence[bool]:
        """Apply `change`, and what each of the triggers says, in one transaction."""

        def work(transaction: Transaction) -> list[bool]:
            number = apply(transaction, change)
            return [_taken(transaction, number, change.after, one) for one in triggers]

        return await self._writer.write(work)


def _taken(transaction: Transaction, number: int, run: Run, trigger: Postponed) -> bool:
    db, ticket, keys = transaction.db, trigger.ticket, taken_keys(trigger.order)
    task = transaction.names.task(db, run.env, run.task)
    for space, key, _ in keys:
        asked = (task, space, key, trigger.at)
        if space == "request" and db.rows(SQL["select_taken"], asked):
            return True
    try:
        check_unspent(transaction, ticket)
    except Spent:
        return False
    if ticket is not None:
        db.run(SQL["insert_ticket"], (ticket.token, run.id, ticket.until))
    for space, key, until in keys:
        db.run(SQL["keep_taken"], (task, space, key, number, until, trigger.at))
    if trigger.replaces:
        _replace(transaction, number, trigger.order)
    return True


def _replace(transaction: Transaction, number: int, order: Order) -> None:
    db = transaction.db
    _put(transaction, number, "payload", order.payload, SQL["replace_payload"])
    if order.metadata:
        _put(transaction, number, "metadata", order.metadata, SQL["replace_metadata"])
        db.run(SQL["replace_edited"], (number, order.metadata))
    if order.tags:
        db.run(SQL["replace_tags"], (number, _json(order.tags).decode()))


def _put(transaction: Transaction, number: int, part: str, body: bytes, sql: str) -> None:
    db = transaction.db
    db.run(SQL["delete_large"], (number, part))
    db.run(sql, (number, body if 0 < len(body) <= SMALL else None))
    if len(body) > SMALL:
        db.run(SQL["add_large"], (number, part, body))
