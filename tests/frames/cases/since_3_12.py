"""What the language has since Python 3.12; not looked at by an older one."""

from __future__ import annotations

from tests.frames.rig import case, resumable
from tests.frames.parking import wait


@resumable
async def generic[T](value: T) -> list[T]:
    """Have a type parameter."""
    return [await wait(value)]


@case("a function with type parameters", gives=[3])
async def type_parameters() -> object:
    return await generic(await wait(3))


class Kept[T]:
    """Has a type parameter, and a method with another."""

    def __init__(self, value: T) -> None:
        self.__value = value

    @resumable
    async def paired[U](self, other: U) -> tuple[T, U]:
        return self.__value, await wait(other)


@case("a class and its method with type parameters, a private name", gives=(1, 2))
async def generic_method() -> object:
    return await Kept(1).paired(await wait(2))


@case("a local function with type parameters and a closure", gives=[1, 2, 3])
async def local_generic() -> object:
    k = 1

    async def inner[T](value: T) -> list[T | int]:
        nonlocal k
        k += 1
        return [await wait(value), k]

    first = await inner(1)
    return [*first, k + 1]


@case("f-string with its own quotes inside, and an await", gives="a b c")
async def f_string_quotes() -> object:
    return f"{'a'} {await wait('b')} {''.join(['c'])}"


@case("a type alias in the function, gone before the wait", gives=3)
async def type_alias() -> object:
    type Number = int
    before: Number = 0
    del Number
    return before + await wait(3)
