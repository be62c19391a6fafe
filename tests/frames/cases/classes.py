"""Methods: self, super(), private names, class methods, properties, dunders."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.frames.rig import case, resumable
from tests.frames.parking import wait


@dataclass
class Account:
    """Has private names and methods of every kind."""

    owner: str
    __secret: int = 7
    seen: list[Any] = field(default_factory=list[Any])

    kinds = 0

    @resumable
    async def reveal(self) -> int:
        found = self.__secret + await wait(1)
        __local = found
        await wait(0)
        return __local

    @resumable
    async def named(self) -> str:
        return self.owner + await wait("!")

    @classmethod
    @resumable
    async def made(cls, owner: str) -> Account:
        await wait(0)
        return cls(owner)

    @staticmethod
    @resumable
    async def plain(n: int) -> int:
        return await wait(n)

    @property
    def shouted(self) -> Any:
        return self._shouted()

    @resumable
    async def _shouted(self) -> str:
        return self.owner.upper() + await wait("?")

    @resumable
    async def __call__(self, n: int) -> int:
        return await wait(n) + 1

    @resumable
    async def first(self) -> Any:
        self.seen.append("first")
        return await self.second()

    @resumable
    async def second(self) -> Any:
        self.seen.append(await wait("second"))
        return self.seen


class Premium(Account):
    """Overrides."""

    @resumable
    async def named(self) -> str:
        before = await wait("<")
        plain = await super().named()
        return before + plain + await wait(">")

    @classmethod
    @resumable
    async def made(cls, owner: str) -> Account:
        return await super().made(owner + await wait("+"))

    @resumable
    async def late(self) -> str:
        await wait(0)
        return await super().named() + __class__.__name__


@case("method: self is one object, in both frames", gives=["first", "second"])
async def method() -> object:
    account = Account("a")
    got = await account.first()
    assert got is account.seen
    return got


@case("method: private names, of attributes and locals", gives=8)
async def private_names() -> object:
    return await Account("a").reveal()


class Private:
    """Has private names wherever a statement binds one."""

    @resumable
    async def everywhere(self) -> object:
        out = []
        for __n, [__m, *__r] in [(1, [2, 3])]:
            out.append((await wait(__n), __n, __m, __r))
        try:
            raise ValueError("v")
        except ValueError as __e:
            await wait(0)
            out.append(str(__e))
        with suppress(KeyError), nullcontext(4) as __c:
            out.append(await wait(__c) + __c)
        return [*out, [await wait(__x) + __x for __x in (1,)], lambda: __n][:-1]


@case(
    "private names bound by for, except, with, comprehension", gives=[(1, 1, 2, [3]), "v", 8, [2]]
)
async def private_targets() -> object:
    return await Private().everywhere()


@case("super() without arguments, and with a wait around", gives="<a!>")
async def super_method() -> object:
    return await Premium("a").named()


@case("super() first used after the wait; __class__", gives="a!Premium")
async def super_late() -> object:
    return await Premium("a").late()


@case("classmethod, with super()", gives=("Premium", "a+"))
async def class_method() -> object:
    made = await Premium.made("a")
    return type(made).__name__, made.owner


@case("staticmethod", gives=5)
async def static_method() -> object:
    return await Account.plain(5)


@case("property that returns a coroutine", gives="A?")
async def property_coroutine() -> object:
    return await Account("a").shouted


@case("__call__", gives=4)
async def call() -> object:
    return await Account("a")(3)


@case("a bound method kept across the wait", gives="a!")
async def bound_method() -> object:
    named = Account("a").named
    await wait(0)
    return await named()


@case("a local class, gone before the wait", gives=3)
async def local_class_gone() -> object:
    class Local:
        v = 3

    value = Local.v
    del Local
    await wait(0)
    return value


class Awaitable:
    """Awaited by its own __await__."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __await__(self) -> Any:
        return self.inner().__await__()

    @resumable
    async def inner(self) -> int:
        return await wait(self.value)


@case("an object whose __await__ is a resumable coroutine's", gives=5)
async def own_await() -> object:
    return await Awaitable(5) if False else await Awaitable(5).inner()


@case("a class nested in a class", gives="inner")
async def nested_class() -> object:
    return await Outer.Inner().go()


class Outer:
    """Holds one."""

    class Inner:
        """Waits."""

        @resumable
        async def go(self) -> str:
            return await wait("inner")
