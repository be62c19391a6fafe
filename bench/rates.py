"""How much goes through in a second.

Owns: the workloads throughput (many runs, each sent to in turn) and starts (runs that return at
once). Must never know: how samples are judged.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Final, TypeVar

import headrace
from bench.house import House
from bench.latency import mark, started
from bench.samples import Sample, watched
from bench.work.tasks import Arrival, live, marks, trivial
from headrace import Handle
from headrace.wire.views import Status

T = TypeVar("T")
SENDERS: Final = 50
POLL_S: Final = 0.01
PATIENCE_S: Final = 120.0


async def throughput(house: House, runs: int, messages: int) -> Sample:
    """Send so many messages to each run, one after another, to all the runs at once."""
    handles = [await live.trigger() for _ in range(runs)]
    await started(handles[-1])

    async def send(handle: Handle[list[Arrival]]) -> None:
        for number in range(messages):
            await marks.send(handle, mark(last=number == messages - 1))

    with watched(house.pids, house.behind) as watch:
        await all_at_once(send, handles)
        arrived = [await handle.result() for handle in handles]
    if any(len(seen) != messages - 1 for seen in arrived):
        raise AssertionError("messages are missing")
    count = runs * messages
    return watch.sample("throughput", count, {"per second": count / watch.seconds})


async def starts(house: House, count: int) -> Sample:
    """Start so many runs that return at once, and see all of them finished."""
    numbers = iter(range(count))

    async def start(_sender: int) -> None:
        for number in numbers:
            await trivial.trigger(number)

    with watched(house.pids, house.behind) as watch:
        began = time.perf_counter()
        await all_at_once(start, range(SENDERS))
        triggered_s = time.perf_counter() - began
        await none_is("QUEUED", "DEQUEUED", "EXECUTING", "WAITING", task=trivial.id)
    figures = {"per second": count / watch.seconds, "triggered per second": count / triggered_s}
    return watch.sample("starts", count, figures)


async def none_is(*status: Status, task: str) -> None:
    """Wait until no run of the task is in one of these states."""
    end = time.monotonic() + PATIENCE_S
    while await headrace.runs.list(task=task, status=status, size=1):
        if time.monotonic() > end:
            raise AssertionError(f"a run of {task} is still {status} after {PATIENCE_S} s")
        await asyncio.sleep(POLL_S)


async def all_at_once(
    work: Callable[[T], Coroutine[None, None, None]], things: Iterable[T]
) -> None:
    """Do the work with each of the things, concurrently."""
    async with asyncio.TaskGroup() as group:
        for thing in things:
            group.create_task(work(thing))
