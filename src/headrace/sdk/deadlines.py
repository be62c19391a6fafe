"""How long a wait may take, as its caller says it.

Must never know: what is waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from headrace.errors import BadRequest
from headrace.kernel.model import Instant
from headrace.wire.durations import duration_ms, moment

Duration: TypeAlias = str | float | timedelta
"""`"30s"`, `"5m"`, `"1h30m"`, `"7d"`; a number of seconds; or a timedelta."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """When to give up: after a while, at a moment, or never."""

    timeout_ms: int | None = None
    until: Instant | None = None
    shown: str = ""


def deadline(timeout: Duration | None, until: datetime | None) -> Deadline:
    """Return the one of both that was given; neither means never."""
    if timeout is not None and until is not None:
        raise BadRequest("both timeout= and until= were given", hint="Say one of them.")
    if timeout is not None:
        return Deadline(timeout_ms=duration_ms(timeout), shown=f"within {_said(timeout)}")
    if until is not None:
        return Deadline(until=moment(until), shown=f"until {until.isoformat()}")
    return Deadline()


def seconds_text(value: Duration) -> str:
    """Return a duration as the wire has it, in whole seconds, never less than asked for."""
    return f"{-(-duration_ms(value) // 1_000)}s"


def _said(timeout: Duration) -> str:
    return f"{timeout} s" if isinstance(timeout, int | float) else str(timeout)
