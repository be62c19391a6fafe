"""Look-ups of one kind, in groups: a group is what was asked for while the last one was under way.

Owns: grouping, and who gets which rows. Must never know: what is looked up.

Rule: what one asks for is no reason to refuse another: they may be of different environments. A
text that cannot be stored, and so stands nowhere, finds nothing.

A round trip costs more than what is looked up in it, and most of it is this process' own time. Who
is alone asks at once, there are no timers; who asks again waits behind those who wait already. What
was committed before somebody asked is seen, since a group is sent after all in it have asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, TypeAlias, cast

from headrace.backends.postgres.database import Database
from headrace.backends.postgres.faults import can_be_stored
from headrace.backends.postgres.queries import SQL
from headrace.backends.rows import Row
from headrace.errors import BadRequest, Unavailable

AT_ONCE: Final = 32
"""Each answer may hold a megabyte."""
Values: TypeAlias = tuple[object, ...]
Slip: TypeAlias = "tuple[Values, asyncio.Future[list[Row]]]"


class Lookups:
    """Made by `open_postgres`, which runs `run` as long as the store is open.

    The statement takes an array for each value, and begins each row with the place in them.
    """

    def __init__(self, database: Database, name: str) -> None:
        self._database, self._sql = database, SQL[name]
        self._slips: list[Slip] = []
        self._filled = asyncio.Event()
        self._is_asking = self._is_closed = False
        self.groups = 0

    async def rows(self, *values: object, is_long: bool = False) -> list[Row]:
        """Return what is found by these values; what `is_long` keeps nobody else waiting."""
        if self._is_closed:
            raise _closed()
        if any(isinstance(value, str) and not can_be_stored(value) for value in values):
            return []
        if is_long:
            return (await self._found([values]))[0]
        if not self._is_asking and not self._slips:
            return (await self._asked([values]))[0]
        answer: asyncio.Future[list[Row]] = asyncio.get_running_loop().create_future()
        self._slips.append((values, answer))
        return await answer

    async def run(self) -> None:
        """Ask whatever has gathered, until cancelled."""
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                while self._slips and not self._is_asking:
                    await self._group()
        finally:
            self._is_closed = True
            for _, answer in self._slips:
                _settle(answer, _closed())

    async def _group(self) -> None:
        some, self._slips = self._slips[:AT_ONCE], self._slips[AT_ONCE:]
        some = [slip for slip in some if not slip[1].done()]
        try:
            await self._answered(some)
        except BaseException:
            self._slips = [*some, *self._slips]
            raise

    async def _answered(self, some: Sequence[Slip]) -> None:
        """Answer all of them; what one of them cannot ask for is told to nobody else."""
        found: Sequence[list[Row]] | Exception
        try:
            found = await self._asked([values for values, _ in some]) if some else []
        except Exception as error:  # noqa: BLE001 - it is the answer to whoever asked
            if isinstance(error, BadRequest) and len(some) > 1:
                for slip in some:
                    await self._answered([slip])
                return
            found = error
        for place, (_, answer) in enumerate(some):
            _settle(answer, found if isinstance(found, Exception) else found[place])

    async def _asked(self, asked: Sequence[Values]) -> list[list[Row]]:
        self._is_asking = True
        try:
            return await self._found(asked)
        finally:
            self._is_asking = False
            if self._slips:
                self._filled.set()

    async def _found(self, asked: Sequence[Values]) -> list[list[Row]]:
        self.groups += 1
        columns = [list(column) for column in zip(*asked, strict=True)]
        found: list[list[Row]] = [[] for _ in asked]
        for row in await self._database.rows(self._sql, columns):
            found[cast("int", row[0]) - 1].append(row[1:])
        return found


def _settle(answer: asyncio.Future[list[Row]], found: list[Row] | Exception) -> None:
    if answer.done():  # whoever asked has gone
        return
    if isinstance(found, Exception):
        answer.set_exception(found)
    else:
        answer.set_result(found)


def _closed() -> Unavailable:
    return Unavailable("the store is closed", hint="Open it again.")
