"""The runs here that wait: each leaves when it has been warm for long enough, or memory is short.

Owns: when and in which order; giving the memory back to the machine.
Must never know: how a run leaves.
"""

from __future__ import annotations

import asyncio
import ctypes
import heapq
import itertools
from collections.abc import Callable
from typing import Final, Protocol

IN_A_ROW: Final = 32
"""Runs that leave before the event loop gets a turn: saving one takes some 50 microseconds."""
TRIM_EVERY_S: Final = 1.0


class Warm(Protocol):
    """A run that waits."""

    def leave(self) -> bool:
        """Save it and give it back; tell whether that may succeed."""
        ...


def trim() -> None:
    """Return freed memory to the machine: `malloc` keeps it for itself otherwise."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return  # this system's C library has no such call


class Shelf:
    """Where runs stand while they wait."""

    def __init__(self, trim: Callable[[], None] = trim) -> None:
        self._loop = asyncio.get_running_loop()
        self._trim = trim
        self._due: list[tuple[float, int, Warm]] = []
        self._warm: dict[Warm, int] = {}
        """Least recently parked first; the number says which place in `_due` counts."""
        self._numbers = itertools.count()
        self._news = asyncio.Event()
        self._left = 0

    def __len__(self) -> int:
        return len(self._warm)

    def parked(self, warm: Warm, warm_s: float) -> None:
        """Let it leave after so many seconds."""
        self.woken(warm)
        if warm_s <= 0:
            warm.leave()
            return
        number = self._warm[warm] = next(self._numbers)
        heapq.heappush(self._due, (self._loop.time() + warm_s, number, warm))
        if self._due[0][1] == number:
            self._news.set()

    def woken(self, warm: Warm) -> None:
        """Forget it: it waits no more."""
        self._warm.pop(warm, None)
        if len(self._due) > 2 * len(self._warm) + IN_A_ROW:
            self._due = [one for one in self._due if self._counts(one)]
            heapq.heapify(self._due)

    def gone(self) -> None:
        """Note that one has left, and its memory is free."""
        self._left += 1
        self._news.set()

    def press(self, most: int) -> int:
        """Let those leave soon that have waited longest; return how many."""
        chosen = list(itertools.islice(self._warm, most))
        for warm in chosen:
            number = self._warm[warm] = next(self._numbers)
            heapq.heappush(self._due, (self._loop.time(), number, warm))
        self._news.set()
        return len(chosen)

    async def run(self) -> None:
        """Let each leave when it is due, until cancelled."""
        trimmed = self._loop.time()
        while True:
            self._news.clear()
            pause = self._rest()
            if pause == 0:
                self._let_leave()
                await asyncio.sleep(0)
                continue
            now = self._loop.time()
            if self._left and now >= trimmed + TRIM_EVERY_S:
                self._left, trimmed = 0, now
                await asyncio.to_thread(self._trim)
                continue
            if self._left:
                pause = min(pause or TRIM_EVERY_S, trimmed + TRIM_EVERY_S - now)
            await self._news_or(pause)

    def _rest(self) -> float | None:
        """Return the seconds until the next one is due; None if there is none."""
        while self._due and not self._counts(self._due[0]):
            heapq.heappop(self._due)
        return max(0.0, self._due[0][0] - self._loop.time()) if self._due else None

    def _counts(self, place: tuple[float, int, Warm]) -> bool:
        return self._warm.get(place[2]) == place[1]

    def _let_leave(self) -> None:
        for _ in range(IN_A_ROW):
            if self._rest() != 0:
                return
            _, _, warm = heapq.heappop(self._due)
            self._warm.pop(warm, None)
            warm.leave()

    async def _news_or(self, pause: float | None) -> None:
        try:
            async with asyncio.timeout(pause):
                await self._news.wait()
        except TimeoutError:
            return
