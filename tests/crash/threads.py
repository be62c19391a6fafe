"""The thread of a loop: while it works, what it will say is still to come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

P = ParamSpec("P")
T = TypeVar("T")


class OneThread(ThreadPoolExecutor):
    """A thread for `asyncio.to_thread` whose end of work can be waited for."""

    def __init__(self) -> None:
        super().__init__(max_workers=1)
        self._last: Future[None] | None = None

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have the thread do it."""
        future = super().submit(fn, *args, **kwargs)
        # A job of its own, which comes after whoever waits for the result was told: a callback of
        # `future` would be called before theirs, and the loop can turn many times in between.
        self._last = super().submit(_nothing)
        return future

    def was_busy(self) -> bool:
        """Wait until nothing is left to do, and the loop was told; return whether there was."""
        last, self._last = self._last, None
        if last is not None:
            last.result()
        return last is not None


def _nothing() -> None:
    """Stand behind a job."""


_threads: Final = WeakKeyDictionary[asyncio.AbstractEventLoop, OneThread]()


def thread_of(loop: asyncio.AbstractEventLoop) -> OneThread:
    """Return the loop's thread, known from the first call on."""
    if loop not in _threads:
        _threads[loop] = OneThread()
        loop.set_default_executor(_threads[loop])
    return _threads[loop]
