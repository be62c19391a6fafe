"""Async generators, in a loop, by hand, and as context managers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from tests.frames.rig import case, resumable
from tests.frames.parking import wait


@resumable
async def numbers(out: list[Any], stop: int = 3) -> AsyncGenerator[int]:
    """Wait, yield, and say when it is closed."""
    try:
        for n in range(stop):
            await wait(n)
            yield n
    finally:
        out.append("closed")


@case("async for: suspended inside the generator and in the body", gives=[0, 1, 2, "closed"])
async def generator_loop() -> object:
    out: list[Any] = []
    async for n in numbers(out):
        out.append(await wait(n))
    return out


@case("two generators at once, taken in turns", gives=[0, 0, 1, 1, "closed", "closed"])
async def two_generators() -> object:
    out: list[Any] = []
    one, two = numbers(out, 2), numbers(out, 2)
    async for n in one:
        out.append(n)
        out.append(await wait(await anext(two)))
    try:
        await anext(two)
    except StopAsyncIteration:
        pass
    return out


@case("asend and athrow", gives=["start", "got 5", "ValueError", "end"])
async def asend_athrow() -> object:
    out: list[Any] = []
    generator = echo()
    out.append(await generator.asend(None))
    await wait(0)
    out.append(await generator.asend(5))
    await wait(0)
    out.append(await generator.athrow(ValueError()))
    await wait(0)
    out.append(await anext(generator, "end"))
    return out


@resumable
async def echo() -> AsyncGenerator[str, int]:
    """Say what it was sent."""
    got = yield "start"
    await wait(1)
    try:
        yield f"got {got}"
    except ValueError as error:
        await wait(2)
        yield type(error).__name__


@case("aclosing: closed early, a wait in its finally", gives=[0, "closing", "closed"])
async def closed_early() -> object:
    out: list[Any] = []
    async with aclosing(slow_to_close(out)) as generator:
        async for n in generator:
            out.append(await wait(n))
            break
    return out


@resumable
async def slow_to_close(out: list[Any]) -> AsyncGenerator[int]:
    """Wait at its end."""
    try:
        yield 0
        yield 1
    finally:
        out.append("closing")
        out.append(await wait("closed"))


@case("a generator that is finished, kept in a local", gives=[[0], "over"])
async def finished_generator() -> object:
    generator = numbers([], 1)
    out = [[n async for n in generator]]
    await wait(0)
    return [*out, await anext(generator, "over")]


@case("a generator not begun, kept in a local", gives=[0, 1])
async def unbegun_generator() -> object:
    generator = numbers([], 2)
    await wait(0)
    return [n async for n in generator]


@case("a generator over a generator", gives=[0, 10, 20])
async def generator_chain() -> object:
    return [n async for n in tenfold(numbers([]))]


@resumable
async def tenfold(source: AsyncIterator[int]) -> AsyncGenerator[int]:
    """Multiply."""
    async for n in source:
        yield n * await wait(10)


@case("a generator method with self, and a closure", gives=[("a", 0), ("a", 1)])
async def generator_method() -> object:
    out: list[Any] = []
    async for pair in Source("a").pairs():
        out.append(pair)
        await wait(0)
    return out


class Source:
    """Yields its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    @resumable
    async def pairs(self) -> AsyncGenerator[tuple[str, int]]:
        for n in range(2):
            yield self.name, await wait(n)


@case("a generator in two locals is one generator", gives=(0, 1, True))
async def generator_identity() -> object:
    one = numbers([])
    two = one
    a = await anext(one)
    await wait(0)
    b = await anext(two)
    return a, b, one is two


@case("a generator that refers to its own list, changed from outside", gives=[1, 2, 3])
async def generator_shares() -> object:
    source = [1]
    out: list[int] = []
    async for n in each(source):
        out.append(n)
        if n < 3:
            source.append(await wait(n + 1))
    return out


@resumable
async def each(source: list[int]) -> AsyncGenerator[int]:
    """Yield each, also those added meanwhile."""
    for n in source:
        yield n


@asynccontextmanager
@resumable
async def slow(out: list[Any]) -> AsyncGenerator[str]:
    """Wait before and after."""
    out.append(await wait("opening"))
    try:
        yield "value"
    finally:
        out.append(await wait("closing"))


@case("asynccontextmanager with waits at both ends", gives=["opening", "value", "closing"])
async def slow_context_manager() -> object:
    out: list[Any] = []
    async with slow(out) as value:
        out.append(await wait(value))
    return out


@case(
    "asynccontextmanager in asynccontextmanager, an error through both", gives=["v", "o", "c", "C"]
)
async def nested_context_managers() -> object:
    out: list[Any] = []
    try:
        async with outer(out):
            await wait(KeyError())
    except KeyError:
        out.append(await wait("C"))
    return out


@asynccontextmanager
@resumable
async def outer(out: list[Any]) -> AsyncGenerator[None]:
    """Hold another."""
    async with opened(out):
        try:
            yield
        finally:
            out.append("o")


@asynccontextmanager
@resumable
async def opened(out: list[Any]) -> AsyncGenerator[None]:
    """Hold nothing."""
    out.append("v")
    try:
        yield
    finally:
        out.append("c")


@case("a local async generator function with a closure", gives=[1, 3])
async def local_generator() -> object:
    k = 1

    async def made() -> AsyncGenerator[int]:
        nonlocal k
        for _ in range(2):
            yield k
            k += await wait(2)

    return [n async for n in made()]
