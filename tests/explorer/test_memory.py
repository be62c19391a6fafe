"""The fingerprint of a program's memory: equal where the program goes on alike, and only there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from itertools import count

import pytest

from headrace.kernel.commands import Claim
from headrace.kernel.model import WorkerId
from tests.explorer.memory import fingerprint

Program = Callable[[], Coroutine[object, object, object]]


async def _rest() -> None:
    """Wait for something that does not come."""
    await asyncio.Event().wait()


async def _print(*programs: Program) -> int:
    """Run each program until it rests, and take the fingerprint of all."""
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(program()) for program in programs]
        for _ in range(10):
            await asyncio.sleep(0)
        found = fingerprint(running, ())
        for task in running:
            task.cancel()
    return found


@dataclass
class Box:
    """Something with contents."""

    inside: object
    more: list[object] = field(default_factory=list[object])


async def _holding(thing: object) -> None:
    held = thing
    await _rest()
    del held


def _program(thing: object) -> Program:
    return lambda: _holding(thing)


def _ring() -> Box:
    box = Box(None)
    box.inside = box
    return box


def _shared() -> Box:
    inner = Box(1)
    return Box(inner, [inner])


def _moved(steps: int) -> Iterator[int]:
    iterator = iter([7, 8, 9])
    for _ in range(steps):
        next(iterator)
    return iterator


def _counted(steps: int) -> Iterator[int]:
    numbers = count()
    for _ in range(steps):
        next(numbers)
    return numbers


THINGS: list[Callable[[], object]] = [
    lambda: None,
    lambda: 1,
    lambda: -1,
    lambda: -2,
    lambda: True,
    lambda: 1.0,
    lambda: "1",
    lambda: b"1",
    lambda: Box(1),
    lambda: Box(2),
    lambda: Box(Box(1)),
    lambda: Box(1, [1]),
    lambda: {"a": 1},
    lambda: {"a": 2},
    lambda: {"a": 1, "b": 2},
    lambda: {"b": 2, "a": 1},
    lambda: {1, 2},
    lambda: {1, 3},
    lambda: (1, 2),
    lambda: [1, 2],
    _ring,
    _shared,
    lambda: Box(Box(1), [Box(1)]),
    lambda: _moved(0),
    lambda: _moved(1),
    lambda: _counted(0),
    lambda: _counted(1),
    lambda: Box(1).more.append,
    lambda: Box(1, [2]).more.append,
]


async def test_what_is_remembered_makes_the_difference() -> None:
    prints = [await _print(_program(thing())) for thing in THINGS]
    assert len(set(prints)) == len(THINGS)


@pytest.mark.parametrize("thing", range(len(THINGS)))
async def test_the_same_memory_has_the_same_fingerprint(thing: int) -> None:
    first = await _print(_program(THINGS[thing]()))
    garbage = [Box(n) for n in range(100)]  # other addresses
    assert await _print(_program(THINGS[thing]())) == first
    assert len(garbage) == 100


async def _twice(rests: list[Callable[[], Awaitable[None]]]) -> None:
    await rests[0]()
    await rests[1]()


async def _no_rest() -> None:
    await asyncio.sleep(0)


async def test_where_a_coroutine_stands_makes_the_difference() -> None:
    async def before() -> None:
        await _twice([_rest, _rest])

    async def behind() -> None:
        await _twice([_no_rest, _rest])

    assert await _print(before) != await _print(behind)


async def _sum_with(first: int) -> int:
    async def second() -> int:
        await _rest()
        return 1

    return _same(first) + await second()


def _same(number: int) -> int:
    return number


async def test_what_lies_on_a_coroutines_stack_makes_the_difference() -> None:
    async def small() -> None:
        await _sum_with(_same(5))

    async def large() -> None:
        await _sum_with(_same(6))

    assert await _print(small) != await _print(large)


async def test_tasks_are_told_apart_by_what_they_do_not_by_when_they_were_made() -> None:
    one, other = _program("one"), lambda: _twice([_rest, _rest])
    assert await _print(one, other) == await _print(other, one)


async def test_a_program_that_has_gone_another_way_to_the_same_place_is_the_same() -> None:
    async def detour(steps: int) -> None:
        while steps:
            steps -= 1
            await asyncio.sleep(0)
        await _rest()

    assert await _print(lambda: detour(1)) == await _print(lambda: detour(3))


async def test_what_nobody_will_read_any_more_makes_no_difference() -> None:
    async def forgetting(number: int) -> None:
        seen = _same(number)
        _same(seen)
        await asyncio.sleep(0)
        await _rest()

    async def remembering(number: int) -> int:
        seen = _same(number)
        await _rest()
        return seen

    assert await _print(lambda: forgetting(5)) == await _print(lambda: forgetting(6))
    assert await _print(lambda: remembering(5)) != await _print(lambda: remembering(6))


async def test_a_handler_may_still_read_it() -> None:
    async def handling(number: int) -> None:
        seen = _same(number)
        try:
            await _rest()
        except asyncio.CancelledError:
            _same(seen)
            raise

    assert await _print(lambda: handling(5)) != await _print(lambda: handling(6))


async def test_values_that_are_equal_are_the_same() -> None:
    one, other, third = (Claim(WorkerId(name)) for name in "aab")
    assert await _print(_program([one, one])) == await _print(_program([one, other]))
    assert await _print(_program([one, one])) != await _print(_program([one, third]))


async def test_in_which_order_tasks_lie_in_a_set_makes_no_difference() -> None:
    async def waiting() -> None:
        async with asyncio.TaskGroup() as group:
            tasks = {group.create_task(_rest()), group.create_task(_twice([_rest]))}
            await asyncio.wait(tasks)

    assert len({await _print(waiting) for _ in range(8)}) == 1


async def test_what_is_skipped_makes_no_difference() -> None:
    boxes = Box(1), Box(2)

    async def taken(box: Box) -> int:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(_holding(box))
            await asyncio.sleep(0)
            found = fingerprint([task], boxes)
            task.cancel()
        return found

    assert await taken(boxes[0]) == await taken(boxes[1])
