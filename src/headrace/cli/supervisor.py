"""Keeps one worker process alive, and replaces it when its code changes.

A replacement takes over only once it serves: where the new code cannot be imported, the last good
worker goes on. Must never know: tasks, engine, server.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias, assert_never

import anyio
import anyio.abc
import watchfiles

from headrace.cli.leash import Broken, Ready, Report, Tired, decode

DRAIN_S: Final = 15.0
"""How long a worker may take to give its runs back before it is killed."""
FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 10.0
STEADY_S: Final = 10.0
"""A worker that has lived for so long starts again without a pause."""
LINE_LIMIT: Final = 16 * 1_048_576


@dataclass(eq=False, slots=True)
class Child:
    """One worker process."""

    process: asyncio.subprocess.Process
    reports: asyncio.StreamReader
    writer: asyncio.StreamWriter
    born: float = field(default_factory=time.monotonic)

    async def stop(self) -> None:
        """Let it drain, then end it."""
        with suppress(ProcessLookupError):
            self.process.terminate()
            try:
                async with asyncio.timeout(DRAIN_S):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()

    async def kill(self) -> None:
        """End it now."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


@dataclass(frozen=True, slots=True)
class Started:
    """A worker serves."""

    ready: Ready
    pid: int
    again: bool


@dataclass(frozen=True, slots=True)
class Unusable:
    """The file cannot be served; `still` says that the worker before goes on."""

    text: str
    still: bool


@dataclass(frozen=True, slots=True)
class Died:
    """A worker has ended by itself; another one is started after `pause_s`."""

    why: str
    pause_s: float


@dataclass(frozen=True, slots=True)
class Renewing:
    """The worker's memory limit is near; a fresh one takes over after `pause_s`."""

    pause_s: float


@dataclass(frozen=True, slots=True)
class Changing:
    """A file has changed."""

    name: str


Notice: TypeAlias = Started | Unusable | Died | Renewing | Changing


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A new worker is to be started."""


@dataclass(frozen=True, slots=True)
class _Reported:
    child: Child
    report: Report


@dataclass(frozen=True, slots=True)
class _Exited:
    child: Child
    code: int


_Event: TypeAlias = _Wanted | _Reported | _Exited


class Supervisor:
    """Keeps a worker of `file` running until it is cancelled."""

    def __init__(
        self, file: Path, environment: Mapping[str, str], notify: Callable[[Notice], None]
    ) -> None:
        self._file, self._environment, self._notify = file, environment, notify
        self._events = asyncio.Queue[_Event]()
        self._serving: Child | None = None
        self._coming: Child | None = None
        self._started = 0
        self._failures = 0
        self._wakes = 0

    async def run(self, *, reload: bool) -> None:
        """Supervise; without `reload`, return when the file cannot be used."""
        async with anyio.create_task_group() as group:
            try:
                if reload:
                    group.start_soon(self._watch)
                self._events.put_nowait(_Wanted())
                while await self._handle(await self._events.get(), group, reload=reload):
                    pass
            finally:
                with anyio.CancelScope(shield=True):
                    await self._end()
            group.cancel_scope.cancel()

    async def _handle(self, event: _Event, group: anyio.abc.TaskGroup, *, reload: bool) -> bool:
        """React to one event; tell whether to go on."""
        match event:
            case _Wanted():
                await self._start(group)
            case _Reported(child=child, report=report) if child is self._coming:
                self._heard(child, report, group)
                return reload or self._serving is not None or not isinstance(report, Broken)
            case _Reported(child=child, report=Tired()) if child is self._serving:
                self._renew(child, group)
            case _Reported():
                pass  # of one that has been replaced
            case _Exited(child=child, code=code):
                self._ended(child, code, group)
            case _:
                assert_never(event)
        return True

    def _heard(self, child: Child, report: Report, group: anyio.abc.TaskGroup) -> None:
        match report:
            case Ready():
                before, self._serving, self._coming = self._serving, child, None
                self._started += 1
                self._notify(Started(report, child.process.pid, self._started > 1))
                if before is not None:
                    group.start_soon(before.stop)
            case Broken(text=text):
                self._coming = None
                self._notify(Unusable(text, self._serving is not None))
            case Tired():
                pass
            case _:
                assert_never(report)

    def _renew(self, child: Child, group: anyio.abc.TaskGroup) -> None:
        pause = self._next_pause_s(child)
        self._notify(Renewing(pause))
        group.start_soon(self._later, pause)

    def _ended(self, child: Child, code: int, group: anyio.abc.TaskGroup) -> None:
        if child is self._serving:
            self._serving = None
        elif child is self._coming:
            self._coming = None
        else:
            return  # it was told to, or has said why
        if self._coming is not None:
            return  # its replacement is on the way
        pause = self._next_pause_s(child)
        self._notify(Died(_why(code), pause))
        group.start_soon(self._later, pause)

    def _next_pause_s(self, child: Child) -> float:
        """Return how long to wait before another worker: longer with each that lived shortly."""
        if time.monotonic() - child.born >= STEADY_S:
            self._failures = 0
            return 0.0
        self._failures += 1
        return min(FIRST_PAUSE_S * 2.0 ** (self._failures - 1), LONGEST_PAUSE_S)

    async def _later(self, pause_s: float) -> None:
        wakes = self._wakes
        await asyncio.sleep(pause_s)
        if wakes == self._wakes:
            self._events.put_nowait(_Wanted())

    async def _start(self, group: anyio.abc.TaskGroup) -> None:
        """Start a worker beside the one that serves; one that is still coming is given up."""
        self._wakes += 1
        if self._coming is not None:
            abandoned, self._coming = self._coming, None
            await abandoned.kill()
        child = await self._spawn()
        self._coming = child
        group.start_soon(self._listen, child)

    async def _spawn(self) -> Child:
        ours, theirs = socket.socketpair()
        handle = theirs.fileno()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "headrace.cli.child",
                str(self._file),
                str(handle),
                pass_fds=(handle,),
                env={**_allocating(), **os.environ, **self._environment},
            )
        reader, writer = await asyncio.open_connection(sock=ours, limit=LINE_LIMIT)
        return Child(process, reader, writer)

    async def _listen(self, child: Child) -> None:
        """Pass on what the worker says, and its end."""
        try:
            with suppress(ConnectionError):
                async for line in child.reports:
                    self._events.put_nowait(_Reported(child, decode(line)))
            self._events.put_nowait(_Exited(child, await child.process.wait()))
        finally:
            child.writer.close()

    async def _watch(self) -> None:
        folder = self._file.parent
        async for changes in watchfiles.awatch(  # pyright: ignore[reportUnknownMemberType] - theirs
            folder, watch_filter=watchfiles.PythonFilter(), debounce=200, step=20
        ):
            names = sorted(Path(name).name for _, name in changes)
            self._notify(Changing(names[0]))
            self._failures = 0
            self._events.put_nowait(_Wanted())

    async def _end(self) -> None:
        for child in (self._coming, self._serving):
            if child is not None:
                await child.stop()


def _why(code: int) -> str:
    if code >= 0:
        return f"with exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
    return f"by {name}"


@asynccontextmanager
async def supervised(supervisor: Supervisor, *, reload: bool) -> AsyncGenerator[None]:
    """Supervise beside the block."""
    async with anyio.create_task_group() as group:

        async def run() -> None:
            await supervisor.run(reload=reload)

        group.start_soon(run)
        yield
        group.cancel_scope.cancel()


def _allocating() -> Mapping[str, str]:
    """Say how a worker gets memory: so that what runs leave behind can go back to the machine.

    Python's own allocator gives back blocks of a mebibyte only, in which something is always left;
    glibc's gives back every free page when it is asked to, and costs about 3 % of speed.
    """
    has_glibc = "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", {})
    return {"PYTHONMALLOC": "malloc"} if has_glibc else {}
