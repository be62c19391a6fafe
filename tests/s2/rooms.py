"""What tests open S2 with. Must never know: what is tested."""

from __future__ import annotations

import itertools
from hashlib import blake2b

from headrace.backends.s2 import Patience

HASTE = Patience(silence=0.2, connecting=0.5, call=1.0, everything=2.0)
"""For faults that a test waits out."""
_openings = itertools.count()


class Chance:
    """The same in every test, but another in every opening: as processes differ."""

    def __init__(self) -> None:
        self._seed, self._count = next(_openings), 0

    def jitter(self) -> float:
        """Return a number in [0, 1)."""
        return 0.5

    def unique(self, size: int) -> bytes:
        """Return bytes that no earlier call gave."""
        self._count += 1
        return blake2b(f"{self._seed}/{self._count}".encode(), digest_size=size).digest()
