"""What cannot be saved says so: which variable, where in it, what it is, and what to write."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import inspect
import os
import queue
import random
import re
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import types
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.streams.memory import MemoryObjectSendStream

from headrace.frames.values import CannotSave, Dumper


@dataclass
class Client:
    """As clients are: what cannot be saved lies deep inside."""

    pool: Any


class Silent:
    def __getstate__(self) -> object:
        raise ValueError


class Odd:
    def __reduce__(self) -> Any:
        return ()


def _refusal(value: object) -> CannotSave:
    with pytest.raises(CannotSave) as caught:
        Dumper().dump({"fine": [1, {"a": 2}], "client": value, "more": 1})
    error = caught.value
    assert error.variable == "client"
    return error


def _steps() -> Iterator[int]:
    yield 1


async def _call() -> None: ...


async def _async_steps() -> AsyncIterator[int]:
    yield 1


def _local() -> Any:
    class Local:
        pass

    return Local()


def _traceback() -> object:
    try:
        raise ValueError
    except ValueError as error:
        return error.__traceback__


VAR = contextvars.ContextVar[int]("VAR")
HIDDEN = [contextvars.ContextVar[int]("no module has it by name")]

KINDS: dict[str, tuple[Callable[[], Any], str, str, str]] = {
    "generator": (_steps, "generator", "entered again", "async generator"),
    "async generator": (_async_steps, "async_generator", "not resumable", "@resumable"),
    "local class": (_local, "Local", "inside a function", "top of a module"),
    "function": (lambda: lambda: 1, "function", "no name leads to", "functools.partial"),
    "frame": (inspect.currentframe, "frame", "part of a call", "in variables"),
    "traceback": (_traceback, "traceback", "this process", "keep its text"),
    "code": (lambda: _steps.__code__, "code", "never saved", "keep the function"),
    "memory": (lambda: memoryview(b"x"), "memoryview", "memory", "bytes("),
    "module": (lambda: types.ModuleType("nowhere"), "module", "not, or no longer", "import it"),
    "context": (contextvars.copy_context, "Context", "variables of this process", "values"),
    "token": (lambda: VAR.set(1), "Token", "used once", "value to go back to"),
    "variable": (lambda: HIDDEN[0], "ContextVar", "no module has", "top of a module"),
    "lock": (threading.Lock, "lock", "lock", "resource("),
    "re-entrant lock": (threading.RLock, "RLock", "lock", "resource("),
    "event": (threading.Event, "threading.Event", "lock", "resource("),
    "queue": (queue.Queue, "queue.Queue", "lock", "resource("),
    "thread": (threading.Thread, "threading.Thread", "in this process only", "resource("),
    "thread's own": (threading.local, "local", "lock", "resource("),
    "pool": (ThreadPoolExecutor, "ThreadPoolExecutor", "in this process only", "resource("),
    "thread's future": (Future, "Future", "under way", "await it"),
    "weak": (lambda: weakref.ref(Client), "ReferenceType", "weak reference", "the object itself"),
    "weak set": (weakref.WeakSet, "WeakSet", "weak reference", "the object itself"),
    "proxy": (lambda: weakref.proxy(Client), "CallableProxyType", "weak", "the object itself"),
    "final": (lambda: weakref.finalize(Client, print), "finalize", "weak", "the object itself"),
    "chance": (random.SystemRandom, "SystemRandom", "no state", "after the wait"),
    "tls": (ssl.create_default_context, "SSLContext", "in this process only", "resource("),
    "silent": (Silent, "Silent", "ValueError", "resource("),
    "odd": (Odd, "Odd", "", "resource("),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_it_says_what_it_is_and_what_to_write(name: str) -> None:
    make, kind, reason, instead = KINDS[name]
    error = _refusal(Client({"free": [0, make()]}))
    assert error.path == "client.pool['free'][1]"
    assert kind in error.kind
    assert reason in error.reason
    assert instead in error.instead
    assert error.holder == f"{__name__}.Client"
    for part in ("'client'", error.path, error.kind, error.reason, error.instead):
        assert part in str(error)


def _stream() -> object:
    send, receive = anyio.create_memory_object_stream[int](1)
    receive.close()
    return send


IN_A_LOOP: dict[str, tuple[Callable[[], Any], str, str]] = {
    "lock": (asyncio.Lock, "Lock", "event loop"),
    "event": (asyncio.Event, "Event", "event loop"),
    "queue": (asyncio.Queue, "Queue", "event loop"),
    "semaphore": (lambda: asyncio.BoundedSemaphore(2), "BoundedSemaphore", "event loop"),
    "future": (lambda: asyncio.get_running_loop().create_future(), "Future", "under way"),
    "task": (asyncio.current_task, "Task", "under way"),
    "group": (asyncio.TaskGroup, "TaskGroup", "under way"),
    "timeout": (lambda: asyncio.timeout(1), "Timeout", "counts time"),
    "loop": (asyncio.get_running_loop, "Loop", "event loop"),
    "anyio's lock": (anyio.Lock, "Lock", "event loop"),
    "anyio's scope": (anyio.CancelScope, "CancelScope", "event loop"),
    "anyio's stream": (_stream, "MemoryObjectSendStream", "event loop"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", IN_A_LOOP)
async def test_what_belongs_to_an_event_loop_says_so(name: str) -> None:
    make, kind, reason = IN_A_LOOP[name]
    it = make()
    error = _refusal([it])
    assert error.path == "client[0]"
    assert kind in error.kind
    assert reason in error.reason
    assert error.instead
    if isinstance(it, MemoryObjectSendStream):
        it.close()


@pytest.mark.anyio
async def test_a_call_that_was_not_awaited_says_so() -> None:
    call = _call()
    assert "not awaited yet" in _refusal(call).reason
    await call


def test_what_is_open_to_the_outside_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gone").write_text("x")
    end, other = os.pipe()
    with ExitStack() as stack:
        gone = stack.enter_context((tmp_path / "gone").open(encoding="utf-8"))
        (tmp_path / "gone").unlink()
        pipe, write = stack.enter_context(open(end)), stack.enter_context(open(other, "wb"))  # noqa: PTH123 - there is no path
        database = sqlite3.connect(":memory:")
        stack.callback(database.close)
        process = stack.enter_context(subprocess.Popen([sys.executable, "-c", ""]))
        found = {
            "gone": (gone, "deleted, moved or replaced"),
            "pipe": (pipe, "no regular file"),
            "writing": (write, "no regular file"),
            "socket": (stack.enter_context(socket.socket()), "in this process only"),
            "database": (database, "in this process only"),
            "process": (process, "started here"),
            "named": (stack.enter_context(tempfile.NamedTemporaryFile()), "deleted as soon"),
            "unnamed": (stack.enter_context(tempfile.TemporaryFile()), "without a path"),
            "folder": (_kept_folder(stack), "deleted as soon"),
        }
        for name, (it, reason) in found.items():
            assert reason in _refusal(it).reason, name


def _kept_folder(stack: ExitStack) -> object:
    folder = tempfile.TemporaryDirectory()
    stack.callback(folder.cleanup)
    return folder


class Kept:
    def __init__(self, lock: object) -> None:
        self.lock = lock

    def method(self) -> None: ...


@contextlib.contextmanager
def _managed() -> Generator[None]:
    yield


def test_the_path_says_where() -> None:
    lock = threading.Lock()
    found = re.match("a", "a")
    error = ValueError("x")
    error.__cause__ = OSError(lock)
    paths: dict[str, object] = {
        "": lock,
        "[0]": [lock],
        "['k'][1]": {"k": (1, lock)},
        "{}": {lock: 1},
        ".lock": Kept(lock),
        ".pool[0].lock": Client([Kept(lock), found]),
        ".__self__.lock": Kept(lock).method,
        ".__cause__.args[0]": error,
        ".gen": _managed(),
        ".args[0]": functools.partial(print, lock),
    }
    for path, value in paths.items():
        assert _refusal(value).path == f"client{path}"


def test_a_cycle_is_gone_through_once() -> None:
    me: list[object] = []
    me += [me, {"again": me}, threading.Lock()]
    assert _refusal(me).path == "client[2]"


def test_the_first_variable_that_cannot_be_saved_is_named() -> None:
    with pytest.raises(CannotSave) as caught:
        Dumper().dump({"a": 1, "b": [threading.Lock()], "c": threading.Lock()})
    assert (caught.value.variable, caught.value.path) == ("b", "b[0]")


def test_too_deep_says_so() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    error = _refusal(deep)
    assert (error.path, error.reason) == (
        "client",
        "it is nested too deeply, deeper than Python follows",
    )
    while deep:  # taken apart bit by bit: Python's own way is as deep
        deep = deep[0]


def test_a_class_may_say_itself_how() -> None:
    class _Loop(asyncio.Lock):
        def __reduce__(self) -> Any:
            return (list, ())

    Dumper().dump({"fine": _Loop()})
