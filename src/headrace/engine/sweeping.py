"""What nobody asks for any more is thrown away, now and then, a little at a time.

Must never know: whose it was.
"""

from __future__ import annotations

from typing import Final

from headrace.engine.core import Core
from headrace.kernel.model import later

EVERY_MS: Final = 60_000
BITE: Final = 500
"""Rows of a kind in one transaction: others write in between."""


class Sweeper:
    """Forgets idempotency keys and single-use tokens that are over, and packets of yesterday."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def run(self) -> None:
        """Sweep, rest, and so on. It begins with a rest, since a start has better things to do."""
        clock = self._core.stores.clock
        while True:
            until = later(clock.now(), EVERY_MS)
            while clock.now() < until:
                await clock.sleep_until(until)
            await self.sweep()

    async def sweep(self) -> None:
        """Throw away all that is over by now."""
        stores, now = self._core.stores, self._core.now()
        while await stores.taken.purge(now, BITE) >= BITE:
            pass
        while await stores.blobs.purge(now, BITE) >= BITE:
            pass
