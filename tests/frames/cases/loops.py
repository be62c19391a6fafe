"""Loops, and their `else`."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from itertools import count, islice
from typing import Any

from tests.frames.rig import Refused, case, resumable
from tests.frames.parking import wait


@case("for over a list, await in the middle", gives=[1, 20, 3])
async def for_list() -> object:
    out: list[int] = []
    for x in [1, 2, 3]:
        out.append(await wait(20) if x == 2 else x)
    return out


@case("for: the list grows while it is read", gives=[0, 1, 2, 3])
async def for_growing() -> object:
    values = [0]
    for value in values:
        if len(values) < 4:
            values.append(await wait(value) + 1)
    return values


@case("for over range, enumerate, zip, reversed, map, dict views", gives=[0, 1, 1, 2, 3, 2, 3, 12])
async def for_iterators() -> object:
    out: list[Any] = []
    for x in range(2):
        out.append(await wait(x))
    for i, (a, b) in enumerate(zip([0, 1], [1, 1], strict=True)):
        if i:
            out.extend((await wait(a), b + 1))
    for y in reversed([3]):
        out.append(await wait(y))
    for k, v in {"a": 2, "b": 3}.items():
        out.append(await wait(v) if k else 0)
    for z in map(int, ["12"]):
        out.append(await wait(z))
    return out


@case("for over a string, bytes, a set, dict keys and values", gives=["a", "b", 1, 5, "k", 2])
async def for_more_iterators() -> object:
    out: list[Any] = []
    for s in "ab":
        out.append(await wait(s))
    for n in b"\x01":
        out.append(await wait(n))
    for e in {5}:
        out.append(await wait(e))
    for k in {"k": 1}:
        out.append(await wait(k))
    for v in {"k": 2}.values():
        out.append(await wait(v))
    return out


NO_STATE = sys.version_info >= (3, 14)  # itertools cannot be pickled any more


@case("for over itertools", gives=Refused(("islice", "loops.py")) if NO_STATE else [0, 1, 2])
async def for_itertools() -> object:
    out: list[int] = []
    for x in islice(count(), 3):
        out.append(await wait(x))
    return out


@case("for: an await in the iterable", gives=[1, 2])
async def for_awaited_iterable() -> object:
    return [x for x in await wait([1, 2])]


@case("for … else: the loop runs out", gives=[1, "else", 2])
async def for_else() -> object:
    out: list[Any] = []
    for x in [1]:
        out.append(await wait(x))
    else:
        out.append("else")
        out.append(await wait(2))
    return out


@case("for … else: the loop is broken off", gives=[1, "after"])
async def for_else_broken() -> object:
    out: list[Any] = []
    for x in [1, 2]:
        out.append(await wait(x))
        if out:
            break
    else:
        out.append("else")
    await wait(0)
    return [*out, "after"]


@case("continue and break around awaits, nested loops", gives=[(0, 0), (0, 2), (1, 0), (1, 2)])
async def nested_loops() -> object:
    out: list[Any] = []
    for a in range(5):
        if await wait(a) == 2:
            break
        for b in range(3):
            if b == await wait(1):
                continue
            out.append((a, b))
    return out


@case("while with an await in the test, and else", gives=[2, 1, "else"])
async def while_else() -> object:
    out: list[Any] = []
    n = 2
    while await wait(n):
        out.append(n)
        n -= 1
    else:
        out.append(await wait("else"))
    return out


@case("while broken off in its body: no else", gives=[3, 2])
async def while_broken() -> object:
    out: list[Any] = []
    n = 3
    while True:
        out.append(await wait(n))
        n -= 1
        if await wait(n) == 1:
            break
    else:
        out.append("else")
    return out


@case("break in the else of an inner loop ends the outer one", gives=[0, "inner done", "end"])
async def break_in_else() -> object:
    out: list[Any] = []
    for a in range(3):
        for b in range(1):
            out.append(await wait(b))
        else:
            out.append(await wait("inner done"))
            break
        out.append(a)
    return [*out, "end"]


@case("for with an attribute and an item as its target", gives=([2, 4], 4))
async def for_targets() -> object:
    out: list[int] = []
    kept: dict[str, int] = {}
    for kept["k"] in [2, 4]:
        out.append(await wait(kept["k"]))
    last = kept["k"]
    await wait(0)
    return out, last


@case("for with a tuple and a star as its target", gives=[(1, [2, 3]), (4, [])])
async def for_star() -> object:
    out: list[Any] = []
    for a, *b in [(1, 2, 3), (4,)]:
        out.append((await wait(a), b))
    return out


class Counted:
    """Iterates by a class of its own."""

    def __init__(self, stop: int) -> None:
        self.n = 0
        self.stop = stop

    def __iter__(self) -> Counted:
        return self

    def __next__(self) -> int:
        if self.n == self.stop:
            raise StopIteration
        self.n += 1
        return self.n


class Awaited:
    """Iterates asynchronously, waiting for each."""

    def __init__(self, stop: int) -> None:
        self.n = 0
        self.stop = stop

    def __aiter__(self) -> AsyncIterator[int]:
        return self

    @resumable
    async def __anext__(self) -> int:
        if self.n == self.stop:
            raise StopAsyncIteration
        self.n += 1
        return await wait(self.n)


@case("for over an iterator of the user's own class", gives=[1, 2, 3])
async def for_own_iterator() -> object:
    out: list[int] = []
    for x in Counted(3):
        out.append(await wait(x))
    return out


@case("async for over a class, waits in __anext__, else", gives=[1, 2, "else"])
async def async_for_class() -> object:
    out: list[Any] = []
    async for x in Awaited(2):
        out.append(x)
        await wait(0)
    else:
        out.append(await wait("else"))
    return out


@case("async for broken off", gives=[1, "after"])
async def async_for_broken() -> object:
    out: list[Any] = []
    async for x in Awaited(5):
        out.append(x)
        await wait(0)
        break
    else:
        out.append("else")
    return [*out, await wait("after")]


@case("an error raised in a loop's body leaves the loop", gives=[1, "ValueError", 2])
async def error_leaves_loop() -> object:
    out: list[Any] = []
    try:
        for x in [1, 2]:
            out.append(await wait(x))
            await wait(ValueError())
    except ValueError as error:
        out.append(type(error).__name__)
    return [*out, await wait(2)]


@case("return out of two loops", gives=(1, 2))
async def return_from_loops() -> object:
    for a in range(3):
        for b in range(3):
            if await wait(a) == 1 and await wait(b) == 2:
                return a, b
    return None


@case("for over a generator", gives=[0, 1])
async def for_generator_spent() -> object:
    out: list[int] = list(x for x in range(2))
    await wait(0)
    return out


@case("a loop that goes on forty times", gives=780)
async def long_loop() -> object:
    total = 0
    for n in range(40):
        total += await wait(n)
    return total
