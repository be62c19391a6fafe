"""Runs with much to repeat replay one after another: the first goes on long before the last."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import groupby

import pytest

from headrace.sdk.execution import require
from headrace.sdk.execution_life import Life
from headrace.worker import Outcome, turns
from tests.sdk.played import once, step, wait
from tests.worker.scene import PLAIN, Job, Scene, employed, setting

QUICK = replace(PLAIN, grace_s=0.01)
STEPS, RUNS = 60, 5


class Work:
    """A task of many steps, and of two messages; what its code passes is noted."""

    def __init__(self) -> None:
        self.passed: list[tuple[bytes, int]] = []
        self.hangs = b""
        """Whose code waits for `goes_on` as it repeats what was done."""
        self.goes_on = asyncio.Event()

    async def __call__(self, payload: bytes) -> bytes:
        """Take one message behind the steps, and one beside them: two branches are never hasty."""
        await asyncio.gather(self._steps(payload), wait("y", 10**9))
        return b"null"

    async def _steps(self, payload: bytes) -> None:
        for number in range(STEPS):
            await step(f"s{number}")
            self.passed.append((payload, number))
            if payload == self.hangs and require("a test").is_replaying:
                await self.goes_on.wait()
        await once("x")

    @property
    def order(self) -> list[bytes]:
        """Return whose code has moved, in order, without repeats in a row."""
        return [payload for payload, _ in groupby(payload for payload, _ in self.passed)]


@asynccontextmanager
async def left_behind(work: Work) -> AsyncGenerator[tuple[Scene, list[str]]]:
    """Have a worker do all steps of some runs and give them back."""
    async with setting(Job("job", work)) as scene:
        worker = scene.worker("first", options=QUICK)
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            working = group.create_task(worker.run())
            await worker.attached.wait()
            runs = [await scene.start(payload=b"%d" % n) for n in range(RUNS)]
            while len(work.passed) < RUNS * STEPS:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0)
            await scene.calm()
            worker.drain()
            assert await working is Outcome.DRAINED
        work.passed.clear()
        yield scene, runs


async def answered(scene: Scene, run: str) -> None:
    """Send what the run waits for, and wait for its end."""
    for stream in ("x", "y"):
        await scene.api.send(run, stream, b"7")
    assert (await scene.over(run)).status == "COMPLETED"


async def test_one_replays_after_another() -> None:
    work = Work()
    async with left_behind(work) as (scene, runs), employed(scene.worker("next")):
        for run in runs:
            await answered(scene, run)
    assert len(work.order) == RUNS


@pytest.mark.parametrize(("limit", "off"), [("TURN_S", 3_600.0), ("IDLE_LOOKS", 10**9)])
async def test_who_waits_for_something_else_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, limit: str, off: float
) -> None:
    """Each of the two limits does without the other."""
    monkeypatch.setattr(turns, limit, off)
    work = Work()
    async with left_behind(work) as (scene, runs), employed(scene.worker("next")):
        work.hangs = b"0"
        for run in runs[1:]:
            await answered(scene, run)
        work.goes_on.set()
        await answered(scene, runs[0])


@pytest.fixture
def long_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_S", 3_600.0)
    monkeypatch.setattr(turns, "IDLE_LOOKS", 10**9)


@pytest.mark.usefixtures("long_turns")
async def test_who_has_yet_to_begin_misses_nothing() -> None:
    work = Work()
    async with left_behind(work) as (scene, runs), employed(scene.worker("next")):
        work.hangs = b"0"
        await scene.calm()
        assert (await scene.api.send(runs[1], "y", b"7")).resumed
        await scene.api.cancel(runs[2])
        await scene.calm()
        assert work.order == [b"0"]
        work.goes_on.set()
        await scene.api.send(runs[1], "x", b"7")
        assert (await scene.over(runs[1])).status == "COMPLETED"
        assert (await scene.over(runs[2])).status == "CANCELED"
        for run in (runs[0], *runs[3:]):
            await answered(scene, run)


@pytest.mark.usefixtures("long_turns")
async def test_who_has_yet_to_begin_is_given_back_at_once() -> None:
    work = Work()
    async with left_behind(work) as (scene, runs):
        work.hangs = b"0"
        slow = scene.worker("slow", options=replace(PLAIN, grace_s=3_600))
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            working = group.create_task(slow.run())
            await slow.attached.wait()
            await scene.calm()
            slow.drain()
            async with employed(scene.worker("next")):
                for run in runs[1:]:
                    await answered(scene, run)
                work.goes_on.set()
                await answered(scene, runs[0])
            assert await working is Outcome.DRAINED


async def test_who_cannot_begin_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Life.begin

    def fails(life: Life, context: contextvars.Context) -> None:
        if life.payload == b"1":
            raise RuntimeError("a bug")
        begin(life, context)

    told: list[str] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, about: told.append(str(about["exception"])))
    work = Work()
    async with left_behind(work) as (scene, runs):
        monkeypatch.setattr(Life, "begin", fails)
        async with employed(scene.worker("next")):
            for run in (runs[0], *runs[2:]):
                await answered(scene, run)
    loop.set_exception_handler(before)
    assert told == ["a bug"]
