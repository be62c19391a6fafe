"""What everybody does about one write that fails: ask again; start the process again that is gone.

Must never know: what was being done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from headrace.errors import Unavailable
from headrace.ports import Stores
from headrace.testing.faults import Crash, Fault, failing

T = TypeVar("T")
TRIES: Final = 10


async def lived(
    stores: Stores, fault: Fault, live: Callable[[Stores], Awaitable[T]]
) -> tuple[T, int]:
    """Live with the fault, and once more if that was the end of the process.

    Return what came of it, and how often was written as long as the fault was there.
    """
    broken, count = failing(stores, fault)
    try:
        return await live(broken), count.writes
    except (Crash, Unavailable):
        pass  # one that cannot even open its store does not come up
    except BaseExceptionGroup as errors:
        if errors.subgroup(Crash) is None:
            raise  # what else it said was said while it went down
    return await live(stores), count.writes


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Call until there is an answer."""
    for _ in range(TRIES):
        try:
            return await call()
        except Unavailable:
            await asyncio.sleep(0)
    return await call()
