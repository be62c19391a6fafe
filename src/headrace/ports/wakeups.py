"""How engines hear of each other.

Must never know: what a hint means to whoever hears it. Beside ids of runs they have other words.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from headrace.kernel.model import RunId

ANYTHING = RunId("")
"""Announced instead of a run's id: any run may have changed, look again."""


class Wakeups(Protocol):
    """Hints between engines: may lose, may double, may come late, may say `ANYTHING`.

    An engine announces under a name of its own, and hears everybody `but` itself: it knows.
    """

    async def announce(self, run_id: RunId, by: str = "") -> None:
        """Say that something about the run has changed."""
        ...

    def listen(self, but: str = "") -> AbstractAsyncContextManager[AsyncIterator[RunId]]:
        """Hear what is announced from now on, in this process or another; not by `but`."""
        ...
