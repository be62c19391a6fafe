"""Async code called from plain code: from a plain task's thread, or from a program without a loop.

Owns: the threads, which event loop a call goes to, and the loop of programs that have none.
Must never know: what is called.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from contextvars import ContextVar, copy_context
from typing import Any, ParamSpec, TypeVar

from headrace.errors import Mistake
from headrace.sdk import connection
from headrace.sdk.scope import THREAD, here, in_background

T = TypeVar("T")
P = ParamSpec("P")

_errand: ContextVar[Errand | None] = ContextVar("headrace_errand", default=None)


def blocking(call: Coroutine[Any, Any, T]) -> T:
    """Run `call` on the loop that it belongs to, and return what it returns."""
    _refuse_on_loop(call)
    errand = _errand.get()
    if errand is not None:
        future = errand.carry(call)
    else:
        future = asyncio.run_coroutine_threadsafe(call, connection.home() or _portal())
    try:
        return future.result()
    except concurrent.futures.CancelledError:
        raise asyncio.CancelledError from None
    except BaseException:
        future.cancel()  # Ctrl-C in this thread; without effect where the call itself raised
        raise


def blocking_on_loop(function: Callable[[], T]) -> T:
    """Call a plain function on the loop's thread, and return what it returns."""

    async def call() -> T:
        return function()

    return blocking(call())


def blocking_iterator(source: AsyncIterator[T]) -> Iterator[T]:
    """Yield what `source` yields."""

    async def step() -> tuple[T] | None:
        try:
            return (await anext(source),)
        except StopAsyncIteration:
            return None

    while (found := blocking(step())) is not None:
        yield found[0]


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a plain function in a thread of its own, where `.sync` works.

    A cancellation reaches it at the call that it stands in, else at its next. If it made none, its
    result counts, and the cancellation comes at the next await.
    """
    errand = Errand(asyncio.get_running_loop())
    result = await errand.run(lambda: function(*args, **kwargs))
    if errand.owes_cancel:
        _cancel_later()
    return result


def in_own_thread(function: Callable[[T], object]) -> Callable[[T], Awaitable[object]]:
    """Return an async function that runs a plain one in a thread of its own."""

    async def call(value: T) -> object:
        return await in_thread(function, value)

    return call


class Errand:
    """A plain function in its thread, seen from the loop that sent it.

    All of it but `_carry` and the function runs on the loop's thread, so nothing needs a lock.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.owes_cancel = False
        self._loop = loop
        self._standing: asyncio.Task[Any] | None = None
        self._is_closed = False

    async def run(self, function: Callable[[], T]) -> T:
        """Return what the function returns. Its end is awaited even when this is cancelled."""
        outcome: concurrent.futures.Future[T] = concurrent.futures.Future()
        ended = asyncio.Event()
        self._start(function, outcome, ended)
        try:
            with in_background():
                while not ended.is_set():
                    try:
                        await ended.wait()
                    except asyncio.CancelledError:
                        self._cancel()
        finally:
            if not ended.is_set():  # this coroutine was closed: nobody will take the result
                self._is_closed = True
                self._cancel()
        return outcome.result()

    def carry(self, call: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run `call` on the loop, for the function in the thread."""
        return asyncio.run_coroutine_threadsafe(self._stand(call), self._loop)

    def _start(
        self,
        function: Callable[[], T],
        outcome: concurrent.futures.Future[T],
        ended: asyncio.Event,
    ) -> None:
        context = copy_context()
        context.run(_errand.set, self)
        context.run(THREAD.set, here())

        def body() -> None:
            try:
                result = context.run(function)
            except StopIteration as error:  # which no coroutine can raise
                outcome.set_exception(RuntimeError(f"the function raised {error!r}"))
            except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
                outcome.set_exception(error)
            else:
                outcome.set_result(result)
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(ended.set)

        # A daemon: a thread that waits for something must not keep the process from ending.
        threading.Thread(target=body, name="headrace function", daemon=True).start()

    async def _stand(self, call: Coroutine[Any, Any, T]) -> T:
        if self.owes_cancel:
            self.owes_cancel = self._is_closed
            call.close()
            raise asyncio.CancelledError
        task = asyncio.current_task()
        self._standing = task
        try:
            value = await call
        finally:
            self._standing = None
        if task is not None and task.cancelling():
            # The call had landed: its value counts, and the cancellation comes at the next one.
            # Left on this task, it would replace the value.
            self.owes_cancel = True
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        return value

    def _cancel(self) -> None:
        if self._standing is not None:
            self._standing.cancel()
        else:
            self.owes_cancel = True


def _cancel_later() -> None:
    """Cancel the running task at its next await, unless whoever cancelled it has let go."""
    task = asyncio.current_task()

    def again() -> None:
        if task is not None and not task.done() and task.cancelling():
            task.uncancel()
            task.cancel()

    asyncio.get_running_loop().call_soon(again)


def _refuse_on_loop(call: Coroutine[Any, Any, object]) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    call.close()
    raise Mistake(
        "this call would block the event loop that it was made on",
        hint="In async code leave out `.sync` and await the call; a plain `def` task runs in a "
        "thread of its own, where `.sync` works.",
    )


class _Portal:
    """An event loop in a thread of its own, for programs that have none."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._ready: concurrent.futures.Future[asyncio.AbstractEventLoop]
        self._ready = concurrent.futures.Future()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._live, name="headrace portal", daemon=True)
        self._thread.start()
        self.loop = self._ready.result()

    def _live(self) -> None:
        async def stay() -> None:
            self._ready.set_result(asyncio.get_running_loop())
            await self._stop.wait()

        asyncio.run(stay())

    def end(self) -> None:
        """Close what was opened on the loop, and the loop."""
        if self.pid == os.getpid() and self.loop.is_running():
            self.loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(timeout=2)


_portals: list[_Portal] = []
_lock = threading.Lock()


def _portal() -> asyncio.AbstractEventLoop:
    with _lock:
        # After a fork the thread is not there any more.
        if not _portals or _portals[-1].pid != os.getpid():
            _portals.append(_Portal())
            atexit.register(_portals[-1].end)
        return _portals[-1].loop
