"""Delayed runs that are put off, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from headrace.backends.memory.runs import REQUEST, apply, places
from headrace.backends.memory.tables import Tables
from headrace.kernel.commands import Change
from headrace.kernel.model import Run
from headrace.ports import Order, Postponed


class MemoryPostponing:
    """The `Postponing` port."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def postpone(self, change: Change, triggers: Sequence[Postponed]) -> Sequence[bool]:
        """Apply `change`, and what each of the triggers says, in one transaction."""
        apply(self._tables, change)
        return [self._taken(change.after, trigger) for trigger in triggers]

    def _taken(self, run: Run, trigger: Postponed) -> bool:
        tables, ticket = self._tables, trigger.ticket
        wanted = list(places(run, trigger.order))
        for place, _ in wanted:
            known = tables.keys.get(place)
            if place.space == REQUEST and known is not None and known.is_taken(trigger.at):
                return True
        if ticket is not None and ticket.token in tables.tickets:
            return False
        if ticket is not None:
            tables.tickets[ticket.token] = ticket.until
        for place, taken in wanted:
            known = tables.keys.get(place)
            if known is None or not known.is_taken(trigger.at):
                tables.keys[place] = taken
        if trigger.replaces:
            self._replace(run, trigger.order)
        return True

    def _replace(self, run: Run, new: Order) -> None:
        order, notes = self._tables.orders[run.id], self._tables.notes[run.id]
        tags, metadata = new.tags or notes.tags, new.metadata or notes.metadata
        self._tables.orders[run.id] = replace(
            order, payload=new.payload, tags=tags, metadata=new.metadata or order.metadata
        )
        self._tables.notes[run.id] = replace(
            notes, tags=tags, metadata=metadata, revision=notes.revision + 1
        )
