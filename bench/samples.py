"""What one workload of one round has shown.

Owns: quantiles, and what is noted beside them. Must never know: how anything is measured.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import msgspec

from bench.machine import Moment, foreign, look

NOBODY: Final[Mapping[str, int]] = {}


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """Figures by name; `cpu_us` is processor time per piece of work, by process; `on` a place."""

    workload: str
    count: int
    seconds: float
    figures: dict[str, float]
    cpu_us: dict[str, float]
    foreign: float
    on: str = "sqlite"


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(taken_ms: Sequence[float]) -> dict[str, float]:
    """Return median and 99th percentile."""
    return {"p50": quantile(taken_ms, 0.5), "p99": quantile(taken_ms, 0.99)}


@dataclass(slots=True)
class Watch:
    """Who has used how much of the machine while a block ran."""

    pids: Mapping[str, int]
    trees: Mapping[str, int]
    before: Moment
    after: Moment

    def sample(self, workload: str, count: int, figures: Mapping[str, float]) -> Sample:
        """Note figures together with what they have cost."""
        used = {
            name: self.after.used_s[pid] - self.before.used_s[pid]
            for name, pid in {**self.pids, **self.trees}.items()
        }
        return Sample(
            workload=workload,
            count=count,
            seconds=self.seconds,
            figures=dict(figures),
            cpu_us={name: seconds / count * 1e6 for name, seconds in used.items()},
            foreign=self.foreign,
        )

    @property
    def foreign(self) -> float:
        """Return the share of the machine that others have used."""
        return foreign(self.before, self.after)

    @property
    def seconds(self) -> float:
        """Return how long it took."""
        return self.after.at - self.before.at


@contextmanager
def watched(pids: Mapping[str, int], trees: Mapping[str, int] = NOBODY) -> Generator[Watch]:
    """Watch these processes, and the rest of the machine, while the block runs.

    Of `trees` with all that they start.
    """
    before = look(pids.values(), trees.values())
    watch = Watch(pids, trees, before, before)
    yield watch
    watch.after = look(pids.values(), trees.values())
