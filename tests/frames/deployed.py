"""A module that is deployed with changes, and what is saved of its functions with their sources.

Owns: writing it, and knowing nothing of it again. Must never know: what is tested.
"""

from __future__ import annotations

import importlib
import linecache
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Final

from headrace import frames
from headrace.frames import registry
from tests.frames.parking import Coro, again, finished, started, token

NAME: Final = "kept_by_a_test"
SOURCE: Final = """
from __future__ import annotations

from headrace.frames import resumable
from tests.frames.parking import wait

LIMIT = 1

def noted(value):
    return ["then", value]

def adder(k):
    return lambda n: n + k if str(k) in {"1", "2", "3", "4"} else (lambda: -n)()

@resumable
async def inner(n: NoSuchName) -> int:
    first = await wait(n)
    second = await wait(first + 1)
    return second + LIMIT

class Shop:
    def __init__(self):
        self.__sold = 1

    @resumable
    async def sell(self):
        return await wait(self.__sold), self.price()

    def price(self):
        return "then"

class Corner(Shop):
    @resumable
    async def sell(self):
        return "at the corner", await super().sell()

def shop():
    return Corner().sell()

def maker(k=7):
    @resumable
    async def made(n):
        def more():
            return n + k
        got = await wait(5)
        return got + more()
    return made(10)

@resumable
async def outer():
    kept = noted(10)
    return kept + [await inner(5)]

@resumable
async def twice():
    return [await inner(n) for n in (1, 2)]

@resumable
async def holding():
    def added(n):
        return n + 1
    async def numbers():
        yield await wait(1)
        yield 2
    later, alive, of_plain = inner(7), numbers(), adder(3)
    first = await anext(alive)
    second = await wait(added(first))
    return added(second), await anext(alive), await later, of_plain(1)

@resumable
async def plain(n):
    kept, second = adder(n), await wait(n)
    return kept, adder(second)

@resumable
async def both():
    old = await plain(1)
    await wait(0)
    new = await plain(2)
    await wait(0)
    return [one(1) for one in old + new]

@resumable
async def failing():
    await wait(0)
    raise ValueError("here, then")
"""
Deploy = Callable[..., ModuleType]


@contextmanager
def deploying(folder: Path) -> Generator[Deploy]:
    """Write the source, with changes, and import it as a process would that knows no other."""

    def deployed(*changes: tuple[str, str]) -> ModuleType:
        source = SOURCE
        for old, new in changes:
            assert source.count(old) == 1, old
            source = source.replace(old, new)
        (folder / f"{NAME}.py").write_text(source, "utf-8")
        forget()
        importlib.invalidate_caches()
        return importlib.import_module(NAME)

    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(folder))
    try:
        yield deployed
    finally:
        sys.path.remove(str(folder))
        sys.dont_write_bytecode = writes
        forget()


def forget() -> None:
    """Know nothing of the module, as a new process would."""
    units = registry._units  # pyright: ignore[reportPrivateUsage] - there is no other way
    for key in [key for key in units if key[0] == NAME]:
        del units[key]
    sys.modules.pop(NAME, None)
    linecache.clearcache()


def kept(coroutine: Coro) -> bytes:
    saved = bytes(frames.save(coroutine, token, takes_sources=True))
    frames.put_away(coroutine)
    return saved


def at_first(module: ModuleType, function: str) -> bytes:
    coroutine: Coro = getattr(module, function)()
    started(coroutine)
    return kept(coroutine)


def result(saved: bytes, tells: Callable[[str, str], object] | None = None) -> object:
    coroutine = frames.restore(saved, again, tells)
    return finished(coroutine, started(coroutine), lambda _: None)


INNER: Final = ("return second + LIMIT", "return second + 100 * LIMIT")
OUTER: Final = ("kept = noted(10)", 'kept = noted("no more")')
