"""What is measured, how often, and in which order.

Owns: the counts, and the rounds in which workloads take turns. Must never know: how it is shown.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Final

import msgspec

import headrace
from bench.awaits import awaits
from bench.bottoms import Bottom, dug
from bench.floors import Floor, laid, latency, rate
from bench.footprint import footprint
from bench.house import House, standing
from bench.kills import killed_server, killed_worker
from bench.latency import live_latency, warm_latency
from bench.leaving import evicted, resume
from bench.places import SQLITE, Corner, Ground
from bench.rates import SENDERS, starts, throughput
from bench.samples import Sample
from headrace.client import Client

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
SHARED: Final = ("live", "warm", "evicted", "throughput", "starts")
"""What is measured on servers that many share, unless something else is asked for."""
COMPARED: Final = 5
"""How often in a round: two places differ by less than one place does from minute to minute."""


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


@dataclass(frozen=True, slots=True)
class Stand:
    """A house in its place, and what it stands beside and on."""

    floor: Floor
    bottom: Bottom
    house: House
    api: Client


class InRounds(msgspec.Struct, frozen=True):
    """A workload that takes turns with the others, at one stand in each place."""

    name: str
    serves: frozenset[str]
    work: Callable[[Stand], Awaitable[Sample]]
    turns: int = 1
    """How often in each round."""


class Apart(msgspec.Struct, frozen=True):
    """A workload in houses of its own; `once`: places have nothing to do with it."""

    name: str
    serves: frozenset[str]
    work: Callable[[Corner], Awaitable[Sample]]
    once: bool = False


def _in_rounds(scale: Scale, compared: int) -> tuple[InRounds, ...]:
    """Return the workloads in the order of their turns, each near its floor.

    What one place is compared by with another is done `compared` times a round.
    """
    count, runs, each = scale.messages, SENDERS, scale.per_run
    live, warm = frozenset({"live"}), frozenset({"warm"})
    left = frozenset({"evicted"})
    through, begun = frozenset({"throughput"}), frozenset({"starts"})

    def beside(gap_s: float) -> Callable[[Stand], Awaitable[Sample]]:
        return lambda at: latency(at.floor, at.bottom, count, gap_s)

    return (
        InRounds("floor, 3 ms gaps", live | warm | left, beside(GAP_S)),
        InRounds("live, 3 ms gaps", live, lambda at: live_latency(at.house, count, GAP_S)),
        InRounds(
            "warm, 3 ms gaps", warm, lambda at: warm_latency(at.house, count, GAP_S), compared
        ),
        InRounds("evicted, 3 ms gaps", left, lambda at: evicted(at.house, count)),
        InRounds("floor, back to back", live, beside(0)),
        InRounds("live, back to back", live, lambda at: live_latency(at.house, count, 0)),
        InRounds(
            "floor, 50 at once", through | begun, lambda at: rate(at.floor, runs * each, runs)
        ),
        InRounds("throughput", through, lambda at: throughput(at.house, runs, each)),
        InRounds("starts", begun, lambda at: starts(at.house, scale.starts)),
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
            partial(_looped, python, scale.loops),
            once=True,
        )
        for python in pythons
    )
    kills, endures = frozenset({"kills"}), frozenset({"resume"})
    many, answers = scale.endured, scale.messages // 2
    return (
        *weighing,
        Apart("many earlier waits", endures, partial(resume, FEW, many, answers)),
        *loops,
        Apart("kill -9 of the worker", kills, partial(killed_worker, scale.kills)),
        Apart("kill -9 of the server", kills, partial(killed_server, scale.kills)),
    )


async def _looped(python: str, loops: int, _: Corner) -> Sample:
    return await awaits(python, loops)


class Plan:
    """What was asked for, and where."""

    def __init__(
        self,
        scale: Scale,
        only: Collection[str],
        pythons: Sequence[str] = (sys.executable,),
        places: Sequence[str] = (SQLITE,),
    ) -> None:
        wanted = frozenset(only)
        self._rounds, self._places = scale.rounds, tuple(places)
        compared = COMPARED if len(self._places) > 1 else 1
        self._in_rounds = [one for one in _in_rounds(scale, compared) if one.serves & wanted]
        self._apart = [one for one in _apart(scale, pythons) if one.serves & wanted]

    @property
    def steps(self) -> int:
        """Return how many samples there will be."""
        apart = sum(1 if one.once else len(self._places) for one in self._apart)
        turns = sum(one.turns for one in self._in_rounds)
        return self._rounds * turns * len(self._places) + apart

    async def samples(self, folder: Path, ground: Ground) -> AsyncGenerator[str | Sample]:
        """Yield the name of what comes next, then what came of it."""
        if self._in_rounds:
            async with AsyncExitStack() as stack:
                floor = await stack.enter_async_context(laid(folder))
                corners = [await ground.corner(on) for on in self._places]
                stands = [await _stand(stack, folder, floor, corner) for corner in corners]
                for turn, at in self._turns(stands):
                    yield f"{turn.name}, {at.bottom.on}"
                    headrace.configure(api=at.api)
                    yield _placed(await turn.work(at), at.bottom.on)
                headrace.configure()
        for one in self._apart:
            for on in self._places[:1] if one.once else self._places:
                yield f"{one.name}, {on}"
                yield _placed(await one.work(await ground.corner(on)), on)

    def _turns(self, stands: Sequence[Stand]) -> Iterator[tuple[InRounds, Stand]]:
        """Say who does what when. Who was first is last the next time: turns mean nothing."""
        for number, one in product(range(self._rounds), self._in_rounds):
            for again in range(one.turns):
                order = -1 if (number + again) % 2 else 1
                yield from ((one, at) for at in stands[::order])


async def _stand(stack: AsyncExitStack, folder: Path, floor: Floor, corner: Corner) -> Stand:
    house, api = await stack.enter_async_context(standing(corner=corner))
    return Stand(floor, await stack.enter_async_context(dug(folder, corner)), house, api)


def _placed(sample: Sample, on: str) -> Sample:
    return msgspec.structs.replace(sample, on=on)
