"""Rounds: when one may begin before its time, and that one failure is not that of all."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from headrace.engine import rounds
from headrace.engine.rounds import Pace, each
from headrace.errors import Unavailable

PATIENCE_S = 5.0
MANY, AT_ONCE = 100, 5


async def test_who_is_always_in_a_hurry_lets_others_have_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rounds, "LEAST_S", 0.05)
    pace, loop = Pace(), asyncio.get_running_loop()
    start = loop.time()
    with anyio.fail_after(PATIENCE_S):
        for _ in range(4):
            pace.hurry()
            await pace.hurried(10**9)
            assert pace.begin()
    assert loop.time() - start >= 4 * 0.05
    assert not pace.begin()


async def test_a_short_round_needs_a_short_rest() -> None:
    pace = Pace()
    with anyio.fail_after(PATIENCE_S):
        for _ in range(100):
            pace.hurry()
            await pace.hurried(1)
            assert pace.begin()


async def test_a_round_begins_only_while_somebody_wants_it() -> None:
    pace, wanted = Pace(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        round_ = group.create_task(pace.next(wanted, 0.01, 1))
        pace.hurry()
        for _ in range(10):
            await asyncio.sleep(0)
        assert not round_.done()
        wanted.set()
        with anyio.fail_after(PATIENCE_S):
            await round_
        with anyio.fail_after(PATIENCE_S):
            await pace.next(wanted, 0.01, 1)
        pace.hurry()
        with anyio.fail_after(PATIENCE_S):
            await pace.next(wanted, 3_600, 1)


async def test_one_that_fails_holds_up_no_other() -> None:
    looked = list[int]()

    async def look(n: int) -> None:
        looked.append(n)
        if n % AT_ONCE:
            raise Unavailable("it was made to fail")

    await each(range(MANY), AT_ONCE, look)
    assert sorted(looked) == list(range(MANY))


async def test_where_all_fail_the_rest_is_not_asked() -> None:
    looked = list[int]()

    async def look(n: int) -> None:
        looked.append(n)
        await asyncio.sleep(0)
        raise Unavailable("it was made to fail")

    with pytest.raises(Unavailable):
        await each(range(MANY), AT_ONCE, look)
    assert len(looked) < 2 * AT_ONCE
