"""Time as a store tells it: an instant at the start, carried on by a counter that only goes up.

Owns: how instants pass. Must never know: the wall clock; whoever opens a store says where to start.
"""

from __future__ import annotations

import sys
import time

import anyio

from headrace.kernel.model import EPOCH, Instant

# Counts while the machine sleeps. macOS has no boot-time clock; its monotonic one does the same.
BOOT_CLOCK = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC
SLICE_MS = 60_000
"""Longest sleep at a stretch: timers of the event loop stand still while the machine sleeps."""


def boot_ms() -> int:
    """Return the milliseconds since the machine was started, its sleep included."""
    return time.clock_gettime_ns(BOOT_CLOCK) // 1_000_000


class CarriedClock:
    """Starts at `start` and goes on by boot time: setting the wall clock does not move it."""

    def __init__(self, start: Instant = EPOCH) -> None:
        self._offset = start - boot_ms()

    def now(self) -> Instant:
        """Return the present instant."""
        return Instant(self._offset + boot_ms())

    def lift(self, least: Instant) -> None:
        """Go on from `least`, where that is later."""
        self._offset = max(self._offset, least - boot_ms())

    async def sleep_until(self, moment: Instant) -> None:
        """Return once `moment` is reached."""
        while (left := moment - self.now()) > 0:  # noqa: ASYNC110 - time itself is waited for
            await anyio.sleep(min(left, SLICE_MS) / 1_000)
