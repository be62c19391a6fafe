"""Time and chance, as this machine has them. Must never know: what they are for."""

from __future__ import annotations

import secrets
import time

from headrace.kernel.model import Instant


def wall_now() -> Instant:
    """Return what this machine's clock says."""
    return Instant(time.time_ns() // 1_000_000)


class SystemChance:
    """Randomness that nobody can foresee."""

    def jitter(self) -> float:
        """Return a number in [0, 1)."""
        return secrets.randbits(53) / (1 << 53)

    def unique(self, size: int) -> bytes:
        """Return `size` unpredictable bytes."""
        return secrets.token_bytes(size)
