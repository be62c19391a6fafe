"""with and async with."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, nullcontext, suppress
from typing import Any

from tests.frames.rig import case, resumable
from tests.frames.parking import wait


class Kept:
    """A context manager of both kinds that notes what happens."""

    def __init__(self, out: list[Any], name: str, *, swallows: bool = False) -> None:
        self.out, self.name, self.swallows = out, name, swallows

    def __enter__(self) -> str:
        self.out.append(f"+{self.name}")
        return self.name

    def __exit__(self, kind: Any, error: Any, _: Any) -> bool:
        assert kind is None or isinstance(error, kind)
        self.out.append(f"-{self.name}{kind.__name__ if kind else ''}")
        return self.swallows

    async def __aenter__(self) -> str:
        return self.__enter__()

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> bool:
        return self.__exit__(kind, error, trace)


class Waiting(Kept):
    """Waits at both ends."""

    @resumable
    async def __aenter__(self) -> str:
        await wait("enter")
        return self.__enter__()

    @resumable
    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> bool:
        await wait("exit")
        return self.__exit__(kind, error, trace)


@case("with: await in its body", gives=["+a", "a", "-a"])
async def with_body() -> object:
    out: list[Any] = []
    with Kept(out, "a") as name:
        out.append(await wait(name))
    return out


@case("with: several items, entered and left in order", gives=["+a", "+b", 1, "-b", "-a"])
async def with_items() -> object:
    out: list[Any] = []
    with Kept(out, "a"), Kept(out, "b"):
        out.append(await wait(1))
    return out


@case("async with: waits in enter, body and exit", gives=["+a", "a", "-a"])
async def async_with() -> object:
    out: list[Any] = []
    async with Waiting(out, "a") as name:
        out.append(await wait(name))
    return out


@case("async with: several items", gives=["+a", "+b", 1, "-b", "-a"])
async def async_with_items() -> object:
    out: list[Any] = []
    async with Waiting(out, "a") as _, Waiting(out, "b"):
        out.append(await wait(1))
    return out


@case("with: an await in the context expression", gives=["+x", 1, "-x"])
async def with_expression() -> object:
    out: list[Any] = []
    with Kept(out, await wait("x")):
        out.append(await wait(1))
    return out


@case("with: the second item fails to enter, the first is left", gives=["+a", "-aValueError", "v"])
async def with_second_fails() -> object:
    out: list[Any] = []
    try:
        with Kept(out, "a"), Kept(out, await wait(ValueError("v"))):
            out.append("wrong")
    except ValueError as error:
        out.append(str(error))
    return out


@case("with: an error is swallowed", gives=["+a", "-aValueError", "after"])
async def with_swallows() -> object:
    out: list[Any] = []
    with Kept(out, "a", swallows=True):
        await wait(ValueError())
        out.append("wrong")
    return [*out, await wait("after")]


@case("async with: an error is swallowed, waits in the exit", gives=["+a", "-aKeyError", "after"])
async def async_with_swallows() -> object:
    out: list[Any] = []
    async with Waiting(out, "a", swallows=True):
        await wait(KeyError())
        out.append("wrong")
    return [*out, await wait("after")]


@case("async with: an error passes through a waiting exit", gives=["+a", "-aKeyError", "KeyError"])
async def async_with_passes() -> object:
    out: list[Any] = []
    try:
        async with Waiting(out, "a"):
            await wait(KeyError())
    except KeyError as error:
        out.append(type(error).__name__)
    return out


@case("async with: return through two waiting exits", gives=(["+a", "+b", "-b", "-a"], "r"))
async def async_with_return() -> object:
    out: list[Any] = []

    async def inner() -> Any:
        async with Waiting(out, "a"), Waiting(out, "b"):
            return await wait("r")

    result = await inner()
    return out, result


@case("async with: break and continue through a waiting exit", gives=["+0", "-0", "+1", "-1"])
async def async_with_loops() -> object:
    out: list[Any] = []
    for n in range(5):
        async with Waiting(out, str(n)):
            if await wait(n) == 1:
                break
            continue
    return out


@case("with: targets that are tuples, items and attributes", gives=(1, 2, "x", ["+x", "-x"]))
async def with_targets() -> object:
    out: list[Any] = []
    kept: dict[str, str] = {}
    with nullcontext((1, 2)) as (a, b), Kept(out, "x") as kept["k"]:
        await wait(0)
    return a, b, kept["k"], out


@case("contextlib.suppress across an await", gives="after")
async def with_suppress() -> object:
    with suppress(ValueError):
        await wait(ValueError())
    return await wait("after")


@case("ExitStack with managers and callbacks", gives=["+a", 1, "called", "-a"])
async def exit_stack() -> object:
    out: list[Any] = []
    with ExitStack() as stack:
        stack.enter_context(Kept(out, "a"))
        stack.callback(out.append, "called")
        out.append(await wait(1))
    return out


@case("AsyncExitStack with both kinds of managers", gives=["+a", "+b", 1, "-b", "-a"])
async def async_exit_stack() -> object:
    out: list[Any] = []
    async with AsyncExitStack() as stack:
        stack.enter_context(Kept(out, "a"))
        await stack.enter_async_context(Kept(out, "b"))
        out.append(await wait(1))
    return out


@case("with in a handler, error in its body has the handled one as context", gives="ValueError")
async def with_in_handler() -> object:
    out: list[Any] = []
    try:
        try:
            raise ValueError
        except ValueError:
            with Kept(out, "a"):
                await wait(1)
                raise KeyError
    except KeyError as error:
        return type(error.__context__).__name__


@case("an exit that fails replaces the error", gives=("KeyError", "ValueError"))
async def exit_fails() -> object:
    class Failing(Kept):
        def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
            raise KeyError

    stack = Failing
    try:
        with stack([], "a"):
            del stack, Failing
            raise ValueError
    except KeyError as error:
        await wait(1)
        return type(error).__name__, type(error.__context__).__name__


@contextlib.asynccontextmanager
@resumable
async def opened(out: list[Any]) -> AsyncIterator[int]:
    """Note its ends; swallow ValueError."""
    out.append("open")
    try:
        yield 5
    except ValueError:
        out.append("swallowed")
    finally:
        out.append("close")


@case("asynccontextmanager: await in the body", gives=["open", 5, "close"])
async def context_manager_function() -> object:
    out: list[Any] = []
    async with opened(out) as value:
        out.append(await wait(value))
    return out


@case(
    "asynccontextmanager: an error thrown into the generator", gives=["open", "swallowed", "close"]
)
async def context_manager_swallows() -> object:
    out: list[Any] = []
    async with opened(out):
        await wait(ValueError())
    await wait(0)
    return out
