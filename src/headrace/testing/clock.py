"""Time that a test moves by hand: days pass in milliseconds."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count

from headrace.kernel.model import Instant, later

START = Instant(1_700_000_000_000)


class ManualClock:
    """Stands still until it is told to go on; whoever sleeps on it wakes in the order of time."""

    def __init__(self, start: Instant = START) -> None:
        self._now = start
        self._sleepers: list[tuple[Instant, int, asyncio.Event]] = []
        self._numbers = count()

    def now(self) -> Instant:
        """Return the present instant."""
        return self._now

    def advance(self, ms: int) -> Instant:
        """Let `ms` milliseconds pass, and wake whoever has slept long enough."""
        if ms < 0:
            raise ValueError("time does not go back")
        self._now = later(self._now, ms)
        while self._sleepers and self._sleepers[0][0] <= self._now:
            heapq.heappop(self._sleepers)[2].set()
        return self._now

    @property
    def next_alarm(self) -> Instant | None:
        """Return the earliest instant that somebody sleeps for."""
        return self._sleepers[0][0] if self._sleepers else None

    async def sleep_until(self, moment: Instant) -> None:
        """Return once `moment` is reached."""
        if moment <= self._now:
            await asyncio.sleep(0)
            return
        sleeper = (moment, next(self._numbers), asyncio.Event())
        heapq.heappush(self._sleepers, sleeper)
        try:
            await sleeper[2].wait()
        finally:
            if sleeper in self._sleepers:
                self._sleepers.remove(sleeper)
                heapq.heapify(self._sleepers)
