"""The shelf: who leaves when, in which order, and when memory is given back."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from headrace.worker import shelf as shelves
from headrace.worker.shelf import Shelf


class Left:
    """Who has left."""

    def __init__(self) -> None:
        self.names = list[str]()
        self._news = asyncio.Event()

    def add(self, name: str) -> None:
        self.names.append(name)
        self._news.set()

    async def until(self, count: int) -> list[str]:
        while len(self.names) < count:
            self._news.clear()
            await self._news.wait()
        return self.names


class Book:
    """Something that can leave."""

    def __init__(self, left: Left, name: str) -> None:
        self._left, self._name = left, name

    def leave(self) -> bool:
        self._left.add(self._name)
        return True


@asynccontextmanager
async def running(shelf: Shelf) -> AsyncGenerator[None]:
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(shelf.run())
        yield
        task.cancel()


async def test_each_leaves_when_it_is_due() -> None:
    left = Left()
    shelf = Shelf()
    async with running(shelf):
        for name, after in [("late", 0.03), ("soon", 0.01), ("never", 3_600), ("now", 0.0)]:
            shelf.parked(Book(left, name), after)
        assert left.names == ["now"], "without a pause it leaves at once"
        await left.until(3)
    assert left.names == ["now", "soon", "late"]
    assert len(shelf) == 1


async def test_who_is_woken_stays_and_may_be_parked_anew() -> None:
    left = Left()
    shelf = Shelf()
    book, other = Book(left, "book"), Book(left, "other")
    async with running(shelf):
        shelf.parked(book, 0.01)
        shelf.woken(book)
        shelf.parked(other, 0.02)
        await left.until(1)
        assert left.names == ["other"]
        shelf.parked(book, 3_600)
        shelf.parked(book, 0.01)
        await left.until(2)
    assert left.names == ["other", "book"]


async def test_under_pressure_the_longest_parked_leave_first() -> None:
    left = Left()
    shelf = Shelf()
    books = {name: Book(left, name) for name in "abcd"}
    for book in books.values():
        shelf.parked(book, 3_600)
    shelf.woken(books["a"])
    shelf.parked(books["a"], 3_600)
    async with running(shelf):
        assert shelf.press(2) == 2
        await left.until(2)
        assert left.names == ["b", "c"]
        assert shelf.press(10) == 2
        await left.until(4)
    assert left.names == ["b", "c", "d", "a"]
    assert shelf.press(10) == 0


async def test_many_leave_without_holding_the_loop_up() -> None:
    left = Left()
    shelf = Shelf()
    for number in range(10 * shelves.IN_A_ROW):
        shelf.parked(Book(left, str(number)), 1e-9)
    turns = 0
    async with running(shelf):
        while len(left.names) < 10 * shelves.IN_A_ROW:
            turns += 1
            await asyncio.sleep(0)
    assert turns >= 10


async def test_those_that_come_and_go_leave_nothing_behind() -> None:
    shelf = Shelf()
    book = Book(Left(), "book")
    for _ in range(1_000):
        shelf.parked(book, 3_600)
        shelf.woken(book)
    due = shelf._due  # pyright: ignore[reportPrivateUsage] - what nobody sees must not grow
    assert len(due) <= 2 * shelves.IN_A_ROW


async def test_memory_goes_back_once_for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelves, "TRIM_EVERY_S", 0.02)
    trimmed = asyncio.Event()
    loop = asyncio.get_running_loop()
    trims = list[str]()

    def trim() -> None:
        trims.append("trim")
        loop.call_soon_threadsafe(trimmed.set)

    shelf = Shelf(trim)
    async with running(shelf):
        for _ in range(100):
            shelf.gone()
        await trimmed.wait()
        trimmed.clear()
        shelf.gone()
        await trimmed.wait()
    assert len(trims) == 2


def test_trimming_works_here() -> None:
    shelves.trim()
