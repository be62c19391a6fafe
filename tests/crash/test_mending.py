"""Laws 10 and 11 with blocked runs: whichever write fails, a run goes on whole, or stays blocked.

A deploy puts a step in front of what is recorded. The run is accepted, or begins again; it is gone
through once for each write and each way to fail.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeAlias

import pytest

from headrace.backends.memory import open_memory
from headrace.backends.sqlite import open_sqlite
from headrace.engine import open_engine
from headrace.errors import Mistake
from headrace.kernel.model import Blocked, RunId
from headrace.ports import Stores
from headrace.testing.clock import ManualClock
from headrace.testing.faults import Fault
from headrace.wire.views import Acceptance, TriggerOrder
from tests.crash.household import Household, Job, NoChance
from tests.crash.perils import lived, patiently
from tests.crash.stories import NEVER, Opening
from tests.crash.test_every_write import faults
from tests.explorer.loop import QuietLoop
from tests.sdk.played import step, wait

How: TypeAlias = Literal["accept", "restart"]
HOWS: Final[tuple[How, ...]] = ("accept", "restart")
ACCEPTANCE: Final = Acceptance(skip=(1,), insert=("new#0",))
# What a process says while it ends is no failure of the test.
pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]  # pytest uses it
    """What a process leaves behind when it ends is collected while nobody complains of it."""
    yield
    gc.collect()


@dataclass(slots=True)
class Story:
    """One run, one deploy, and one write that fails on the way."""

    fault: Fault
    how: How
    clock: ManualClock = field(default_factory=ManualClock)
    version: int = 1
    done: Counter[str] = field(default_factory=Counter[str])
    was_blocked: bool = False
    writes: int = 0
    lives: int = 0

    async def code(self, _payload: bytes) -> bytes:
        """Do what the version that is deployed does."""
        if self.version == 1:
            await self._did("a")
            await self._did("old")
        else:
            await self._did("new")
            await self._did("a")
        return await wait("x") or b"0"

    async def _did(self, name: str) -> None:
        async def effect() -> bytes:
            self.done[name] += 1
            return b"1"

        await step(name, effect)

    async def tell(self, opening: Opening) -> list[str]:
        """Go from the trigger to the end of the run, whatever breaks; return what is wrong."""
        async with opening(self.clock) as stores:
            live = partial(self._live, sound=stores)
            wrong, self.writes = await lived(stores, self.fault, live)
            return wrong

    async def _live(self, stores: Stores, sound: Stores) -> list[str]:
        self.lives += 1
        async with open_engine(stores, NoChance()) as engine:
            house = Household(engine, sound, self.clock, Job(self.code))
            if self.lives > 1:
                await house.bury()
            async with house.worker(f"worker {self.lives}", evicts=True):
                return await self._go_on(house, sound)

    async def _go_on(self, house: Household, sound: Stores) -> list[str]:
        trigger = partial(house.api.trigger, "job", TriggerOrder(), request_key="start")
        run = (await patiently(trigger)).id
        await house.settle()
        self.version = 2
        await patiently(partial(house.api.send, run, "x", b"7", key="x"))
        await house.settle()
        await self._mended(house, sound, run)
        await house.over(run)
        return await self._verdict(house, sound, run)

    async def _mended(self, house: Household, sound: Stores, run: str) -> None:
        known = await sound.runs.load(RunId(run))
        if known is None or not isinstance(known.state, Blocked):
            return  # that was done before the process ended, or the new code was first
        self.was_blocked = True
        with suppress(Mistake):  # it had happened, though nobody was told
            if self.how == "accept":
                await patiently(partial(house.api.accept, run, ACCEPTANCE))
            else:
                await patiently(partial(house.api.restart, run))

    async def _verdict(self, house: Household, sound: Stores, run: str) -> list[str]:
        view, wrong = await house.api.retrieve(run), list[str]()
        if view.status != "COMPLETED" or view.attempt_count != 1:
            wrong.append(f"{view.status} in attempt {view.attempt_count}: {view.blocked}")
        journal = [entry.key for entry in await sound.runs.journal(RunId(run))]
        if len(set(journal)) != len(journal):
            wrong.append(f"the journal is {journal}")
        times = 2 if self.how == "restart" else 1
        most = Counter({"a": times, "old": 1, "new": 1})
        if (self.done - most).total() > (1 if self.fault.crash else 0):
            wrong.append(f"steps were carried out {dict(self.done)}")
        taken = await house.taken(run)
        if [seq for _, seq, _ in taken] != [0]:
            wrong.append(f"it took {taken}")
        return wrong


def _all_of(how: How, tell: Callable[[Story], list[str]], *, crashes_only: bool = False) -> None:
    plain = Story(NEVER, how)
    assert tell(plain) == []
    assert plain.was_blocked
    chosen = [fault for fault in faults(plain.writes) if fault.crash or not crashes_only]
    blocked = 0
    for fault in chosen:
        story = Story(fault, how)
        assert tell(story) == [], fault
        blocked += story.was_blocked
    assert blocked > len(chosen) / 3, "many faults are on the way of a run that is blocked"


@pytest.mark.parametrize("how", HOWS)
def test_in_memory(how: How) -> None:
    with asyncio.Runner(loop_factory=QuietLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, QuietLoop)
        loop.direct(partial(bool, 1))
        _all_of(how, lambda story: runner.run(story.tell(open_memory)))


@pytest.mark.parametrize("how", HOWS)
def test_on_disk(tmp_path: Path, how: How) -> None:
    with asyncio.Runner() as runner:
        stories = iter(range(10_000))

        def tell(story: Story) -> list[str]:
            path = tmp_path / f"{next(stories)}.db"
            opening: Opening = lambda clock: open_sqlite(path, clock=clock)  # noqa: E731
            return runner.run(story.tell(opening))

        _all_of(how, tell, crashes_only=True)
