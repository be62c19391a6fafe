"""Laws 3, 10, 11 with snapshots: whichever write fails, a run is saved and left, or neither.

The task leaves at each of its waits. It is gone through once for each write and each way to fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from headrace.backends.memory import open_memory
from headrace.backends.sqlite import open_sqlite
from headrace.engine import open_engine
from headrace.engine.dispatch import LEASE_MS, ROUND_MS
from headrace.errors import Unavailable
from headrace.kernel.model import Completed, Over, Run, RunId, Waiting, inward, later
from headrace.ports import Api, Stores
from headrace.testing.clock import ManualClock
from headrace.testing.faults import Fault
from headrace.wire.registration import Registration, StreamSpec, TaskSpec
from headrace.wire.views import TriggerOrder
from tests.crash.household import ENV, NoChance
from tests.crash.perils import lived, patiently
from tests.crash.saver import ROUNDS, STREAM, TASK, Saver, World
from tests.crash.stories import NEVER, Opening
from tests.crash.test_every_write import faults
from tests.explorer.loop import QuietLoop

PATIENCE: Final = 3_000
GLANCE_S: Final = 0.0005
LOOKS: Final = 20
DECLARED: Final = Registration(
    version="1", tasks=(TaskSpec(id=TASK),), streams=(StreamSpec(name=STREAM, inward=True),)
)
# What a process says while it ends is no failure of the test.
pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@dataclass(slots=True)
class Story:
    """One run, and one write that fails on its way."""

    fault: Fault
    world: World
    clock: ManualClock = field(default_factory=ManualClock)
    writes: int = 0
    run: str = ""
    lives: int = 0

    async def tell(self, opening: Opening) -> list[str]:
        """Go from the trigger to the end of the run, whatever breaks; return what is wrong."""
        async with opening(self.clock) as stores:
            live = partial(self._live, sound=stores)
            _, self.writes = await lived(stores, self.fault, live)
            return [*self.world.wrong, *await self._verdict(stores)]

    async def _live(self, stores: Stores, sound: Stores) -> None:
        """Serve and work until the run is over."""
        self.lives += 1
        async with open_engine(stores, NoChance()) as engine, asyncio.TaskGroup() as group:
            if self.lives > 1:
                await self._bury()
            api: Api = engine.at(ENV)
            await patiently(partial(api.register, DECLARED))
            saver = Saver(api, f"worker {self.lives}", self.world)
            working = group.create_task(saver.run())
            try:
                await self._go_on(api, sound)
            finally:
                working.cancel()

    async def _bury(self) -> None:
        for _ in range(2 * LEASE_MS // 1_000):
            self.clock.advance(1_000)
            for _ in range(8):
                await asyncio.sleep(0)

    async def _go_on(self, api: Api, sound: Stores) -> None:
        """Send each value when the run has been left, or when it seems to be kept."""
        trigger = partial(api.trigger, TASK, TriggerOrder(), request_key="start")
        self.run = (await patiently(trigger)).id
        for number in range(ROUNDS):
            await self._until(sound, partial(_left, number))
            send = partial(api.send, self.run, STREAM, b"%d" % (number + 7), key=str(number))
            with suppress(Unavailable):
                await patiently(send)
        assert await self._until(sound, lambda _: False)

    async def _until(self, sound: Stores, holds: Callable[[Run], bool]) -> bool:
        """Look until it is so; where nothing moves, let what a lost reply costs pass."""
        for look in range(PATIENCE):
            run = await sound.runs.load(RunId(self.run))
            if run is not None and (isinstance(run.state, Over) or holds(run)):
                return True
            await asyncio.sleep(GLANCE_S)
            if look % LOOKS == LOOKS - 1:
                await sound.leases.extend(later(self.clock.now(), 2 * LEASE_MS))
                self.clock.advance(ROUND_MS)
        return False

    async def _verdict(self, stores: Stores) -> list[str]:
        run_id = RunId(self.run)
        run, wrong = await stores.runs.load(run_id), list[str]()
        assert run is not None
        if run.state != Over(Completed(b"[7,8,9]"), run.updated):
            wrong.append(f"it ended as {run.state}")
        numbers = [entry.n for entry in await stores.runs.journal(run_id)]
        if numbers != list(range(run.base, 2 * ROUNDS)) or bool(run.base) != self.world.drops:
            wrong.append(f"the journal from {run.base} on is {numbers}")
        if any([await stores.snapshots.read(run_id, n) for n in range(2 * ROUNDS + 1)]):
            wrong.append("its snapshot is still there")
        extra = sum(self.world.done.values()) - ROUNDS
        if not 0 <= extra <= (1 if self.fault.crash or self.fault.at else 0):
            wrong.append(f"steps were carried out {dict(self.world.done)}")
        return wrong


def _left(number: int, run: Run) -> bool:
    """Tell whether nobody holds the run, and it has got that many values."""
    return run.state == Waiting(None) and run.cursors.get(inward(STREAM), 0) >= number


def _all_of(tell: Callable[[Story], list[str]], *, drops: bool) -> None:
    plain = Story(NEVER, World(drops))
    assert tell(plain) == []
    assert plain.world.restored == plain.world.left + 1 == ROUNDS
    for fault in faults(plain.writes):
        story = Story(fault, World(drops))
        assert tell(story) == [], fault


@pytest.mark.parametrize("drops", [False, True])
def test_in_memory(*, drops: bool) -> None:
    with asyncio.Runner(loop_factory=QuietLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, QuietLoop)
        loop.direct(partial(bool, 1))
        _all_of(lambda story: runner.run(story.tell(open_memory)), drops=drops)


@pytest.mark.parametrize("drops", [False, True])
def test_on_disk(tmp_path: Path, *, drops: bool) -> None:
    with asyncio.Runner() as runner:
        stories = iter(range(10_000))

        def tell(story: Story) -> list[str]:
            path = tmp_path / f"{next(stories)}.db"
            opening: Opening = lambda clock: open_sqlite(path, clock=clock)  # noqa: E731
            return runner.run(story.tell(opening))

        _all_of(tell, drops=drops)
