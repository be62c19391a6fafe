"""The task of the limits test: it reads everything, and says what it read, in which order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

from headrace import streams, task

news = streams.input("news", int)


@dataclass(frozen=True)
class Read:
    """How many numbers were read, and what stands for their order."""

    count: int
    digest: str


def digest(numbers: Iterable[int]) -> str:
    """Stand in for a sequence."""
    state = blake2b(digest_size=16)
    for number in numbers:
        state.update(b"%d," % number)
    return state.hexdigest()


@task(max_attempts=1)
async def read_all(count: int) -> Read:
    """Read `count` numbers."""
    found: list[int] = []
    async for number in news:
        found.append(number)
        if len(found) == count:
            break
    return Read(len(found), digest(found))
