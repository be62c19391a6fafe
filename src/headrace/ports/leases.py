"""Which workers are alive, and at which server each sits.

Rule: a worker that holds a run has a lease, or is listed as lapsed. So no run stays in the hands of
nobody, whatever was under way when its worker was given up.
"""

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

    async def renew(self, worker: WorkerId, until: Instant, seat: int) -> Instant:
        """Set the end of the worker's lease, never to an earlier instant; return it.

        `Unseated` when that is not its seat any more.
        """
        ...

    async def drop(self, worker: WorkerId, now: Instant) -> bool:
        """Give the worker up if its lease ended at or before `now`; tell whether it has none."""
        ...

    async def lapsed(self, now: Instant) -> Sequence[WorkerId]:
        """List workers that hold runs without a lease, and those whose lease had ended by `now`."""
        ...

    async def extend(self, until: Instant) -> None:
        """Give every worker known at least until then: for who lets time fly."""
        ...
