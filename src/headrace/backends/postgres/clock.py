"""Time as the database tells it, carried on between its answers by a counter that only goes up.

Owns: how far this machine's counter is from the database's clock.
Must never know: the wall clock of this machine.

Rule 1: never ahead of the database: an answer is heard after it was given, so what it says is over.
Rule 2: never backwards, whatever the database's clock does.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

import anyio

from headrace.backends.clocks import BOOT_CLOCK, SLICE_MS
from headrace.kernel.model import Instant

YOUNG_US: Final = 3_000_000
"""Answers older than this are left out: two clocks drift apart."""


def boot_us() -> int:
    """Return the microseconds since the machine was started, its sleep included."""
    return time.clock_gettime_ns(BOOT_CLOCK) // 1_000


class HeardClock:
    """Starts at `start` (microseconds), as the database has just said, or later."""

    def __init__(self, start: int, counter: Callable[[], int] = boot_us) -> None:
        self._counter, heard = counter, counter()
        self._offset, self._floor = start - heard, Instant(start // 1_000)
        self._answers: deque[tuple[int, int]] = deque([(heard, self._offset)])

    def hear(self, told: int) -> None:
        """Take an answer in that has just come: it was `told` microseconds then."""
        heard = self._counter()
        offset, answers = told - heard, self._answers
        while answers and answers[0][0] < heard - YOUNG_US:
            answers.popleft()
        while answers and answers[-1][1] <= offset:
            answers.pop()
        answers.append((heard, offset))
        # The greatest is that of the answer which was under way for the shortest time.
        self._offset = answers[0][1]

    def now(self) -> Instant:
        """Return the present instant."""
        self._floor = max(self._floor, Instant((self._offset + self._counter()) // 1_000))
        return self._floor

    async def sleep_until(self, moment: Instant) -> None:
        """Return once `moment` is reached."""
        while (left := moment - self.now()) > 0:  # noqa: ASYNC110 - time itself is waited for
            await anyio.sleep(min(left, SLICE_MS) / 1_000)
