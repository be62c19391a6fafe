"""Telling other engines of what only those there care for who look on.

Owns: what has not been told yet, and when it is. Must never know: what follows from a hint.

Rule: a run whose worker sits here goes on here, whatever others know of it. Whoever follows it
      elsewhere hears of it `GATHER_S` later, with all else that has changed meanwhile: a hint costs
      each engine a tenth of what the change did, and most runs change again at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from headrace.kernel.model import RunId

GATHER_S: Final = 0.01


class Onlookers:
    """Hints that may wait a little. `tell` gives one to other engines."""

    def __init__(self, tell: Callable[[RunId], Awaitable[None]]) -> None:
        self._tell = tell
        self._gathered: dict[RunId, None] = {}
        self._filled = asyncio.Event()

    @property
    def is_behind(self) -> bool:
        """Tell whether something waits to be told."""
        return bool(self._gathered)

    def gather(self, hint: RunId) -> None:
        """Have it told soon."""
        self._gathered[hint] = None
        self._filled.set()

    def told(self, hint: RunId) -> None:
        """Note that it has just been told: once is enough."""
        self._gathered.pop(hint, None)

    async def run(self) -> None:
        """Tell what was gathered, for ever."""
        while True:
            await self._filled.wait()
            await asyncio.sleep(GATHER_S)
            self._filled.clear()
            gathered, self._gathered = self._gathered, {}
            for hint in gathered:
                await self._tell(hint)
