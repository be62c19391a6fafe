"""What came of a simulated time: who was woken how late, and what it took.

Owns: counting. Must never know: why anything happened.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import msgspec

from bench.scale import parameters as p

NEVER = -1.0


class Late(msgspec.Struct, frozen=True):
    """How late some were, in seconds."""

    count: int
    p50: float
    p99: float
    most: float


def late(seconds: Sequence[float]) -> Late:
    """Sum it up; of nobody: zeros."""
    ordered = sorted(seconds)
    if not ordered:
        return Late(0, 0.0, 0.0, 0.0)
    count = len(ordered)
    return Late(count, ordered[count // 2], ordered[min(count * 99 // 100, count - 1)], ordered[-1])


class Tally:
    """Each who is woken is noted once; the moments lie in arrays, not in objects."""

    __slots__ = (
        "_area",
        "_at",
        "appends",
        "attempts",
        "connected",
        "inside",
        "lookups",
        "reached",
        "reads",
        "sent",
        "twice",
    )

    def __init__(self, count: int) -> None:
        self.sent = array("d", [NEVER]) * count
        self.reached = array("d", [NEVER]) * count
        self.twice = 0
        self.attempts = self.appends = self.lookups = self.reads = 0
        self.connected = array("d")
        self.inside = 0
        self._area = self._at = 0.0

    def begin(self, who: int, now: float) -> None:
        """Note when somebody was first sent something."""
        self._pass(now)
        self.inside += 1
        self.sent[who] = now

    def end(self, who: int, now: float) -> None:
        """Note when his code has it."""
        self._pass(now)
        self.inside -= 1
        self.twice += self.reached[who] != NEVER
        self.reached[who] = now

    def _pass(self, now: float) -> None:
        self._area += self.inside * (now - self._at)
        self._at = now

    @property
    def together(self) -> float:
        """Return how many were under way on average, counted over the time, not over them."""
        return self._area / self._at if self._at else 0.0

    @property
    def length(self) -> float:
        """Return how long it lasted until the last one had what he was sent."""
        return self._at


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a simulated time."""

    woken: Late
    """Runs that had left."""
    live: Late
    """Messages to live runs."""
    held: Late
    """Whoever was woken and was sent something before the disaster's end, after its beginning."""
    after: Late
    """Likewise in the 20 s after the end."""
    through_s: float
    """From the end of the disaster until all who were held up had what they were sent."""
    back: Late
    """From the end until those who follow were there again."""
    again: Late
    """From the end until the runs that workers had lost were executed again."""
    attempts: float
    """Requests for each message."""
    statements: int
    """For messages; what servers ask without any is `idle`."""
    idle: int
    rows: int
    peak: int
    """Statements in the tenth of a second with the most."""
    loops: float
    """Share of its time that a server's loop was busy."""
    length: float
    together: float
    appends: int
    reads: int
    lookups: int
    redis_bytes: float
    redis_map_bytes: float
    s2_dollars: float


def s2_dollars(appends: int, reads: int) -> float:
    """Return what it costs to append and read so many records, without keeping them."""
    written = appends * p.RECORD.value / 2**30 * p.S2_WRITTEN.value
    return appends / 1e6 * p.S2_APPENDS.value + reads / 1e6 * p.S2_READS.value + written
