"""How often, and how soon, something is tried again, as task authors say it.

Must never know: what is tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from headrace.errors import BadRequest
from headrace.kernel import model
from headrace.wire.durations import duration_ms

_MOST_MS = model.Retry().most_ms


@dataclass(frozen=True, slots=True)
class Retry:
    """Up to `max_attempts` tries; the pause grows from `first` by `factor`, up to `most`.

    `most` is 30 seconds, or `first` where that is longer, unless it is given. With `jitter` a
    pause lies between half and all of that, so that what failed together does not come back
    together.
    """

    max_attempts: int = 3
    first: str | float | timedelta = "1s"
    factor: float = 2.0
    most: str | float | timedelta | None = None
    jitter: bool = True

    def __post_init__(self) -> None:
        self.policy()  # what is wrong with it is said where it is written

    def policy(self, max_attempts: int | None = None) -> model.Retry:
        """Return it in the kernel's terms."""
        attempts = self.max_attempts if max_attempts is None else max_attempts
        if attempts < 1:
            raise BadRequest(f"max_attempts is at least 1, not {attempts}")
        if not 1 <= self.factor < float("inf"):
            raise BadRequest(f"factor is at least 1, not {self.factor}")
        first = duration_ms(self.first)
        most = max(first, _MOST_MS) if self.most is None else duration_ms(self.most)
        if most < first:
            raise BadRequest(f"most, {self.most}, is less than first, {self.first}")
        return model.Retry(
            max_attempts=attempts,
            first_ms=first,
            factor=self.factor,
            most_ms=most,
            jitter=self.jitter,
        )


@dataclass(slots=True)
class Pauses:
    """How the time between two tries of a step passes; a harness lets it pass at once."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


pauses = Pauses()
