"""Many timers that are due within a few seconds, over the whole system.

Owns: setting them, and measuring how late each was. Must never know: what is allowed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.house import Commands, opened
from bench.rates import SENDERS, all_at_once, none_is
from bench.samples import quantile, watched
from tests.timers import journal
from tests.timers.noise import listened
from tests.timers.work import tasks
from tests.timers.work.tasks import appointment, nap

COMMANDS: Final = Commands.for_file(tasks.__file__)
LEAD_S: Final = 2.0
STARTS_A_SECOND: Final = 300
"""As many runs as even a busy machine starts."""
POLL_S: Final = 0.05
PATIENCE_S: Final = 90.0
OVERDUE_AFTER_S: Final = 3


@dataclass(frozen=True, slots=True)
class Lateness:
    """What came of many timers, in ms; `noise` is how late this process was meanwhile."""

    count: int
    window_s: float
    early: int
    p50: float
    p99: float
    most: float
    noise: float
    foreign: float


async def many(count: int, window_s: float) -> Lateness:
    """Let so many runs wait until moments within the window, and see when each goes on."""
    async with opened(commands=COMMANDS) as house:
        begin = time.time() + LEAD_S + count / STARTS_A_SECOND
        step, numbers = window_s / count, iter(range(count))

        async def start(_sender: int) -> None:
            for number in numbers:
                at = round((begin + number * step) * 1_000)
                await appointment.trigger({"at": at, "silently": number % 2 == 1})

        await all_at_once(start, range(SENDERS))
        await none_is("QUEUED", "DEQUEUED", "EXECUTING", task=appointment.id)
        if time.time() > begin:
            raise AssertionError("this machine is too busy: the timers were not set in time")
        async with listened() as noise:
            with watched(house.pids) as watch:
                await _time(begin + window_s)
                await _all_over(house.database)
        timers = await asyncio.to_thread(journal.fired, house.database)
        if len(timers) != count:
            raise AssertionError(f"{count} timers were set, {len(timers)} have fired")
        felt = [timer.felt for timer in timers]
        return Lateness(
            count=count,
            window_s=window_s,
            early=sum(timer.late < 0 for timer in timers),
            p50=quantile(felt, 0.5),
            p99=quantile(felt, 0.99),
            most=max(felt),
            noise=noise.p99,
            foreign=watch.foreign,
        )


@dataclass(frozen=True, slots=True)
class Overdue:
    """What came of timers that were due while no server was there, in ms after it served again."""

    count: int
    early: int
    answered: float
    on_disk: float
    went_on: float
    noise: float


async def overdue(count: int) -> Overdue:
    """Kill the server before so many timers are due, and start it again when all of them are."""
    async with opened(commands=COMMANDS) as house:
        due = await _park(count)
        await house.kill_server()
        already = len(await asyncio.to_thread(journal.fired, house.database))
        await _time(due)
        async with listened() as noise:
            await house.start_server()
            serves = time.time() * 1_000
            on_disk = await _until(lambda: len(journal.fired(house.database)) == count)
            went_on = await _until(lambda: journal.unfinished(house.database) == 0)
        timers = await asyncio.to_thread(journal.fired, house.database)
        if already:
            raise AssertionError("this machine is too busy: timers had fired before the kill")
        return Overdue(
            count=count,
            early=sum(timer.late < 0 for timer in timers),
            answered=max(timer.at for timer in timers) - serves,
            on_disk=on_disk - serves,
            went_on=went_on - serves,
            noise=noise.p99,
        )


async def _park(count: int) -> float:
    """Let so many runs wait; return the moment at which all of them are due."""
    numbers = iter(range(count))
    ms = round((OVERDUE_AFTER_S + count / STARTS_A_SECOND) * 1_000)

    async def start(_sender: int) -> None:
        for number in numbers:
            await nap.trigger({"ms": ms, "silently": number % 2 == 1})

    await all_at_once(start, range(SENDERS))
    await none_is("QUEUED", "DEQUEUED", "EXECUTING", task=nap.id)
    return time.time() + ms / 1_000


async def _all_over(database: Path) -> None:
    await _until(lambda: journal.unfinished(database) == 0)


async def _until(holds: Callable[[], bool]) -> float:
    """Return the moment at which it holds, in ms since the epoch."""
    end = time.monotonic() + PATIENCE_S
    while not await asyncio.to_thread(holds):
        if time.monotonic() > end:
            raise AssertionError(f"not within {PATIENCE_S} s")
        await asyncio.sleep(POLL_S)
    return time.time() * 1_000


async def _time(moment: float) -> None:
    """Let time pass until then."""
    await asyncio.sleep(max(0.0, moment - time.time()))
