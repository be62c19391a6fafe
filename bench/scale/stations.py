"""What has to be waited for: a loop that does one thing after another, and a database.

Owns: queues in closed form; who comes is served in the order of coming. Must never know: runs.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapreplace
from typing import Final

from bench.scale import parameters as p
from bench.scale.chance import STEPS, spread

MOMENT_S: Final = 0.1


class Loop:
    """One processor. Every so often something else has its turn, which `chores_s` takes."""

    __slots__ = ("_at_once", "_chores_s", "_free", "_next_chores", "_slower", "busy_s")

    def __init__(self, chores_s: float = 0.0, *, at_once: bool = False) -> None:
        """Take the chores of a `RECHECK` in one piece, or evenly between everything else."""
        self._free = 0.0
        self._chores_s, self._at_once = chores_s, at_once
        self._next_chores = p.RECHECK.value
        self._slower = 1.0 if at_once else 1.0 / max(1.0 - chores_s / p.RECHECK.value, 0.05)
        self.busy_s = 0.0

    def passed(self, now: float, takes: float) -> float:
        """Return when something that comes now is done."""
        if self._at_once and now >= self._next_chores:
            began = now - now % p.RECHECK.value
            self._free = max(self._free, began) + self._chores_s
            self._next_chores = began + p.RECHECK.value
        takes *= self._slower
        self.busy_s += takes
        self._free = max(self._free, now) + takes
        return self._free

    def cleared(self, now: float) -> None:
        """Forget what was waiting: the process is another one."""
        self._free = now


class Database:
    """Some cores, and a flush after them. Between `lost` and `back` nobody reaches it."""

    __slots__ = ("_cores", "_draw", "_flush", "back", "lost", "moments", "rows", "statements")

    def __init__(self, draw: Callable[[], float]) -> None:
        self._cores = [0.0] * round(p.CORES.value)
        self._draw = draw
        self._flush = spread(p.FLUSH_P50.value, p.FLUSH_P99.value)
        self.lost = self.back = -1.0
        self.statements = self.rows = 0
        self.moments = dict[int, int]()
        """How many statements came in each `MOMENT_S`."""

    def is_lost(self, now: float) -> bool:
        """Tell whether nobody can reach it."""
        return self.lost <= now < self.back

    def done(self, now: float, rows: int) -> float:
        """Return when a statement that comes now, and changes so many runs, is on disk."""
        self.statements += 1
        self.rows += rows
        moment = int(now / MOMENT_S)
        self.moments[moment] = self.moments.get(moment, 0) + 1
        takes = p.STATEMENT.value + rows * p.ROW.value
        ended = max(self._cores[0], now) + takes
        heapreplace(self._cores, ended)
        return ended + self._flush[int(self._draw() * STEPS)]
