"""Whether messages are being sent again, so that their keys had better be looked up first.

Owns: when a repeat was met last. Must never know: messages.

An append refuses a key that is taken, so a new message need not be looked up. But the refusal
undoes a group of writes, and repeats come many at a time: when a server or a network is back.
"""

from __future__ import annotations

from typing import Final

from headrace.kernel.model import Instant, later
from headrace.ports import Clock

EXPECTED_MS: Final = 1_000
"""For so long after one repeat others are expected."""


class Repeats:
    """One per engine."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._until = clock, Instant(0)

    @property
    def are_expected(self) -> bool:
        """Tell whether to look a key up before its message is appended."""
        return self._clock.now() < self._until

    def met(self) -> None:
        """Note that somebody sends again."""
        self._until = later(self._clock.now(), EXPECTED_MS)
