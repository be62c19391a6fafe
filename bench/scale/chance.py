"""Chance with a seed: the same seed gives the same world, on every machine.

Must never know: what is drawn for whom.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import NormalDist
from typing import Final

STEPS: Final = 1_024


def draws(seed: int) -> Callable[[], float]:
    """Return what gives numbers in [0, 1), one after another."""
    return random.Random(seed).random  # noqa: S311 - no secret


def spread(p50: float, p99: float) -> list[float]:
    """Return `STEPS` values, equally likely, of a log-normal with this median and percentile."""
    normal, far = NormalDist(), NormalDist().inv_cdf(0.99)
    steps = (normal.inv_cdf((step + 0.5) / STEPS) / far for step in range(STEPS))
    return [p50 * (p99 / p50) ** each for each in steps]


def arrivals(count: int, begin: float, length: float, draw: Callable[[], float]) -> list[float]:
    """Return `count` moments, in order, each anywhere in the time: so come independent senders."""
    return sorted([begin + length * draw() for _ in range(count)])
