"""Who may still ask: not code whose run was lost, and not a branch that has been cancelled.

Owns: `Abandoned`, and cancellations that wait for the next await. Must never know: what is asked.
"""

from __future__ import annotations

import asyncio
from typing import Final

from headrace.sdk.scope import Branch

REFUSALS_AT_MOST: Final = 64
"""Durable calls of an abandoned run that raise; later ones never return, lest a loop that
swallows everything stops the worker."""


class Abandoned(BaseException):
    """The worker does not execute the run any more: its code must come to an end.

    It is no `Exception`, so that `except Exception` lets it pass. Durable calls in a `finally`
    raise it again; what else stands there runs.
    """


class Gate:
    """What every durable call of a run passes first."""

    __slots__ = ("_loop", "_recancel", "_refused", "is_closed")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._recancel: set[Branch] = set()
        self._refused = 0
        self.is_closed = False

    def close(self) -> None:
        """Let nobody ask any more."""
        self.is_closed = True

    async def admit(self) -> None:
        """Let the running branch ask, or raise what it must hear first."""
        if self.is_closed:
            await self._refuse()
        branch = asyncio.current_task()
        if branch in self._recancel:
            self._recancel.discard(branch)
            if branch.cancelling():
                raise asyncio.CancelledError

    def check(self) -> None:
        """Raise where `admit` would, for what is asked without awaiting."""
        if self.is_closed:
            raise Abandoned

    async def _refuse(self) -> None:
        self._refused += 1
        while self._refused > REFUSALS_AT_MOST:
            await self._loop.create_future()
        raise Abandoned

    def cancel_later(self) -> None:
        """Cancel the running branch at its next await, unless whoever cancelled it has let go."""
        branch = asyncio.current_task()
        if branch is not None and branch.cancelling():
            self._recancel.add(branch)
            self._loop.call_soon(self._cancel_again, branch)

    def _cancel_again(self, branch: Branch) -> None:
        if branch in self._recancel:
            self._recancel.discard(branch)
            if branch.cancelling() and not branch.done():
                branch.uncancel()
                branch.cancel()
