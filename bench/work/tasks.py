"""The tasks that are measured: the FILE of the worker.

They see time by the machine's monotonic clock, which the sender reads as well.
"""

from __future__ import annotations

import time
from typing import TypedDict

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
