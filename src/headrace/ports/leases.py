"""Which workers are alive, and at which server each sits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from headrace.kernel.model import Instant, WorkerId


class Unseated(Exception):
    """The worker has sat down elsewhere, or was given up. Nothing was written."""


class Leases(Protocol):
    """Which workers are alive: a row each.

    A worker sits at one server at a time. Its seats are numbered upwards, and a number is never
    given again, not even when the worker was forgotten in between.
    """

    async def sit(self, worker: WorkerId, until: Instant) -> int:
        """Seat the worker, its lease not ending before `until`; return the number of its seat."""
        ...

    async def renew(self, worker: WorkerId, until: Instant, seat: int) -> None:
        """Set the end of the worker's lease, never to an earlier instant.

        `Unseated` when that is not its seat any more.
        """
        ...

    async def drop(self, worker: WorkerId, now: Instant) -> None:
        """Forget the worker, if its lease ended at or before `now`."""
        ...

    async def lapsed(self, now: Instant) -> Sequence[WorkerId]:
        """List workers whose lease ended at or before `now`."""
        ...

    async def extend(self, until: Instant) -> None:
        """Give every worker known at least until then (after an outage of the server)."""
        ...
