"""What is never saved, why, and what to write instead.

Owns: the words. Must never know: how anything is saved; libraries only by name.

Some of these pickle would take, and give back something else: a lock that nobody shares, a
finaliser that never runs. Others it refuses in words that help nobody.
"""

from __future__ import annotations

from typing import Final

from headrace.frames.values_errors import Refused
from headrace.frames.values_own import Own

_OPEN = "open it again where it is used, with resource(...)"
_LOOP = ("it is tied to the event loop of this process", "make it again, with resource(...)")
_TASK = ("it is work under way in this process", "await it before the wait, and keep its result")
_LOCK = ("it is a lock, or holds one, for the threads of this process", "use resource(...)")
_LIVE = ("it lives in this process only", _OPEN)
_WEAK = (
    "a weak reference says nothing of what keeps its object alive",
    "keep the object itself",
)
_TEMP = (
    "what it stands for is deleted as soon as nobody holds it here",
    "use a path of your own, and delete it at the end",
)
_CALL = ("it is a part of a call that is being made", "keep what you need of it in variables")

_BY_NAME: Final[dict[str, tuple[str, str]]] = {
    "builtins.generator": (
        "a generator cannot be left and entered again elsewhere",
        "make a list of it, or write it as an async generator",
    ),
    "builtins.coroutine": ("it is a call that was not awaited yet", "make it where you await it"),
    "builtins.coroutine_wrapper": _CALL,
    "builtins.async_generator": (
        "its function is not resumable, so it cannot be left and entered again elsewhere",
        "put @resumable on the function that made it",
    ),
    "builtins.async_generator_asend": _CALL,
    "builtins.async_generator_athrow": _CALL,
    "builtins.frame": _CALL,
    "builtins.traceback": ("a traceback belongs to the stack of this process", "keep its text"),
    "builtins.code": ("code is never saved, it comes from your source", "keep the function"),
    "builtins.memoryview": ("it looks at memory of this process", "keep bytes(...) of it"),
    "_contextvars.Context": ("it holds the variables of this process", "keep their values"),
    "_contextvars.Token": ("it can be used once, in this process", "keep the value to go back to"),
    "random.SystemRandom": ("it has no state of its own", "make it again after the wait"),
    "subprocess.Popen": ("it is a process that was started here", "end it before the wait"),
    "asyncio.subprocess.Process": ("it is a process that was started here", "end it before"),
    "asyncio.timeouts.Timeout": (
        "it counts time in the event loop of this process",
        "give the wait itself a timeout",
    ),
    **dict.fromkeys(
        (
            "asyncio.mixins._LoopBoundMixin",  # locks, events, queues, conditions, barriers
            "asyncio.events.AbstractEventLoop",
            "asyncio.events.Handle",
            "asyncio.runners.Runner",
            "asyncio.streams.StreamReader",
            "asyncio.streams.StreamWriter",
            "asyncio.transports.BaseTransport",
        ),
        _LOOP,
    ),
    **dict.fromkeys(
        (
            "_asyncio.Future",
            "asyncio.futures.Future",
            "asyncio.taskgroups.TaskGroup",
            "concurrent.futures._base.Future",
        ),
        _TASK,
    ),
    **dict.fromkeys(
        (
            "_thread.lock",
            "_thread.RLock",
            "threading._RLock",
            "threading.Barrier",
            "threading.Condition",
            "threading.Event",
            "threading.Semaphore",
            "_thread._local",
            "_queue.SimpleQueue",
            "queue.Queue",
        ),
        _LOCK,
    ),
    **dict.fromkeys(
        (
            "_io._IOBase",  # what is no file of the file system
            "_socket.socket",
            "_ssl._SSLContext",
            "concurrent.futures._base.Executor",
            "multiprocessing.process.BaseProcess",
            "selectors.BaseSelector",
            "sqlite3.Connection",
            "sqlite3.Cursor",
            "threading.Thread",
        ),
        _LIVE,
    ),
    **dict.fromkeys(
        (
            "_weakrefset.WeakSet",
            "weakref.CallableProxyType",
            "weakref.ProxyType",
            "weakref.ReferenceType",
            "weakref.WeakKeyDictionary",
            "weakref.WeakValueDictionary",
            "weakref.finalize",
        ),
        _WEAK,
    ),
    **dict.fromkeys(
        (
            "tempfile.SpooledTemporaryFile",
            "tempfile.TemporaryDirectory",
            "tempfile._TemporaryFileWrapper",
        ),
        _TEMP,
    ),
}
_BY_MODULE: Final[dict[str, tuple[str, str]]] = {
    "anyio._backends.": _LOOP,
    "anyio._core._synchronization": _LOOP,
    "anyio._core._tasks": _LOOP,
    "anyio.streams.": _LOOP,
}


def why_not(kind: type) -> tuple[str, str] | None:
    """Return why objects of a class are never saved, and the advice; None if they may be."""
    known = _BY_NAME.get(f"{kind.__module__}.{kind.__qualname__}")
    if known is not None or issubclass(kind, BaseException):
        return known
    return next((it for name, it in _BY_MODULE.items() if kind.__module__.startswith(name)), None)


def refuse(obj: object, _: Own) -> object:
    """Say why not: the nearest base that is refused has the word."""
    reasons = (why_not(kind) for kind in type(obj).__mro__)
    raise Refused(*next(it for it in reasons if it))
