"""The clock that tests move by hand."""

import asyncio

import pytest

from headrace.kernel.model import Instant, later
from headrace.testing.clock import START, ManualClock


async def test_it_stands_still_until_it_is_moved() -> None:
    clock = ManualClock()
    assert clock.now() == clock.now() == START
    assert clock.advance(5) == clock.now() == later(START, 5)
    with pytest.raises(ValueError, match="go back"):
        clock.advance(-1)


async def test_who_sleeps_wakes_at_the_instant_and_not_before() -> None:
    clock, woken = ManualClock(), list[int]()

    async def sleeper(ms: int) -> None:
        await clock.sleep_until(later(START, ms))
        woken.append(ms)

    async with asyncio.TaskGroup() as group:
        for ms in (30, 10, 20):
            group.create_task(sleeper(ms))
        await asyncio.sleep(0)
        assert clock.next_alarm == later(START, 10)
        clock.advance(9)
        await _settled()
        assert woken == []
        clock.advance(11)
        await _settled()
        assert woken == [10, 20]
        clock.advance(10)
    assert woken == [10, 20, 30]
    assert clock.next_alarm is None


async def test_an_instant_that_has_passed_is_not_slept_for() -> None:
    clock = ManualClock(Instant(7))
    async with asyncio.timeout(5):
        await clock.sleep_until(Instant(7))
        await clock.sleep_until(Instant(0))


async def test_a_sleeper_that_was_cancelled_is_forgotten() -> None:
    clock = ManualClock()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await clock.sleep_until(later(START, 5))
    assert clock.next_alarm is None
    clock.advance(5)


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)
