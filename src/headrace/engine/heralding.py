"""Telling other engines of runs that wait for a worker which is not here.

Owns: when that is told, and how often. Must never know: who takes the runs.

Rule: whoever hears it asks the store, and of many who ask one gets the run. So it is told at once,
but of a task not again before `QUIET_S` have passed: what that costs does not grow with the runs.
"""

from __future__ import annotations

import asyncio
from typing import Final

from headrace.engine.hints import Left, said
from headrace.engine.seats import Seats
from headrace.kernel.model import EnvId, TaskId
from headrace.ports import Wakeups

QUIET_S: Final = 0.05


class Herald:
    """Tells of what is left over."""

    def __init__(self, seats: Seats, wakeups: Wakeups, name: str) -> None:
        self._seats, self._wakeups, self._name = seats, wakeups, name
        self._left: dict[tuple[EnvId, TaskId], None] = {}
        self._filled = asyncio.Event()

    def leave(self, env: EnvId, task: TaskId) -> None:
        """Note that a run of the task is queued in the store."""
        self._left[env, task] = None
        self._filled.set()

    async def run(self) -> None:
        """Tell of what nobody here has room for, for ever."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            left, self._left = self._left, {}
            for env, task in left:
                if not any(seat.takes(env, task) for seat in self._seats.all()):
                    await self._wakeups.announce(said(Left(env, task)), self._name)
            await asyncio.sleep(QUIET_S)
