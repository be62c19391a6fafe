"""Writes of one kind, in groups: a group is what was queued while the last one was under way.

Owns: grouping, what is tried again and how, who is told what.
Must never know: what is written.

Rule 1: an answer is given after the commit, never before.
Rule 2: a write that fails leaves nothing behind and takes nobody with it.
Rule 3: no two writes of a group touch the same thing; the later one waits for the next group.
Rule 4: no timers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import anyio

from headrace.backends.postgres.database import (
    AGAIN_AT_MOST,
    LOST,
    Connection,
    Database,
    busy,
)
from headrace.backends.postgres.faults import (
    AGAIN,
    BROKEN,
    TAKEN,
    TROUBLE,
    is_gone,
    may_be_of_one,
    meaning,
)
from headrace.errors import Unavailable

T = TypeVar("T")
WRITES_AT_MOST: Final = 200
BYTES_AT_MOST: Final = 4_000_000


class Unlanded(Exception):
    """The group was undone, because some of it cannot be done: they have their failures."""


@dataclass(slots=True, eq=False)
class Write(Generic[T]):
    """One write, and the answer to it. `alone`: in a group of its own."""

    touches: frozenset[Hashable]
    weight: int = 0
    alone: bool = False
    value: T | None = None
    failure: Exception | None = None
    answer: asyncio.Future[T] = field(init=False)

    def __post_init__(self) -> None:
        self.answer = asyncio.get_running_loop().create_future()

    def taken(self) -> Exception | None:
        """Say what it means that a row was there already; None: look again."""
        return None

    def settle(self) -> None:
        """Tell whoever asked."""
        if self.answer.done():  # whoever asked has gone
            return
        if self.failure is not None:
            self.answer.set_exception(self.failure)
        else:
            self.answer.set_result(self.value)  # type: ignore[arg-type]  # T may be None


W = TypeVar("W", bound=Write[Any])


class Lane(Generic[W]):
    """Made by `open_postgres`, which runs `run` as long as the store is open.

    `land` does a whole group in one transaction, and says of each what came of it.
    """

    def __init__(
        self, database: Database, land: Callable[[Connection, Sequence[W]], Awaitable[None]]
    ) -> None:
        self._database, self._land = database, land
        self._queue: list[W] = []
        self._filled = asyncio.Event()
        self._closed = False
        self.groups = 0

    async def write(self, write: W) -> None:
        """Queue it; return once its answer is there."""
        if self._closed:
            raise Unavailable("the store is closed", hint="Open it again.")
        self._queue.append(write)
        self._filled.set()
        await write.answer

    async def run(self) -> None:
        """Write whatever is queued, until cancelled."""
        group: list[W] = []
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                while group := self._taken():
                    await self._tried(group)
                    for write in group:
                        write.settle()
                    self.groups += 1
        finally:
            self._closed = True
            for write in (*group, *self._queue):
                write.failure = Unavailable("the store was closed", hint="Open it again.")
                write.settle()

    def _taken(self) -> list[W]:
        """Take the next group out of the queue: what is in nobody's way, in order."""
        group, rest = list[W](), list[W]()
        touched, weight = set[Hashable](), 0
        for write in self._queue:
            if write.answer.cancelled():
                continue
            is_full = len(group) >= WRITES_AT_MOST or (group and weight > BYTES_AT_MOST)
            in_the_way = not touched.isdisjoint(write.touches) or (write.alone and group)
            touched |= write.touches
            if is_full or in_the_way or (group and group[0].alone):
                rest.append(write)
            else:
                group.append(write)
                weight += write.weight
        self._queue = rest
        return group

    async def _tried(self, group: Sequence[W]) -> None:
        """Land the group, without those that cannot be landed."""
        for tried in range(AGAIN_AT_MOST):
            group = [write for write in group if write.failure is None]
            error = await self._attempt(group) if group else None
            if error is None:
                return
            if isinstance(error, AGAIN):
                await anyio.sleep(0.001 * tried)
            elif isinstance(error, Unlanded):
                continue
            elif may_be_of_one(error):
                if await self._told_apart(group, error):
                    return
            else:
                self._fail(group, self._meant(error))
                return
        self._fail(group, busy(self._database.place))

    async def _attempt(self, group: Sequence[W]) -> Exception | None:
        try:
            async with self._database.connection() as connection:
                await self._land(connection, group)
        except Exception as error:  # noqa: BLE001 - it is the answer to whoever asked
            return error
        return None

    def _meant(self, error: Exception) -> Exception:
        if isinstance(error, BROKEN) or not isinstance(error, TROUBLE):
            return error
        return meaning(error, self._database.place, lost=LOST if is_gone(error) else "")

    async def _told_apart(self, group: Sequence[W], error: Exception) -> bool:
        """Let the guilty one of a group fail alone; tell whether that is done."""
        if len(group) > 1:
            middle = len(group) // 2
            await self._tried(group[:middle])
            await self._tried(group[middle:])
            return True
        told = group[0].taken() if isinstance(error, TAKEN) else self._meant(error)
        group[0].failure = told
        return told is not None

    @staticmethod
    def _fail(group: Sequence[W], error: Exception) -> None:
        for write in group:
            write.failure = write.failure or error
