"""The tasks that are measured: the FILE of the worker.

They see time by the machine's monotonic clock, which the sender reads as well.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final, TypedDict
from weakref import WeakSet

from headrace import streams, task


class Mark(TypedDict):
    """A message: when it was sent, in ns, and whether it is the last one."""

    sent: int
    last: bool


class Arrival(TypedDict):
    """When a message was sent, and when the task had it, in ns."""

    sent: int
    had: int


marks = streams.input("marks", Mark)


@task
async def live() -> list[Arrival]:
    """Hear every mark with `once`: the run stays in its process."""
    seen = list[Arrival]()
    while True:
        mark = await marks.once().unwrap()
        if mark["last"]:
            return seen
        seen.append({"sent": mark["sent"], "had": time.monotonic_ns()})


@task
async def warm() -> list[Arrival]:
    """Wait for every mark: the run is parked, and goes on when it is answered."""
    seen = list[Arrival]()
    while True:
        mark = await marks.wait(timeout="1h").unwrap()
        if mark["last"]:
            return seen
        seen.append({"sent": mark["sent"], "had": time.monotonic_ns()})


class Resumed(TypedDict):
    """How long each message took, in ns, and how many waits had left when they were answered."""

    took: list[int]
    left: int


_here: Final[WeakSet[asyncio.Task[Any]]] = WeakSet()
"""What executes runs of this process that have not left it."""


@task(keep_warm="0s")
async def leaving() -> Resumed:
    """Leave at every wait; a message that was sent at 0 only lets it turn once more."""
    took, left = list[int](), 0
    while True:
        here = asyncio.current_task()
        if here is not None:
            _here.add(here)
        del here
        mark = await marks.wait(timeout="1h").unwrap()
        had = time.monotonic_ns()
        if mark["last"]:
            return {"took": took, "left": left}
        if mark["sent"]:
            took.append(had - mark["sent"])
            left += asyncio.current_task() not in _here


@task
async def trivial(number: int) -> int:
    """Return at once."""
    return number


class Draft(TypedDict):
    """What a waiting run has been started with."""

    title: str
    author: str
    words: int


@task
async def parked(draft: Draft) -> bool:
    """Wait for an answer that may come in a week."""
    mark = await marks.wait(timeout="7d")
    return mark.ok and bool(draft["title"])
