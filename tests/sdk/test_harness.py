"""The harness lets time pass as it would, and tells a test what hangs."""

import asyncio
import threading
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from headrace import current_run, metadata, runs, step, streams, task, wait
from headrace.errors import BadRequest, Diverged, Mistake, RunFailed
from headrace.testing import harness as harness_module, local

ticks = streams.input("harness-ticks", int)
seen: list[str] = []


@task
async def in_turn(name: str) -> None:
    for hours in (1, 2, 3):
        await wait.for_(f"{hours}h")
        seen.append(f"{name}{hours}")


async def test_time_stops_at_every_deadline_on_its_way() -> None:
    seen.clear()
    async with local(in_turn) as h:
        begun = h.clock.now()
        first = await in_turn.trigger("a")
        second = await in_turn.trigger("b", delay="30m")
        await h.advance("10h")
        assert seen == ["a1", "b1", "a2", "b2", "a3", "b3"]
        assert h.clock.now() - begun == 10 * 3_600_000
        ended = [(await runs.retrieve(run)).finished_at for run in (first, second)]
        assert ended == [
            datetime(2023, 11, 15, 4, 13, 20, tzinfo=UTC),
            datetime(2023, 11, 15, 4, 43, 20, tzinfo=UTC),
        ]


async def test_time_does_not_go_back() -> None:
    async with local(in_turn) as h:
        with pytest.raises(BadRequest):
            await h.advance(-1)


@task
async def hangs() -> None:
    await asyncio.get_running_loop().create_future()


async def test_code_that_hangs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness_module, "PATIENCE_S", 0.05)
    async with local(hangs) as h:
        handle = await hangs.trigger()
        with pytest.raises(TimeoutError, match=f"still executing after 0 s: run {handle.id}"):
            await h.settle()


_going_on = threading.Event()


@step
def computes() -> str:
    _going_on.wait(10)
    return "computed"


@task
async def works() -> str:
    found = await computes()
    metadata.set("found", found)
    await ticks.wait()
    return found


async def test_what_executes_is_waited_for() -> None:
    _going_on.clear()
    async with local(works) as h, asyncio.TaskGroup() as group:
        handle = await works.trigger()
        settling = group.create_task(h.settle())
        async for run in runs.subscribe(handle):
            if run.status == "EXECUTING":
                break
        assert not settling.done()
        _going_on.set()
        await settling
        assert (await runs.retrieve(handle)).metadata == {"found": "computed"}


@task(max_attempts=3)
async def fails_twice() -> int:
    attempt = current_run().attempt
    if attempt < 3:
        raise ValueError(attempt)
    return attempt


async def test_a_task_that_raised_is_tried_again_at_once() -> None:
    async with local(fails_twice) as h:
        assert await h.run(fails_twice) == 3


@task
async def guesses(dice: int) -> str:
    name = f"number {Random(dice + len(seen)).random()}"  # noqa: S311 - the mistake under test
    seen.append(name)
    await step(name, lambda: 1)
    await wait.for_("1h")
    return name


async def test_code_that_does_not_replay_shows_only_when_replayed() -> None:
    seen.clear()
    async with local(guesses) as h:
        assert (await h.run(guesses, 1)).startswith("number")
    async with local(guesses, replay="always") as h:
        with pytest.raises(Diverged, match="the journal holds") as caught:
            await h.run(guesses, 1)
    assert "step number" in str(caught.value)


async def test_only_the_given_tasks_are_served() -> None:
    async with local(in_turn) as h:
        await h.settle()
        with pytest.raises(Mistake, match="no worker has ever declared a task 'works'"):
            await works.trigger()


async def test_every_harness_begins_empty() -> None:
    for _ in range(2):
        async with local(fails_twice) as h:
            await h.run(fails_twice)
            assert len(await runs.list()) == 1


@task(max_attempts=1)
async def raises_after(hours: int) -> Any:
    await wait.for_(f"{hours}h")
    raise KeyError("late")


async def test_run_raises_the_verdict() -> None:
    async with local(raises_after) as h:
        with pytest.raises(RunFailed, match="KeyError: 'late'"):
            await h.run(raises_after, 2)
