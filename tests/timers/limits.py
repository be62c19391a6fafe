"""What is promised of timers, and how much more a busy machine is allowed.

Must never know: how anything is measured.
"""

from __future__ import annotations

from typing import Final

LATE_MS: Final = 250.0
"""At the 99th percentile, with the server up."""
OVERDUE_MS: Final = 2_000.0
"""From the moment a server serves again."""
STEPS: Final = 10
"""So often, one after another, a timer's way needs a processor that others may have."""


def allowed(promised_ms: float, noise_ms: float) -> float:
    """Return the limit on a machine that lets even a sleeper be late by so much."""
    return promised_ms + STEPS * noise_ms
