"""What the benchmark of `headrace.frames` suspends, and loops over.

Owns: the functions, once as they are and once resumable. Must never know: how they are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import Any, Final, cast

from headrace.frames import resumable

Made = Callable[..., Coroutine[Any, Any, Any]]


class Parked:
    """Suspends once; is given what is sent."""

    __slots__ = ("_begun",)

    def __init__(self) -> None:
        self._begun = False

    def __await__(self) -> Generator[Any, Any, int]:
        return cast("Generator[Any, Any, int]", self)

    def __iter__(self) -> Iterator[object]:
        return cast("Iterator[object]", self)

    def __next__(self) -> object:
        return self.send(None)

    def send(self, value: object) -> object:
        """Suspend, then return."""
        if self._begun:
            raise StopIteration(value)
        self._begun = True
        return self

    def throw(self, error: BaseException, *_: object) -> object:
        """Let it pass."""
        raise error


def token(thing: object) -> object | None:
    """Return what is saved of a leaf."""
    return True if isinstance(thing, Parked) else None


def again(_: object) -> Parked:
    """Return a leaf that was saved."""
    return Parked()


async def one() -> int:
    """Return at once."""
    return 1


async def loop(count: int) -> int:
    """Await something that is there already: all that is measured is the loop and the await."""
    total = 0
    for _ in range(count):
        total += await one()
    return total


async def worked(count: int) -> int:
    """Await as above, with a little work between."""
    total = 0
    seen = dict[int, int]()
    for n in range(count):
        seen[n % 64] = total
        total += await one() + len(str(n))
    return total


async def small(n: int) -> int:
    """Wait, with a few variables."""
    name = "small"
    return n + len(name) + await Parked()


async def three(n: int) -> int:
    """Wait three frames deep."""
    kept = {"n": n}
    deeper: int = await resumable_second(n + 1)
    return kept["n"] + deeper


async def second(n: int) -> int:
    """Be between."""
    for each in range(n, n + 2):
        n += await resumable_small(each)
    return n


async def large(count: int) -> int:
    """Wait with a long list."""
    kept = list(range(count))
    await Parked()
    return len(kept)


resumable_small: Final[Made] = resumable(small)
resumable_second: Final[Made] = resumable(second)
resumable_three: Final[Made] = resumable(three)
resumable_large: Final[Made] = resumable(large)
LOOPS: Final[tuple[tuple[str, Made, Made], ...]] = (
    ("an await loop, nothing else in it", loop, resumable(loop)),
    ("an await loop with a little work", worked, resumable(worked)),
)
SAVED: Final[tuple[tuple[str, Made, int], ...]] = (
    ("small", resumable_small, 1),
    ("3 frames", resumable_three, 1),
    ("a list of 100,000", resumable_large, 100_000),
)
