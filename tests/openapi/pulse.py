"""Whether the machine was at ease while something took long.

Must never know: what took long.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from types import TracebackType
from typing import Final, Self

BEAT_S: Final = 0.02
KEPT: Final = 3_000
EASE_S: Final = 0.15
"""A thread that only sleeps and wakes later than by this is no thread of a machine at ease."""


class Pulse:
    """A thread that does nothing, on time where the machine lets it."""

    def __init__(self) -> None:
        self._late = deque[tuple[float, float]](maxlen=KEPT)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        due = time.monotonic() + BEAT_S
        while not self._over.wait(max(0.0, due - time.monotonic())):
            now = time.monotonic()
            self.note(now, now - due)
            due = now + BEAT_S

    def note(self, when: float, late_s: float) -> None:
        """Remember how late a beat was."""
        self._late.append((when, late_s))

    def feel(self, seconds: float) -> None:
        """Let some beats pass."""
        self._over.wait(seconds)

    def was_at_ease(self, since: float) -> bool:
        """Tell whether every beat since then was on time."""
        return all(late <= EASE_S for when, late in list(self._late) if when >= since)
