"""Comprehensions with awaits in them, and without beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from tests.frames.rig import case, resumable
from tests.frames.parking import wait


@resumable
async def counted(stop: int) -> AsyncIterator[int]:
    """Yield numbers, waiting for each."""
    for n in range(stop):
        yield await wait(n)


@case("list comprehension: await in the element", gives=[0, 2, 4])
async def list_element() -> object:
    return [await wait(n) * 2 for n in range(3)]


@case("list comprehension: await in the condition", gives=[1, 3])
async def list_condition() -> object:
    return [n for n in range(4) if await wait(n) % 2]


@case("set and dict comprehensions with awaits", gives=([1, 2], {"a": 1, "b": 2}))
async def set_and_dict() -> object:
    one = {await wait(n) for n in (1, 2, 1)}
    return sorted(one), {await wait(k): await wait(v) for k, v in [("a", 1), ("b", 2)]}


@case(
    "nested comprehension: two fors, and one inside the other", gives=([1, 2, 2, 4], [[0], [0, 1]])
)
async def nested() -> object:
    flat = [await wait(a * b) for a in (1, 2) for b in (1, 2)]
    return flat, [[await wait(b) for b in range(a)] for a in (1, 2)]


@case("the first iterable is evaluated outside, awaits in it", gives=[10, 20])
async def outer_iterable() -> object:
    return [n * 10 for n in await wait([1, 2])]


@case("async comprehension over an async generator", gives=[0, 1, 4])
async def async_comprehension() -> object:
    return [n * n async for n in counted(3)]


@case("async comprehension with a condition that awaits", gives={1: 1})
async def async_condition() -> object:
    return {n: n async for n in counted(3) if await wait(n) == 1}


@case("generator expression with await, read by async for", gives=[0, 2])
async def async_generator_expression() -> object:
    out: list[int] = []
    async for n in (await wait(m) * 2 for m in range(2)):
        out.append(await wait(n))
    return out


@case("walrus in a comprehension binds in the function", gives=([0, 1], 1))
async def walrus_in_comprehension() -> object:
    last = -1
    made = [last := await wait(n) for n in range(2)]
    await wait(0)
    return made, last


@case("closure over the function's variables, before and after", gives=([5, 6], [6, 7]))
async def closure() -> object:
    k = 5
    one = [await wait(n) + k for n in range(2)]
    k = 6
    two = [await wait(n) + k for n in range(2)]
    return one, two


@case("the loop variable does not leak", gives="outer")
async def no_leak() -> object:
    n: Any = "outer"
    await wait([await wait(n) for n in range(2)])
    return n


@case("lambda in a comprehension: late binding", gives=[2, 2])
async def lambda_in_comprehension() -> object:
    made = [lambda: n for n in range(3)][:2]
    values = [f() for f in made]
    del made
    await wait(0)
    return values


@case("a comprehension in an argument, values left of it kept", gives=(1, [0, 1], 3))
async def in_argument() -> object:
    def tuple_of(*args: Any) -> tuple[Any, ...]:
        return args

    return tuple_of(1, [await wait(n) for n in range(2)], await wait(3))


@case("an error thrown into a comprehension", gives="caught")
async def error_inside() -> object:
    try:
        return [await wait(n) for n in (1, ValueError())]
    except ValueError:
        return await wait("caught")


@case("plain comprehensions and generator expressions beside awaits", gives=([0, 1], 3, {0: 1}))
async def plain() -> object:
    a = [n for n in range(2)]
    await wait(1)
    b = sum(n for n in range(3))
    await wait(2)
    return a, b, {n: 1 for n in range(1)}


@case("a comprehension in a method, with self and super()", gives=[11, 12])
async def in_method() -> object:
    return await Derived().go()


class Base:
    """Adds ten."""

    async def plus(self, n: int) -> int:
        return n + 10


class Derived(Base):
    """Uses super() inside; a comprehension cannot before 3.12."""

    @resumable
    async def go(self) -> list[int]:
        plus = super().plus
        return [await plus(await wait(n)) for n in (1, 2)]
