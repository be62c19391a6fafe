"""What tests open S2 with. Must never know: what is tested."""

from __future__ import annotations

import itertools
from dataclasses import replace
from hashlib import blake2b

from headrace.backends.s2 import Patience

CALM = Patience(silence=15.0, connecting=15.0, call=30.0, everything=60.0)
"""Cuts nothing off and gives nothing up, however slow the machine is."""
HASTE = replace(CALM, everything=1.0)
"""Soon does not ask again: for faults that last. It cuts no call off."""
ALERT = replace(CALM, silence=0.2)
"""Soon asks a silent S2 again, and gives nothing up."""
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
