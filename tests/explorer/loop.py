"""An event loop without a world: when nothing is left to do, it asks what happens next.

Owns: virtual loop time, and the moment of rest. Must never know: what is scheduled.
Timers of the loop itself that are short (a back-off) elapse at once, when nothing else is left;
longer ones never do. The time that the engine goes by is the store's clock, which is no timer here.
It knows of each task in which process of the play it runs.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

SHORT_S = 1.0
HOME: Final = ContextVar("HOME", default="")
"""The process in which whoever runs makes tasks."""


def settle(process: str) -> None:
    """Let whoever runs belong to a process of the play, with all tasks that it makes."""
    HOME.set(process)
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert isinstance(loop, QuietLoop)
    assert task is not None
    loop.homes[task] = process


AtRest: TypeAlias = Callable[[], bool]
"""Make something happen, and tell whether anything did."""


class Stuck(Exception):
    """Nothing can happen any more, and the play has not ended."""


class _Quiet(selectors.SelectSelector):
    """Waits for nothing from outside; a rest of the loop goes to whoever directs."""

    def __init__(self) -> None:
        super().__init__()
        self.at_rest: AtRest | None = None
        self.skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return []
        if timeout is not None and timeout < SHORT_S:
            self.skipped += timeout
        elif self.at_rest is None or not self.at_rest():
            raise Stuck
        return []


class QuietLoop(asyncio.SelectorEventLoop):
    """One loop for one play at a time."""

    def __init__(self) -> None:
        self._quiet = _Quiet()
        super().__init__(self._quiet)
        self.homes = WeakKeyDictionary[asyncio.Task[Any], str]()
        self.set_task_factory(_at_home)

    def time(self) -> float:
        """Return the loop's time: what was skipped of it."""
        return self._quiet.skipped

    def direct(self, at_rest: AtRest | None) -> None:
        """Ask `at_rest` whenever nothing is left to do."""
        self._quiet.at_rest = at_rest


def _at_home(
    loop: asyncio.AbstractEventLoop,
    coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    /,
    **options: Any,  # those of `Task`
) -> asyncio.Task[Any]:
    task = asyncio.Task(coro, loop=loop, **options)
    assert isinstance(loop, QuietLoop)
    loop.homes[task] = HOME.get()
    return task
