"""What a store does when a delayed run is put off by a trigger that would have started another.

Must never know: when that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from headrace.kernel.commands import Change
from headrace.kernel.model import Instant
from headrace.ports.notes import Ticket
from headrace.ports.storage import Order


@dataclass(frozen=True, slots=True)
class Postponed:
    """One trigger. The idempotency keys of its order, as far as free `at` then, are the run's now.

    Where it `replaces`, so is its payload, and its metadata and tags if it has some. A `ticket` is
    used up.
    """

    order: Order
    at: Instant
    replaces: bool = False
    ticket: Ticket | None = None


class Postponing(Protocol):
    """Puts runs off."""

    async def postpone(self, change: Change, triggers: Sequence[Postponed]) -> Sequence[bool]:
        """Apply `change`, and what each of the triggers says, in one transaction.

        `Conflict` as for `Runs.commit`. Nothing is done for a trigger whose request key is taken,
        since it was before; nor for one whose ticket was used, which is told by False.
        """
        ...
