"""What the proofs of `headrace.frames` wait on: a leaf that says what it wants to be given.

`await wait(5)` suspends and is given 5; `await wait(ValueError("x"))` raises that error. So a
test's expectation stands in its own code, and nothing has to be told from outside.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterator
from types import CoroutineType
from typing import Any, Generic, TypeAlias, TypeVar, cast

T = TypeVar("T")
Coro: TypeAlias = "CoroutineType[Any, Any, object]"


class Parked(Generic[T]):
    """Yields itself once; then returns what is sent, or raises what is thrown."""

    __slots__ = ("_begun", "tag")

    def __init__(self, tag: T) -> None:
        self.tag = tag
        self._begun = False

    def __await__(self) -> Generator[Any, Any, T]:
        return cast("Generator[Any, Any, T]", self)

    def __iter__(self) -> Iterator[object]:
        return cast("Iterator[object]", self)

    def __next__(self) -> object:
        return self.send(None)

    def send(self, value: object) -> object:
        if self._begun:
            raise StopIteration(value)
        self._begun = True
        return self

    def throw(self, kind: object, value: object = None, _: object = None) -> object:
        if isinstance(kind, BaseException):
            raise kind
        if isinstance(value, BaseException):
            raise value
        raise cast("type[BaseException]", kind)


def wait(tag: T) -> Parked[T]:
    """Suspend; be given `tag`, or have it raised where it is an error."""
    return Parked(tag)


def token(thing: object) -> object | None:
    """Return what is saved of a leaf; None where it is not ours."""
    return (cast("Parked[object]", thing).tag,) if isinstance(thing, Parked) else None


def again(saved: object) -> Awaitable[object]:
    """Return the leaf of what `token` said."""
    (tag,) = cast("tuple[object]", saved)
    return Parked(tag)


def started(coroutine: Coro) -> Parked[object]:
    """Go to the first suspension."""
    return cast("Parked[object]", coroutine.send(None))


def answered(coroutine: Coro, at: Parked[object]) -> Parked[object]:
    """Give a leaf what it wants, and go to the next suspension."""
    if isinstance(at.tag, BaseException):
        return cast("Parked[object]", coroutine.throw(at.tag))
    return cast("Parked[object]", coroutine.send(at.tag))


def finished(coroutine: Coro, at: Parked[object], seen: Callable[[Parked[object]], None]) -> object:
    """Answer every suspension, showing each to `seen`; return the result."""
    try:
        while True:
            at = answered(coroutine, at)
            seen(at)
    except StopIteration as over:
        return cast("object", over.value)
