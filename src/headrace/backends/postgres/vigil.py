"""Connections on which no answer comes any more: found, and given up.

What is lost on the way TCP sends again, ever later: after a short cut a connection may stand still
for longer than the cut lasted, while a new one gets through at once. So about a connection that has
been lent for long the database is asked by a new one: if it has had nothing to do for it since, the
question or the answer was lost, and nothing will come of waiting.

Owns: how long is long, the connection that asks. Must never know: what is asked of the database.

Rule: what the database works at, or waits for a lock with, is left alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio

from headrace.backends.postgres.complaint import Complaint
from headrace.backends.postgres.queries import SQL

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Lent: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
    Connect: TypeAlias = Callable[
        [], AbstractAsyncContextManager[asyncpg.Connection[asyncpg.Record]]
    ]

ROUND_S: Final = 0.2
LONG_S: Final = 0.8
"""After so long without coming back a connection is asked about."""
IDLE_MS: Final = 500
"""For so long the database must have had nothing to do: between two statements of a transaction
there is far less."""


class Vigil:
    """Knows which connections are lent. `connect` opens one that asks."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._lent: dict[int, tuple[Lent, float]] = {}
        self._count = 0
        self.given_up = 0
        self._blind = Complaint("connections that hear nothing cannot be found")

    @contextmanager
    def over(self, connection: Lent) -> Generator[None]:
        """Watch over a connection that is lent while the block lasts."""
        self._count = number = self._count + 1
        self._lent[number] = connection, perf_counter()
        try:
            yield
        finally:
            del self._lent[number]

    async def run(self) -> None:
        """Look after them, until cancelled."""
        while True:
            await anyio.sleep(ROUND_S)
            if late := self._late():
                await self._tried(late)

    async def _tried(self, late: dict[int, Lent]) -> None:
        try:
            await self._look(late)
        except Exception as error:  # noqa: BLE001 - the next round asks again
            self._blind.about(error)
        else:
            self._blind.over()

    def _late(self) -> dict[int, Lent]:
        before = perf_counter() - LONG_S
        return {number: one for number, (one, since) in self._lent.items() if since < before}

    async def _look(self, late: dict[int, Lent]) -> None:
        pids = [one.get_server_pid() for one in late.values()]
        async with self._connect() as asking:
            try:
                async with asyncio.timeout(LONG_S):
                    rows = await asking.fetch(SQL["drop_idle"], pids, IDLE_MS)
            except TimeoutError:
                asking.terminate()  # it is silent as well: nothing will come of closing it politely
                raise
        idle = {row[0] for row in rows}
        for number, one in late.items():
            # Whoever has got his answer meanwhile has given it back.
            if number in self._lent and one.get_server_pid() in idle:
                self.given_up += 1
                one.terminate()
