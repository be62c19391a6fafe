"""Whether a run's code moves or rests.

Owns: what counts as rest. Must never know: journals, questions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from headrace.sdk.execution_rest import is_moving
from headrace.sdk.scope import Crew

REST_TICKS: Final = 4
"""Rounds of the event loop without a move that count as rest. What passes from future to future
(`gather` in a `gather`, `shield`) takes a round for each, in which no task is seen to move."""
RESTLESS_TICKS: Final = 256
"""Code that never rests (it polls) is told its answers all the same."""


class Pulse:
    """Looks at the code, round by round, from when it was stirred until it rests."""

    __slots__ = ("_crew", "_is_looking", "_loop", "_quiet", "_rested", "_ticks", "is_settled")

    def __init__(self, crew: Crew, rested: Callable[[], None]) -> None:
        self._crew, self._rested = crew, rested
        self._loop = asyncio.get_running_loop()
        self._quiet = self._ticks = 0
        self._is_looking = self.is_settled = False

    @property
    def rests(self) -> bool:
        """Tell whether the code may be told something: one branch alone always may."""
        if self._crew.is_single:
            return True
        restless = self._ticks >= RESTLESS_TICKS
        return self.is_settled and (restless or not is_moving(self._crew))

    def forget(self) -> None:
        """Call nobody any more."""
        self._rested = _nothing

    def stir(self) -> None:
        """Note that the code moves; once it rests again, `rested` is called."""
        self.is_settled = False
        self._quiet = self._ticks = 0
        if not self._is_looking:
            self._is_looking = True
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        self._ticks += 1
        self._quiet = 0 if is_moving(self._crew) else self._quiet + 1
        if self._quiet < REST_TICKS and self._ticks < RESTLESS_TICKS:
            self._loop.call_soon(self._look)
            return
        self._is_looking = False
        self.is_settled = True
        self._rested()


def _nothing() -> None:
    """Say nothing."""
