"""Waiting for time to pass.

Must never know: clocks.
"""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import datetime
from typing import Any

from headrace.sdk import execution
from headrace.sdk._sync import SyncWaits
from headrace.sdk.awaited import Awaited
from headrace.sdk.deadlines import Deadline, Duration, deadline
from headrace.sdk.execution_question import Place
from headrace.sdk.lines import caller_line
from headrace.wire.durations import duration_ms


class Waits:
    """Durable pauses: the run's memory may be given back, and no restart starts them again."""

    __slots__ = ()

    def for_(
        self, duration: Duration, *, keep_warm: Duration | None = None
    ) -> Coroutine[Any, Any, None]:
        """Wait for as long as said: `await wait.for_("1h")`."""
        return _slept("wait.for_", deadline(duration, None), keep_warm)

    def until(
        self, moment: datetime, *, keep_warm: Duration | None = None
    ) -> Coroutine[Any, Any, None]:
        """Wait until an aware datetime; one that is past already ends at once."""
        return _slept("wait.until", deadline(None, moment), keep_warm)

    @property
    def sync(self) -> SyncWaits:
        """The same, blocking."""
        return SyncWaits(self)


def _slept(what: str, limit: Deadline, keep_warm: Duration | None) -> Awaited[None]:
    slept = execution.require(what).sleep(
        timeout_ms=limit.timeout_ms,
        until=limit.until,
        line=caller_line(),
        keep_warm_ms=None if keep_warm is None else duration_ms(keep_warm),
    )
    return Awaited(slept)


def again(place: Place) -> Awaited[None]:
    """Go on with a pause in which a snapshot was made."""
    return Awaited(execution.sleep_on(execution.require("wait"), place, line=caller_line()))


wait = Waits()
