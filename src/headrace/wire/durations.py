"""Spans and moments as users write them, and as everything inside counts them.

Owns: the grammar of durations, what a moment must say, the ISO form of an instant.
Must never know: what time it is.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from headrace.errors import BadRequest
from headrace.kernel.model import Instant

_MS = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "hr": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
}
_WHOLE = re.compile(r"(?:[0-9]+(?:w|d|hr|h|m|s))+")
_PART = re.compile(r"([0-9]+)(w|d|hr|h|m|s)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ].+)?")
_LONGEST_TEXT = 100
MOST_MS = 100 * 365 * 86_400_000 + 25 * 86_400_000
"""A hundred years."""
_HINT = 'say it as "30s", "5m", "1h30m", "7d", "4w" (units w d h m s), or as seconds'


def duration_ms(value: str | float | timedelta) -> int:
    """Return the milliseconds that `value` stands for: text, seconds, or a timedelta.

    What is finer than a millisecond is rounded up, so that nothing ends too early.
    """
    match value:
        case bool():
            raise _bad(value, "is no duration")
        case str():
            ms = _of_text(value)
        case timedelta():
            ms = -(-value // _MS)
        case int():
            ms = value * 1_000
        case _:
            ms = _of_seconds(value)
    if ms < 0:
        raise _bad(value, "is negative")
    if ms > MOST_MS:
        raise _bad(value, "is longer than 100 years")
    return ms


def moment(value: datetime) -> Instant:
    """Return the instant of an aware datetime. Whatever lies before 1970 counts as its start."""
    if value.utcoffset() is None:
        raise BadRequest(
            f"the moment {value.isoformat()} has no time zone",
            hint="use an aware datetime, such as datetime(..., tzinfo=UTC)",
        )
    return Instant(max(1, -(-(value - _EPOCH) // _MS)))


def delay_until(value: str | float | timedelta | datetime, now: Instant) -> Instant:
    """Return when a delay is over: a duration from `now`, or a date. What is past means now."""
    match value:
        case datetime():
            until = moment(value)
        case str() if _DATE.fullmatch(value):
            until = moment(_of_date(value))
        case _:
            until = Instant(now + duration_ms(value))
    if until - now > MOST_MS:
        raise _bad(value, "is more than 100 years away")
    return max(until, now)


def date(text: str) -> Instant:
    """Return the instant of an ISO date; without an hour it is midnight in UTC."""
    if not _DATE.fullmatch(text):
        raise _bad(text[:_LONGEST_TEXT], "is no date")
    return moment(_of_date(text))


def iso(instant: Instant) -> str:
    """Return the instant as ISO 8601 text, in UTC with milliseconds."""
    text = (_EPOCH + timedelta(milliseconds=instant)).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _of_text(text: str) -> int:
    if len(text) > _LONGEST_TEXT or not _WHOLE.fullmatch(text):
        raise _bad(text[:_LONGEST_TEXT], "is no duration")
    return sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(text))


def _of_seconds(seconds: float) -> int:
    if not math.isfinite(seconds * 1_000):
        raise _bad(seconds, "is no duration")
    # Microseconds first: 1.1 s is 1100.0000000000001 ms to a float, which is not 1101 ms.
    return math.ceil(round(seconds * 1_000, 3))


def _of_date(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise _bad(text, "is no date") from None
    return found.replace(tzinfo=UTC) if len(text) == len("2026-01-01") else found


def _bad(value: object, why: str) -> BadRequest:
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return BadRequest(f"{shown} {why}", hint=_HINT)
