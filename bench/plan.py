"""What is measured, how often, and in which order.

Owns: the counts, and the rounds in which workloads take turns. Must never know: how it is shown.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from bench.awaits import awaits
from bench.floors import Floor, laid, latency, rate
from bench.footprint import footprint
from bench.house import House, opened
from bench.kills import killed_server, killed_worker
from bench.latency import live_latency, warm_latency
from bench.leaving import evicted, resume
from bench.rates import SENDERS, starts, throughput
from bench.samples import Sample

GAP_S: Final = 0.003
WORKLOADS: Final = (
    "live",
    "warm",
    "evicted",
    "throughput",
    "starts",
    "footprint",
    "resume",
    "awaits",
    "kills",
)


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """How much of everything."""

    rounds: int
    messages: int
    per_run: int
    starts: int
    waiting: tuple[int, ...]
    kills: int
    endured: int
    """How many waits are many."""
    loops: int

    def repeated(self, rounds: int) -> Scale:
        """Return the same in so many rounds."""
        return msgspec.structs.replace(self, rounds=rounds)

    def times(self, factor: float) -> Scale:
        """Return less of it, or more; the rounds stay."""
        return Scale(
            rounds=self.rounds,
            messages=max(10, round(self.messages * factor)),
            per_run=max(2, round(self.per_run * factor)),
            starts=max(SENDERS, round(self.starts * factor)),
            waiting=tuple(max(20, round(runs * factor)) for runs in self.waiting),
            kills=max(1, round(self.kills * factor)),
            endured=max(20, round(self.endured * factor)),
            loops=max(2, round(self.loops * factor)),
        )


FEW: Final = 10
"""How many waits are few."""
FULL: Final = Scale(
    rounds=5,
    messages=1_000,
    per_run=100,
    starts=2_000,
    waiting=(1_000, 10_000),
    kills=5,
    endured=10_000,
    loops=21,
)
QUICK: Final = Scale(
    rounds=1,
    messages=300,
    per_run=40,
    starts=1_000,
    waiting=(1_000,),
    kills=1,
    endured=1_000,
    loops=5,
)


class InRounds(msgspec.Struct, frozen=True):
    """A workload that takes turns with the others, in one house and beside one floor."""

    name: str
    serves: frozenset[str]
    work: Callable[[Floor, House], Awaitable[Sample]]


class Apart(msgspec.Struct, frozen=True):
    """A workload in houses of its own."""

    name: str
    serves: frozenset[str]
    work: Callable[[], Awaitable[Sample]]


def _in_rounds(scale: Scale) -> tuple[InRounds, ...]:
    """Return the workloads in the order of their turns, each near its floor."""
    count, runs, each = scale.messages, SENDERS, scale.per_run
    live, warm = frozenset({"live"}), frozenset({"warm"})
    left = frozenset({"evicted"})
    through, begun = frozenset({"throughput"}), frozenset({"starts"})
    return (
        InRounds("floor, 3 ms gaps", live | warm | left, lambda at, _: latency(at, count, GAP_S)),
        InRounds("live, 3 ms gaps", live, lambda _, at: live_latency(at, count, GAP_S)),
        InRounds("warm, 3 ms gaps", warm, lambda _, at: warm_latency(at, count, GAP_S)),
        InRounds("evicted, 3 ms gaps", left, lambda _, at: evicted(at, count)),
        InRounds("floor, back to back", live, lambda at, _: latency(at, count, 0)),
        InRounds("live, back to back", live, lambda _, at: live_latency(at, count, 0)),
        InRounds("floor, 50 at once", through | begun, lambda at, _: rate(at, runs * each, runs)),
        InRounds("throughput", through, lambda _, at: throughput(at, runs, each)),
        InRounds("starts", begun, lambda _, at: starts(at, scale.starts)),
    )


def _apart(scale: Scale, pythons: Sequence[str]) -> tuple[Apart, ...]:
    weighing = tuple(
        Apart(f"{runs} waiting runs", frozenset({"footprint"}), partial(footprint, runs))
        for runs in scale.waiting
    )
    loops = tuple(
        Apart(
            f"await loop by {Path(python).name}",
            frozenset({"awaits"}),
            partial(awaits, python, scale.loops),
        )
        for python in pythons
    )
    kills, endures = frozenset({"kills"}), frozenset({"resume"})
    many, answers = scale.endured, scale.messages // 2
    return (
        *weighing,
        Apart("many earlier waits", endures, lambda: resume(FEW, many, answers)),
        *loops,
        Apart("kill -9 of the worker", kills, lambda: killed_worker(scale.kills)),
        Apart("kill -9 of the server", kills, lambda: killed_server(scale.kills)),
    )


class Plan:
    """What was asked for."""

    def __init__(
        self, scale: Scale, only: Collection[str], pythons: Sequence[str] = (sys.executable,)
    ) -> None:
        wanted = frozenset(only)
        self._rounds = scale.rounds
        self._in_rounds = [one for one in _in_rounds(scale) if one.serves & wanted]
        self._apart = [one for one in _apart(scale, pythons) if one.serves & wanted]

    @property
    def steps(self) -> int:
        """Return how many samples there will be."""
        return self._rounds * len(self._in_rounds) + len(self._apart)

    async def samples(self, folder: Path) -> AsyncGenerator[str | Sample]:
        """Yield the name of what comes next, then what came of it."""
        if self._in_rounds:
            async with laid(folder) as floor, opened() as house:
                for turn in self._in_rounds * self._rounds:
                    yield turn.name
                    yield await turn.work(floor, house)
        for one in self._apart:
            yield one.name
            yield await one.work()
