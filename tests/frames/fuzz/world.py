"""What a random program may use: effects that are seen, errors, boxes, context managers.

Everything that a program does to the world goes through `note`, into a journal outside of it:
an effect that is repeated, lost, or done while a program is put away shows there.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AsyncExitStack,
    ExitStack,
    aclosing,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from functools import partial, reduce, wraps
from typing import Any, Final, TypeVar

from tests.frames.parking import wait

__all__ = [
    "Any",
    "AsyncExitStack",
    "Box",
    "Ended",
    "ExitStack",
    "Gate",
    "Oops",
    "Shape",
    "Stream",
    "aclosing",
    "asynccontextmanager",
    "asyncio",
    "boom",
    "both",
    "box",
    "contextmanager",
    "handled",
    "n",
    "note",
    "nullcontext",
    "partial",
    "reduce",
    "resumable",
    "suppress",
    "wait",
    "wraps",
]

F = TypeVar("F", bound=Callable[..., Any])
NOTES_AT_MOST: Final = 1_500


class Ended(BaseException):
    """The program has done enough; whatever it does after this is not looked at."""


class Journal:
    """What the program that runs now has done."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def begin(self) -> None:
        """Forget what was done."""
        self.notes = []

    def fill(self) -> None:
        """Let every further note end the program."""
        self.notes = [""] * NOTES_AT_MOST


JOURNAL: Final = Journal()


class Maker:
    """What `resumable` means in the module that is being loaded."""

    def __init__(self) -> None:
        self.make: Callable[[Any], Any] | None = None


MAKER: Final = Maker()


def resumable(function: F) -> F:
    """Be what the loader says."""
    if MAKER.make is None:
        return function
    made: F = MAKER.make(function)
    return made


def note(*what: object) -> None:
    """Have an effect."""
    if len(JOURNAL.notes) >= NOTES_AT_MOST:
        raise Ended
    JOURNAL.notes.append(", ".join(map(repr, what)))


def n(at: int, value: Any) -> Any:
    """Have an effect; return the value."""
    note(at, value)
    return value


def handled(at: int) -> None:
    """Note which error is being handled."""
    error = sys.exc_info()[1]
    note("handled", at, error, error and error.__context__)


def boom(value: int) -> int:
    """Fail for one value in four."""
    if value % 4 == 3:
        raise Oops(value, why="boom")
    return value


def both(a: Any, b: Any = 1, *rest: Any, key: Any = 2, **more: Any) -> int:
    """Note how it was called; return a number."""
    note("both", a, b, rest, key, sorted(more.items()))
    return (number(a) + 2 * number(b) + 3 * len(rest) + number(key)) % 101


def number(value: Any) -> int:
    """Return a number for anything."""
    return value if isinstance(value, int) else len(str(value))


class Oops(ValueError):
    """Cannot be made again from its args."""

    def __init__(self, code: int, *, why: str) -> None:
        super().__init__(f"{why} {code}")
        self.code = code


class Box:
    """Has an attribute, items and methods, all of which are noted."""

    def __init__(self, v: int = 1) -> None:
        self.v = v
        self.items: dict[Any, Any] = {"k": v}

    def __getitem__(self, key: Any) -> Any:
        note("get", key)
        return self.items.get(key, 3)

    def __setitem__(self, key: Any, value: Any) -> None:
        note("set", key, value)
        self.items[key] = value

    def __delitem__(self, key: Any) -> None:
        note("del", key)
        self.items.pop(key, None)

    def __repr__(self) -> str:
        return f"Box({self.v}, {self.items})"

    def __eq__(self, other: object) -> bool:
        note("eq", other)
        return isinstance(other, Box) and self.v == other.v

    def __hash__(self) -> int:
        return 1

    @property
    def seen(self) -> int:
        """Note that it was read."""
        note("seen", self.v)
        return self.v

    def add(self, *values: Any) -> int:
        """Add, and return the sum."""
        note("add", self.v, values)
        self.v = (self.v + sum(map(number, values))) % 101
        return self.v

    def self(self) -> Box:
        """Return itself."""
        note("self")
        return self


def box(v: int) -> Box:
    """Make one."""
    return Box(v)


class Shape:
    """Is matched by position and by keyword."""

    __match_args__ = ("a", "b")

    def __init__(self, a: Any, b: Any = 0) -> None:
        self.a = a
        self.b = b

    def __repr__(self) -> str:
        return f"Shape({self.a!r}, {self.b!r})"


class Gate:
    """A context manager of both kinds; swallows one kind of error."""

    def __init__(self, at: int, swallows: tuple[type[BaseException], ...] = ()) -> None:
        self.at = at
        self.swallows = swallows

    def __repr__(self) -> str:
        return f"Gate({self.at})"

    def __enter__(self) -> int:
        note("enter", self.at)
        return self.at

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> bool:
        note("exit", self.at, kind and kind.__name__, repr(error))
        return error is not None and isinstance(error, self.swallows)

    async def __aenter__(self) -> int:
        note("aenter", self.at)
        return self.at

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> bool:
        note("aexit", self.at, kind and kind.__name__, repr(error))
        return error is not None and isinstance(error, self.swallows)


class Stream:
    """Iterates, both ways, by a class of its own; its async side never waits."""

    def __init__(self, stop: int) -> None:
        self.at = 0
        self.stop = stop

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        note("next", self.at)
        if self.at >= self.stop:
            raise StopIteration
        self.at += 1
        return self.at

    def __aiter__(self) -> AsyncIterator[int]:
        return self

    async def __anext__(self) -> int:
        note("anext", self.at)
        if self.at >= self.stop:
            raise StopAsyncIteration
        self.at += 1
        return self.at
