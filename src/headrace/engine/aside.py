"""Runs that the timer passes over for now: one that hangs or fails holds up no other.

Owns: which of them are being tried, and how long one rests that has failed.
Must never know: what is due, or why something failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from headrace.kernel.model import RunId

_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.engine")
REST_S = 0.5
"""How long a run rests that has failed: no longer, since it may be the store that was away."""
MOST: Final = 5_000
"""So many are passed over at the most; where more than that hang, who comes behind them is late."""


class Aside:
    """The runs that are passed over; `rested` is called when one is so no more."""

    def __init__(self, rested: Callable[[], None]) -> None:
        self._when_rested = rested
        self._tried: set[RunId] = set()
        self._resting: set[RunId] = set()

    @property
    def count(self) -> int:
        """Return by how many more than are wanted the store has to be asked for."""
        return min(MOST, len(self._tried) + len(self._resting))

    def has(self, run_id: RunId) -> bool:
        """Tell whether the run is passed over."""
        return run_id in self._tried or run_id in self._resting

    def begin(self, run_id: RunId) -> None:
        """Pass over a run that is being tried."""
        self._tried.add(run_id)

    def end(self, run_id: RunId, error: BaseException | None) -> None:
        """Pass over a run no more, unless it has failed: then in a while."""
        self._tried.discard(run_id)
        if error is None:
            return
        if not self._resting:  # else there would be a line for each, as long as a log is away
            _log.warning("a run's time could not pass; trying again", run=run_id, error=repr(error))
        self._resting.add(run_id)
        asyncio.get_running_loop().call_later(REST_S, self._rested, run_id)

    def _rested(self, run_id: RunId) -> None:
        self._resting.discard(run_id)
        self._when_rested()
