"""How long an answer takes to a run that has left its worker.

Owns: the workloads evicted (a small task) and resume (few earlier waits beside many). Must never
know: how samples are judged.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from bench.house import House, opened
from bench.places import ON_A_FILE, Corner
from bench.rates import all_at_once
from bench.readings import asked
from bench.samples import Sample, quantile, spread, watched
from bench.work.tasks import Mark, Resumed, leaving, marks
from headrace import Handle

AT_A_TIME: Final = 50
"""So many runs take turns: each has left when it is answered next."""
ENDURING: Final = 4
GAP_S: Final = 0.003
LEFT_AT_LEAST: Final = 0.98
PATIENCE_S: Final = 60.0
POLL_S: Final = 0.05
GONE: Final = "SELECT count(*) FROM run WHERE state = 'waiting' AND saved IS NOT NULL"
TURN: Final[Mark] = {"sent": 0, "last": False}

Runs = Sequence[Handle[Resumed]]


async def evicted(house: House, count: int) -> Sample:
    """Answer runs in turn, each after it has left."""
    runs = [await leaving.trigger() for _ in range(AT_A_TIME)]
    await _gone(house, len(runs))
    with watched(house.pids, house.behind) as watch:
        for number in range(count):
            await _answer(runs[number % len(runs)])
    took = await _took(runs, count)
    return watch.sample("evicted paced", count, spread(took))


async def resume(few: int, many: int, count: int, corner: Corner = ON_A_FILE) -> Sample:
    """Answer runs that have waited a few times, and in turn others that have waited often."""
    async with opened(corner=corner) as house:
        fresh = [await leaving.trigger() for _ in range(AT_A_TIME)]
        old = [await leaving.trigger() for _ in range(ENDURING)]
        await _waited(fresh, few)
        await _waited(old, many)
        await _gone(house, len(fresh) + len(old))
        with watched(house.pids, house.behind) as watch:
            for number in range(count):
                await _answer(fresh[number % len(fresh)])
                await _answer(old[number % len(old)])
        after_few = await _took(fresh, count)
        after_many = await _took(old, count)
    middles = quantile(after_few, 0.5), quantile(after_many, 0.5)
    figures = {"few p50": middles[0], "many p50": middles[1], "ratio": middles[1] / middles[0]}
    return watch.sample(f"resume {few} {many}", 2 * count, figures)


async def _answer(run: Handle[Resumed]) -> None:
    await marks.send(run, {"sent": time.monotonic_ns(), "last": False})
    await asyncio.sleep(GAP_S)


async def _waited(runs: Runs, times: int) -> None:
    """Let each wait so often, and be answered."""

    async def turn(run: Handle[Resumed]) -> None:
        for _ in range(times):
            await marks.send(run, TURN)

    await all_at_once(turn, runs)


async def _gone(house: House, count: int) -> None:
    """Wait until so many runs are saved and have left."""
    end = time.monotonic() + PATIENCE_S
    while await asked(house, GONE) < count:
        if time.monotonic() > end:
            raise AssertionError("the runs that wait do not leave")
        await asyncio.sleep(POLL_S)


async def _took(runs: Runs, count: int) -> list[float]:
    """End the runs; return what each message took, in ms, if nearly all met a run that had left."""
    for run in runs:
        await marks.send(run, {"sent": 0, "last": True})
    results = [await run.result() for run in runs]
    took = [ns / 1e6 for result in results for ns in result["took"]]
    if len(took) != count:
        raise AssertionError(f"{count} messages were sent, {len(took)} have arrived")
    stayed = count - sum(result["left"] for result in results)
    if stayed > count * (1 - LEFT_AT_LEAST):
        raise AssertionError(f"{stayed} of {count} answers met a run that had not left")
    return took
