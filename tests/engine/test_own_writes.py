"""The rounds that make good lost hints take nothing that was written here for somebody else's.

What is looked at needlessly is read again from the store, with its streams' ends: that costs as
much as executing it. The moment is made: the store has answered, and is heard of only later.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, TypeAlias, cast

import pytest

from headrace.backends.memory import open_memory
from headrace.engine.dispatch import Warden
from headrace.engine.rechecking import Rechecking
from headrace.kernel.commands import Change
from headrace.kernel.evolve import evolve
from headrace.kernel.model import Run, RunId
from headrace.ports import Draft
from headrace.testing.clock import ManualClock
from tests.engine.house import DECLARED, House, opened
from tests.engine.worker import Job, attached

Step: TypeAlias = "Callable[[], Awaitable[None]]"
Happening: TypeAlias = "deque[Step]"


@dataclass(slots=True)
class Moment:
    """Counts what is read, and holds up answers of the store."""

    loads: list[RunId] = field(default_factory=list[RunId])
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, commits are done, and nobody hears of it."""
    asked: Happening = field(default_factory=deque[Step])
    """What happens between a round's question and its answer, each once."""
    answered: Happening = field(default_factory=deque[Step])
    """What happens between the answer and its arrival."""

    async def around(self, asking: Awaitable[object]) -> object:
        """Let happen what is to happen before and after the store is asked."""
        while self.asked:
            await self.asked.popleft()()
        found = await asking
        while self.answered:
            await self.answered.popleft()()
        return found


class _Around:
    """A port of which some verbs are others."""

    def __init__(self, inner: object, moment: Moment) -> None:
        self._inner, self._moment = inner, moment

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._inner, verb)


class _Runs(_Around):
    async def load(self, run_id: RunId) -> Run | None:
        self._moment.loads.append(run_id)
        return cast("Run | None", await self._inner.load(run_id))  # type: ignore[attr-defined]  # a port

    async def commit(self, change: Change) -> None:
        await self._inner.commit(change)  # type: ignore[attr-defined]  # a port
        await self._moment.heard.wait()

    async def held(self, worker: str) -> object:
        return await self._moment.around(self._inner.held(worker))  # type: ignore[attr-defined]  # a port


class _Streams(_Around):
    async def deliver(self, drafts: list[Draft], change: Change) -> None:
        await self._inner.deliver(drafts, change)  # type: ignore[attr-defined]  # a port
        await self._moment.heard.wait()


class _Revisions(_Around):
    async def of(self, names: list[RunId]) -> object:
        return await self._moment.around(self._inner.of(names))  # type: ignore[attr-defined]  # a port


@dataclass(frozen=True, slots=True)
class Stage:
    """An engine whose rounds are made by hand."""

    house: House
    moment: Moment
    rechecking: Rechecking

    async def round(self) -> list[RunId]:
        """Make both rounds; return which runs were read for it."""
        await self.house.rest()
        self.moment.loads.clear()
        await self.rechecking.look()
        await self.compare()
        await self.house.rest()
        return self.moment.loads

    async def compare(self) -> None:
        """Compare what the store says of each worker with what it was told."""
        for seat in self.house.core.seats.all():
            await Warden(self.house.core)._compare(seat)  # pyright: ignore[reportPrivateUsage]  # a test


@pytest.fixture
async def stage(clock: ManualClock) -> AsyncIterator[Stage]:
    moment = Moment()
    moment.heard.set()
    async with open_memory(clock) as stores:
        seen = replace(
            stores,
            runs=_Runs(stores.runs, moment),  # type: ignore[arg-type]  # it passes on the rest
            streams=_Streams(stores.streams, moment),
            revisions=_Revisions(stores.revisions, moment),  # type: ignore[arg-type]  # likewise
        )
        async with opened(seen, clock) as house:
            await house.api.register(DECLARED)
            yield Stage(house, moment, Rechecking(house.core))


async def test_a_message_that_was_sent_and_taken_here_is_no_news(stage: Stage) -> None:
    async with attached(stage.house) as worker:
        job = await worker.job(await stage.house.start())
        assert await stage.round() == []
        job.stand()
        await stage.house.rest()
        await stage.house.api.send(job.run, "notes", b"7")
        await job.told()
        assert await stage.round() == []


async def test_a_commit_that_was_not_heard_of_yet_is_no_news(stage: Stage) -> None:
    async with attached(stage.house) as worker:
        job = await worker.job(await stage.house.start())
        assert await stage.round() == []
        job.stand()
        await stage.house.rest()
        stage.moment.heard.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(stage.house.api.send(job.run, "notes", b"7"))
            await stage.house.until(lambda: stage.house.core.desk(RunId(job.run)).working)
            for _ in range(20):
                await asyncio.sleep(0)
            await stage.rechecking.look()
            await stage.compare()
            stage.moment.heard.set()
        await stage.house.rest()
        assert (await job.told()).body == b"7"
        assert stage.moment.loads == []


async def test_a_run_that_ends_while_the_store_is_asked_is_not_read_again(stage: Stage) -> None:
    moment = stage.moment
    async with attached(stage.house) as worker:
        for asks, between in product(
            (stage.rechecking.look, stage.compare), (moment.asked, moment.answered)
        ):
            job = await worker.job(await stage.house.start())
            await stage.house.rest()

            async def ends(job: Job = job) -> None:
                job.complete()
                await stage.house.rest()

            between.append(ends)
            moment.loads.clear()
            await asks()
            await stage.house.rest()
            assert not between
            assert moment.loads == []
            assert await stage.house.status(job.run) == "COMPLETED"


async def test_a_run_that_is_given_out_while_the_store_is_asked_is_not_read(stage: Stage) -> None:
    async with attached(stage.house) as worker:

        async def starts() -> None:
            await worker.job(await stage.house.start())

        stage.moment.answered.append(starts)
        await stage.compare()
        await stage.house.rest()
        assert stage.moment.loads == []


async def test_what_somebody_else_has_written_is_read(stage: Stage) -> None:
    """So that the rounds are not quiet for the wrong reason."""
    async with attached(stage.house) as worker:
        job = await worker.job(await stage.house.start())
        assert await stage.round() == []
        run = await stage.house.run(job.run)
        after = evolve(run, version=run.version + 1)
        await stage.house.stores.runs.commit(Change(run, after))
        assert await stage.round() == [job.run]
