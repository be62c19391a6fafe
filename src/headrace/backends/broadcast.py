"""Hints within one process: every listener hears what is announced while it listens.

Owns: the listeners and what each has not heard yet. Must never know: other processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from headrace.kernel.model import RunId
from headrace.ports import ANYTHING

PENDING_AT_MOST = 10_000
"""Runs that one listener may have in arrears; beyond that it hears `ANYTHING` instead."""


class Listener:
    """What one listener has not heard yet: each run once, however often it was announced."""

    def __init__(self, but: str = "") -> None:
        self.but = but
        self._pending: dict[RunId, None] = {}
        self._rung = asyncio.Event()

    def hear(self, run_id: RunId) -> None:
        """Add a hint."""
        if len(self._pending) >= PENDING_AT_MOST:
            self._pending.clear()
            run_id = ANYTHING
        self._pending[run_id] = None
        self._rung.set()

    def __aiter__(self) -> Listener:
        return self

    async def __anext__(self) -> RunId:
        while not self._pending:
            self._rung.clear()
            await self._rung.wait()
        run_id = next(iter(self._pending))
        del self._pending[run_id]
        return run_id


class Broadcast:
    """Wakeups between the parts of one process."""

    def __init__(self) -> None:
        self._listeners: dict[Listener, None] = {}  # told in the order in which they came

    @property
    def is_heard(self) -> bool:
        """Tell whether anybody listens."""
        return bool(self._listeners)

    def tell(self, run_id: RunId, by: str = "") -> None:
        """Hint to everybody who listens, but to who says it."""
        for listener in self._listeners:
            if not by or listener.but != by:
                listener.hear(run_id)

    async def announce(self, run_id: RunId, by: str = "") -> None:
        """Say that something about the run has changed."""
        self.tell(run_id, by)

    @asynccontextmanager
    async def listen(self, but: str = "") -> AsyncGenerator[AsyncIterator[RunId]]:
        """Hear what is announced from now on, not by `but`."""
        listener = Listener(but)
        self._listeners[listener] = None
        try:
            yield listener
        finally:
            self._listeners.pop(listener, None)
