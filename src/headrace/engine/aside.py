"""Runs that the timer passes over for now: one that hangs or fails holds up no other.

Owns: which of them are being tried, and how long one rests that has failed.
Must never know: what is due, or why something failed.
"""

from __future__ import annotations

from typing import Final

import structlog

from headrace.kernel.model import Instant, RunId, later

_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.engine")
REST_MS: Final = 500
"""How long a run rests that has failed: no longer, since it may be the store that was away."""
MOST: Final = 5_000
"""So many are passed over at the most; where more than that hang, who comes behind them is late."""


class Aside:
    """The runs that are passed over."""

    def __init__(self) -> None:
        self._tried: set[RunId] = set()
        self._rests: dict[RunId, Instant] = {}
        """Until when."""

    def count(self, now: Instant) -> int:
        """Forget who has rested, and count the others."""
        self._rests = {run_id: until for run_id, until in self._rests.items() if until > now}
        return min(MOST, len(self._tried) + len(self._rests))

    def has(self, run_id: RunId) -> bool:
        """Tell whether the run is passed over, as far as was counted."""
        return run_id in self._tried or run_id in self._rests

    @property
    def ends(self) -> tuple[Instant, ...]:
        """Return when the first of those has rested that rest, if there are any."""
        return (min(self._rests.values()),) if self._rests else ()

    def begin(self, run_id: RunId) -> None:
        """Pass over a run that is being tried."""
        self._tried.add(run_id)

    def end(self, run_id: RunId, error: BaseException | None, now: Instant) -> None:
        """Pass over a run no more, unless it has failed."""
        self._tried.discard(run_id)
        if error is None:
            return
        if not self._rests:  # else there would be a line for each, as long as a log is away
            _log.warning("a run's time could not pass; trying again", run=run_id, error=repr(error))
        self._rests[run_id] = later(now, REST_MS)
