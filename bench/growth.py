"""`python -m bench.growth`: what a run costs on one server with two workers, and on two with four.

Owns: the command, the workloads and the rounds. Must never know: how a fleet is started, or what
the page says.

Both fleets stand all the time, on the same Postgres and Redis, in databases of their own, and take
turns: what one does while the other is measured is little, and is not counted to the other.

Each server gets as many runs, and as many in a second: a fleet is made larger because there is
more to do. Callers as fast as they can are measured as well, and tell of the machine: two servers,
and what calls them, share the cores that one had, so each has fewer runs in a second. Then fewer
share a commit, and what a server does however many runs there are is divided by fewer.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
import uvloop

from bench.fleets import SIZES, UNENDED, Fleet, standing
from bench.growth_page import Growth, Turn, put, shown
from bench.machine import foreign, look, machine
from bench.places import PLACES, SQLITE, Ground, laid_out
from bench.rates import SENDERS, all_at_once
from bench.work.tasks import marks, parked, trivial
from headrace.wire.views import TriggerOrder

ON: Final = "postgres+redis"
SHARED: Final = tuple(place for place in PLACES if place != SQLITE)
NUMBER: Final = TriggerOrder(payload=msgspec.Raw(b"1"))
DRAFT: Final = TriggerOrder(payload=msgspec.Raw(b'{"title":"Mills","author":"alice","words":1}'))
RATE: Final = 100.0
ANSWER: Final = b'{"sent":1,"last":true}'


@dataclass(frozen=True, slots=True)
class Load:
    """What each server gets in a turn: so many runs, so many of them in a second."""

    runs: int
    rate: float


Work = Callable[[Fleet, Load], Awaitable[None]]


async def trivially(fleet: Fleet, load: Load) -> None:
    """Start runs at every server in turn, and see all of them finished."""

    async def start(number: int) -> None:
        await fleet.speaker(number).trigger(trivial.id, NUMBER)

    await shared_out(start, load, fleet)
    await fleet.none_is(*UNENDED, task=trivial.id)


async def answered(fleet: Fleet, load: Load) -> None:
    """Start runs that wait, and answer them through any server: that of the start or another."""
    waiting = list[tuple[int, str]]()

    async def start(number: int) -> None:
        begun = await fleet.speaker(number // 2).trigger(parked.id, DRAFT)
        waiting.append((number, begun.id))

    async def answer(number: int) -> None:
        begun, run_id = waiting[number]
        receipt = await fleet.speaker(begun).send(run_id, marks.id, ANSWER)
        if receipt.duplicate:
            raise AssertionError("nobody has answered before")

    await shared_out(start, load, fleet)
    await fleet.none_is("QUEUED", "DEQUEUED", "EXECUTING", task=parked.id)
    await shared_out(answer, load, fleet)
    await fleet.none_is(*UNENDED, task=parked.id)


async def shared_out(
    work: Callable[[int], Coroutine[None, None, None]], load: Load, fleet: Fleet
) -> None:
    """Do it for each number in its time, by whoever is free; as many are at it for each server."""
    servers, began = fleet.size.servers, time.perf_counter()
    numbers = iter(range(load.runs * servers))

    async def some(_sender: int) -> None:
        for number in numbers:
            at = began + number / (load.rate * servers)
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            await work(number)

    await all_at_once(some, range(SENDERS * servers))


WORKLOADS: Final[dict[str, Work]] = {
    "a run that returns at once": trivially,
    "a run that waits and is answered once": answered,
}


async def measured(ground: Ground, on: str, loads: Sequence[Load], rounds: int) -> list[Turn]:
    """Let the fleets take turns; the first round warms up, and does not count."""
    turns = list[Turn]()
    async with AsyncExitStack() as stack:
        fleets = [
            await stack.enter_async_context(standing(size, await ground.corner(on)))
            for size in SIZES
        ]
        for number in range(rounds + 1):
            order = fleets[:: -1 if number % 2 else 1]
            for load, workload, fleet in product(loads, WORKLOADS, order):
                some = load if number else replace(load, runs=max(1, load.runs // 4))
                turn = await _turn(workload, fleet, some)
                if number:
                    turns.append(turn)
                    print(f"{number}/{rounds} {turn}", file=sys.stderr)
    return turns


async def _turn(workload: str, fleet: Fleet, load: Load) -> Turn:
    runs = load.runs * fleet.size.servers
    seen, before, began = look([os.getpid()]), fleet.used_s(), time.perf_counter()
    await WORKLOADS[workload](fleet, load)
    took = time.perf_counter() - began
    after, again = fleet.used_s(), look([os.getpid()])
    used = {who: (after[who] - before[who]) / runs * 1e6 for who in after}
    ours = (sum(after.values()) - sum(before.values())) / took / (os.cpu_count() or 1)
    return Turn(
        workload=workload,
        rate=load.rate,
        size=str(fleet.size),
        cpu_us=used,
        per_second=runs / took,
        others=max(0.0, foreign(seen, again) - ours),
    )


def main(arguments: Sequence[str]) -> int:
    """Measure, show, and write down."""
    parser = argparse.ArgumentParser("python -m bench.growth", description="What a run costs.")
    parser.add_argument("--on", default=ON, choices=SHARED, help="where the fleets keep things")
    parser.add_argument("--runs", type=int, default=1_000, help="for each server, in each turn")
    parser.add_argument("--rate", type=float, default=RATE, help="for each server, in a second")
    parser.add_argument("--rounds", type=int, default=5, help="how often the fleets take turns")
    parser.add_argument("--write", action="store_true", help="put it into the docs")
    options = parser.parse_args(arguments)
    loads = [Load(options.runs, rate) for rate in (options.rate, math.inf)]
    with laid_out([options.on]) as ground:
        turns = uvloop.run(measured(ground, options.on, loads, options.rounds))
    with TemporaryDirectory(prefix="headrace-bench-") as folder:
        described = machine(Path(folder))
    growth = Growth(
        at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        command=" ".join(["python -m bench.growth", *arguments]),
        machine=described,
        turns=turns,
    )
    print(shown(growth))
    if options.write:
        put(growth)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
