"""When a public token ends, as the official clients say it.

Owns: the grammar, and how far ahead it may lie. Must never know: what time it is, or tokens.
"""

from __future__ import annotations

import math
import re
from typing import Final

from headrace.errors import BadRequest
from headrace.kernel.model import Instant, later

USUAL_MS: Final = 900_000
MOST_MS: Final = 30 * 86_400_000
_LONGEST: Final = 64
_SPAN: Final = re.compile(
    r"(\+|-)? ?(\d+|\d+\.\d+) ?"
    r"(seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|w|years?|yrs?|y)"
    r"(?: (ago|from now))?",
    re.ASCII | re.IGNORECASE,
)
_UNITS: Final = {
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
    "y": 31_557_600_000,
}


def expires(value: str | float | None, now: Instant) -> Instant:
    """Return the instant: a span of time from now on, or unix seconds; a quarter of an hour."""
    match value:
        case None:
            return later(now, USUAL_MS)
        case str():
            ms = now + _span_ms(value)
        case _:
            ms = value * 1_000
    if not math.isfinite(ms):
        raise BadRequest("Invalid expiration time")
    if ms <= now:
        raise BadRequest("Expiration time must be in the future")
    if ms > now + MOST_MS:
        raise BadRequest("Expiration time cannot exceed 30 days")
    return Instant(int(ms))


def _span_ms(text: str) -> float:
    found = _SPAN.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        raise BadRequest("Invalid expiration time", hint='Say it as "15m", "1h", "7d".')
    sign, number, unit, side = found.groups()
    ms = float(number) * _UNITS[unit[0].lower()]
    return -ms if sign == "-" or (side or "").lower() == "ago" else ms
