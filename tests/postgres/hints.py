"""Whether hints of one server come through to another, however long it takes them to find out."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from headrace.kernel.model import RunId
from headrace.ports import Stores

EVERY_S = 0.2


async def heard_from(near: Stores, far: Stores, run: RunId) -> None:
    """Return once `near` has heard of a run by name, which `far` announces again and again."""
    async with near.wakeups.listen() as hints, asyncio.timeout(10):
        while True:
            await far.wakeups.announce(run)
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    while await anext(hints) != run:
                        pass
                    return
