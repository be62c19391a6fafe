"""Waiting for time to pass.

Must never know: clocks.
"""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import datetime
from typing import Any

from headrace.sdk import execution
from headrace.sdk._sync import SyncWaits
from headrace.sdk.deadlines import Duration, deadline
from headrace.sdk.lines import caller_line


class Waits:
    """Durable pauses: the run's memory may be given back, and no restart starts them again."""

    __slots__ = ()

    def for_(self, duration: Duration) -> Coroutine[Any, Any, None]:
        """Wait for as long as said: `await wait.for_("1h")`."""
        limit = deadline(duration, None)
        run = execution.require("wait.for_")
        return run.sleep(timeout_ms=limit.timeout_ms, until=limit.until, line=caller_line())

    def until(self, moment: datetime) -> Coroutine[Any, Any, None]:
        """Wait until an aware datetime; one that is past already ends at once."""
        limit = deadline(None, moment)
        run = execution.require("wait.until")
        return run.sleep(timeout_ms=limit.timeout_ms, until=limit.until, line=caller_line())

    @property
    def sync(self) -> SyncWaits:
        """The same, blocking."""
        return SyncWaits(self)


wait = Waits()
