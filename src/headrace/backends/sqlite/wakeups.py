"""Hints in SQLite: at once within the process, within 0.1 s from another process on the file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio

from headrace.backends.broadcast import Broadcast
from headrace.backends.sqlite.writer import Writer
from headrace.kernel.model import RunId

POLL_S: Final = 0.1
"""How late another process's commit is noticed."""


class SqliteWakeups:
    """The `Wakeups` port."""

    def __init__(self, broadcast: Broadcast, writer: Writer) -> None:
        self._broadcast, self._writer = broadcast, writer
        self._heard = asyncio.Event()

    async def announce(self, run_id: RunId, by: str = "") -> None:
        """Say that something about the run has changed."""
        self._broadcast.tell(run_id, by)

    @asynccontextmanager
    async def listen(self, but: str = "") -> AsyncGenerator[AsyncIterator[RunId]]:
        """Hear what is announced from now on, in this process or another; not by `but`."""
        async with self._broadcast.listen(but) as hints:
            self._heard.set()
            yield hints

    async def watch(self) -> None:
        """Look for other processes' commits, as long as anybody listens; until cancelled."""
        while True:
            await self._heard.wait()
            while self._broadcast.is_heard:
                self._writer.look()
                await anyio.sleep(POLL_S)
            self._heard.clear()
