"""Rounds in which many are looked at: when the next one begins, and how many at a time.

Must never know: what is looked at, and why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Final, Generic, TypeVar

import structlog

from headrace.errors import HeadraceError

T = TypeVar("T")
_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.engine")
LEAST_S: Final = 1.0
"""How long somebody in a hurry waits for a round at the most, and so the store between two."""
EACH_S: Final = 0.001
"""So long for each that is looked at, if that is less."""


class Pace:
    """Says when a round may begin before its time, since nobody knows what was told meanwhile."""

    def __init__(self) -> None:
        self._hurry = asyncio.Event()
        self._began: float | None = None

    def hurry(self) -> None:
        """Have the next round begin as soon as one may."""
        self._hurry.set()

    def begin(self) -> bool:
        """Begin a round; tell whether somebody is in a hurry."""
        is_hurried = self._hurry.is_set()
        self._hurry.clear()
        return is_hurried

    async def hurried(self, count: int) -> None:
        """Return once somebody is in a hurry, and a round through so many may begin."""
        await self._hurry.wait()
        await asyncio.sleep(min(LEAST_S, EACH_S * count))

    async def next(self, wanted: asyncio.Event, seconds: float, count: int) -> None:
        """Begin a round, `seconds` after the last one began, if it is `wanted`."""
        if not wanted.is_set():
            await wanted.wait()
            self._began = None  # whoever has just come has looked
        now = _time()
        began = now if self._began is None else self._began
        with suppress(TimeoutError):
            async with asyncio.timeout_at(max(began + seconds, now + seconds / 4)):
                await self.hurried(count)
        self.begin()
        self._began = _time()


async def first(*some: Coroutine[object, object, None]) -> None:
    """Return once one of them has; the others are given up."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in some]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()


def _time() -> float:
    return asyncio.get_running_loop().time()


class _Looking(Generic[T]):
    """What has become of looks so far."""

    def __init__(self, items: Iterable[T], look: Callable[[T], Awaitable[None]]) -> None:
        self._source, self._look = iter(items), look
        self.failed: list[HeadraceError] = []
        self.done = 0

    async def work(self, patience: int) -> None:
        """Look at one after the other; give up where so many have failed and none has not."""
        for item in self._source:
            try:
                await self._look(item)
                self.done += 1
            except HeadraceError as error:
                self.failed.append(error)
            if not self.done and len(self.failed) >= patience:
                return


async def each(items: Iterable[T], limit: int, look: Callable[[T], Awaitable[None]]) -> None:
    """Look at all of them, `limit` at a time. One that fails holds up no other.

    Raise what has failed if that was each of the first: then it is the store.
    """
    looking = _Looking(items, look)
    async with asyncio.TaskGroup() as group:
        for _ in range(limit):
            group.create_task(looking.work(limit))
    if not looking.failed:
        return
    count, error = len(looking.failed), looking.failed[0]
    if not looking.done:
        raise error
    _log.warning("some could not be looked at; trying again", count=count, error=str(error))
