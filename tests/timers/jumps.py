"""Timers while somebody sets the wall clock of the machine that server and worker run on.

Owns: when the clock is set, and how long each wait has really taken. Must never know: what is
allowed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

from bench.house import House, opened
from bench.rates import none_is
from headrace import Handle
from tests.timers import journal
from tests.timers.faketime import WallClock
from tests.timers.many import COMMANDS
from tests.timers.noise import listened
from tests.timers.work.tasks import Woken, nap

SETTINGS: Final = ("+1d", "-2d", "+400d", "+0")
DAY_MS: Final = 86_400_000
FIRST_MS, STEP_MS = 1_500, 50


@dataclass(frozen=True, slots=True)
class Naps:
    """What came of waits of known length, in ms: by how much each was longer by true time."""

    longer: Sequence[float]
    early: int
    moved: float
    """How far the worker's wall clock was from one nap to another, at the most."""
    noise: float
    away: float = 0.0
    """How long there was no server."""


def house(clock: WallClock) -> AbstractAsyncContextManager[House]:
    """Open a house whose wall clock can be set."""
    return opened(commands=COMMANDS, environment=clock.environment)


async def set_while_they_wait(clock: WallClock, count: int) -> Naps:
    """Set the clock again and again while so many naps end one after another."""
    clock.set("+0")
    async with house(clock) as at:
        lengths = [FIRST_MS + STEP_MS * number for number in range(count)]
        start = time.monotonic()
        handles = await _started(lengths)
        pause = (lengths[-1] / 1_000 - (time.monotonic() - start)) / (len(SETTINGS) + 1)
        async with listened() as noise:
            for offset in SETTINGS:
                await asyncio.sleep(pause)
                clock.set(offset)
            woken = [await handle.result() for handle in handles]
        return await _judged(at.database, lengths, woken, noise.p99)


async def set_back_before_a_restart(clock: WallClock, ms: int) -> Naps:
    """Kill the server while a nap is on, and start it again two days earlier."""
    clock.set("+0")
    async with house(clock) as at:
        handles = await _started([ms, ms])
        await none_is("QUEUED", "DEQUEUED", "EXECUTING", task=nap.id)
        await at.kill_server()
        start = time.monotonic()
        clock.set("-2d")
        async with listened() as noise:
            await at.start_server()
            away = (time.monotonic() - start) * 1_000
            woken = [await handle.result() for handle in handles]
        return replace(await _judged(at.database, [ms, ms], woken, noise.p99), away=away)


async def _started(lengths: Sequence[int]) -> list[Handle[Woken]]:
    return [
        await nap.trigger({"ms": ms, "silently": number % 2 == 1})
        for number, ms in enumerate(lengths)
    ]


async def _judged(
    database: Path, lengths: Sequence[int], woken: Sequence[Woken], noise: float
) -> Naps:
    timers = await asyncio.to_thread(journal.fired, database)
    return Naps(
        longer=[one["waited"] - ms for one, ms in zip(woken, lengths, strict=True)],
        early=sum(timer.late < 0 for timer in timers),
        moved=max(abs(later["at"] - earlier["at"]) for earlier, later in pairwise(woken)),
        noise=noise,
    )
