"""The values that are carried into another process, each with what must hold of it there.

Owns: how a case is written down. Must never know: how it is carried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Values = dict[str, Any]
Make = Callable[[Path], Values]


@dataclass(frozen=True, slots=True)
class Case:
    """What is saved here, made in an empty folder, and the check that runs there."""

    make: Make
    check: Callable[[Values], None]


CASES: dict[str, Case] = {}


def saved(make: Make) -> Callable[[Callable[[Values], None]], Callable[[Values], None]]:
    """Register a check under its own name."""

    def register(check: Callable[[Values], None]) -> Callable[[Values], None]:
        assert check.__name__ not in CASES, check.__name__
        CASES[check.__name__] = Case(make, check)
        return check

    return register
