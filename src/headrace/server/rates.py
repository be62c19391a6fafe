"""How often a caller may ask under /api, and what every answer there says of it.

Owns: the count, in windows of a minute. Must never know: who the caller is, or any route.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from headrace.errors import Throttled
from headrace.kernel.model import Instant
from headrace.server.calls import Caller
from headrace.wire import http

WINDOW_MS: Final = 60_000
COUNTED: Final = b"/api/"


@dataclass(frozen=True, slots=True)
class Rates:
    """Requests a minute, for each public token and each secret key; 0 is any number."""

    tokens: int = 0
    keys: int = 0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a caller's minute."""

    limit: int
    left: int
    reset: Instant

    @property
    def headers(self) -> dict[str, str]:
        """Say it as the official clients read it: in milliseconds."""
        return {
            http.RATE_LIMIT: str(self.limit),
            http.RATE_LEFT: str(max(0, self.left)),
            http.RATE_RESET: str(self.reset),
        }

    def check(self, now: Instant) -> None:
        """Raise when nothing is left."""
        if self.left < 0:
            raise Throttled(
                f"Rate limit exceeded: {self.limit} requests a minute",
                retry_after=(self.reset - now) / 1_000,
            )


class Meter:
    """Counts the requests of this minute; callers that were let in only, so nobody can fill it."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._minute = 0
        self._asked: dict[bytes, int] = {}

    def count(self, caller: Caller, now: Instant) -> Allowance | None:
        """Count one request; None where there is no limit."""
        limit = self._rates.keys if caller.is_secret else self._rates.tokens
        if not limit:
            return None
        minute = now // WINDOW_MS
        if minute != self._minute:
            self._minute = minute
            self._asked.clear()
        asked = self._asked[caller.digest] = self._asked.get(caller.digest, 0) + 1
        return Allowance(limit, limit - asked, Instant((minute + 1) * WINDOW_MS))
