"""A write that fails: before it lands, or after it landed, with the reply lost.

Owns: which write fails, and how. Must never know: what a write means.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from headrace.errors import Unavailable

T = TypeVar("T")


class Crash(BaseException):
    """The process is gone; nothing in it may catch this and go on."""


class Bug(Exception):
    """Somebody's mistake in a store: no error that a caller can expect."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Which write fails (1 is the first, 0 none), and how.

    `landed`: it is done, only the reply is lost. `crash`: the process ends there; else the one
    call is answered with `Unavailable` (`bug`: with `Bug`) and the next works again.
    """

    at: int
    landed: bool = False
    crash: bool = False
    bug: bool = False


class Faults:
    """Counts the writes, and fails the one that was asked for."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.writes = 0
        self.is_dead = False

    async def write(self, call: Callable[[], Awaitable[T]]) -> T:
        """Do the write, or fail it."""
        self.check()
        self.writes += 1
        if self.writes != self.fault.at:
            return await call()
        self.is_dead = self.fault.crash
        if self.fault.landed:
            await call()
        self.check()
        if self.fault.bug:
            raise Bug(f"write {self.writes} has a bug")
        raise Unavailable(f"write {self.writes} was made to fail", hint="Try again.")

    async def read(self, call: Awaitable[T]) -> T:
        """Do a read, which fails only in a process that is gone."""
        value = await call
        self.check()
        return value

    def check(self) -> None:
        """Stop here if the process is gone."""
        if self.is_dead:
            raise Crash(f"the process ended at write {self.fault.at}")
