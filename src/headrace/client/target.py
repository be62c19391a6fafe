"""Where a server is and how patient a client is with it.

Owns: addresses, the rule of when a call is made again. Must never know: how a call is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from headrace.kernel.model import Instant

UNREACHABLE = "Start it with `headrace dev FILE`, or say with HEADRACE_URL where it is."
RETRYABLE = frozenset({408, 409, 429})


@dataclass(frozen=True, slots=True)
class Patience:
    """How often, and for how long in all, a call is made again."""

    attempts: int = 5
    first_s: float = 1.0
    factor: float = 1.6
    most_s: float = 30.0
    total_s: float = 60.0
    answer_s: float = 30.0

    def pause_s(self, attempt: int, jitter: float) -> float:
        """Return the pause after failed attempt number `attempt` (from 1 on).

        `jitter`, in [0, 1), shortens it by up to a half: who failed together comes back apart. Not
        by more, since attempts are counted.
        """
        return min(self.first_s * self.factor ** (attempt - 1), self.most_s) * (1 - jitter / 2)


@dataclass(frozen=True, slots=True)
class Target:
    """A server's address, the key that it knows us by, and its socket file for workers, if any."""

    url: str
    key: str = field(repr=False)
    socket: Path | None = None
    patience: Patience = field(default_factory=Patience)


def may_retry(status: int, headers: Mapping[str, str]) -> bool:
    """Tell whether the same call may be made again after such an answer."""
    match headers.get("x-should-retry"):
        case "true":
            return True
        case "false":
            return False
        case _:
            return status in RETRYABLE or status >= 500  # noqa: PLR2004 - any fault of the server


def asked_pause_s(headers: Mapping[str, str], now: Instant) -> float | None:
    """Return how long the server asks to wait; `None` where it does not say."""
    if (reset := _number(headers.get("x-ratelimit-reset"))) is not None and reset > now:
        return (reset - now) / 1000
    return _number(headers.get("retry-after"))


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else max(0.0, float(text))
    except ValueError:
        return None
