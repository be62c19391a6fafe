"""Laws of tokens: whichever write fails, a completion that has landed reaches all that wait, once.

Two runs wait for one token, put away while they do. They are gone through once for each write and
each way to fail; whoever completes the token asks again only if nothing of it is on disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import pytest

from headrace.backends.memory import open_memory
from headrace.backends.sqlite import open_sqlite
from headrace.engine import open_engine
from headrace.engine.dispatch import ROUND_MS
from headrace.errors import Unavailable
from headrace.kernel.model import RunId, WaitpointId, at_waitpoint
from headrace.ports import Stores
from headrace.sdk.execution import require
from headrace.testing.clock import ManualClock
from headrace.testing.faults import Fault
from headrace.wire.tokenviews import TokenOrder, TokenQuery
from headrace.wire.views import TriggerOrder
from tests.crash.household import Household, Job, NoChance
from tests.crash.perils import TRIES, lived, patiently
from tests.crash.stories import NEVER, Opening
from tests.crash.test_every_write import faults
from tests.explorer.loop import QuietLoop
from tests.sdk.played import step

RUNS: Final = ("a", "b")
HOUR_MS: Final = 3_600_000
LOOKS: Final = 5
"""As often as a server rests at the most between two looks for what it owes."""
# What a process says while it ends is no failure of the test.
pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@dataclass(slots=True)
class Story:
    """Two runs and a token, and one write that fails on the way; `late`: nobody completes it."""

    fault: Fault
    late: bool = False
    clock: ManualClock = field(default_factory=ManualClock)
    writes: int = 0
    lives: int = 0
    token: str = ""
    has_passed: bool = False
    effects: list[str] = field(default_factory=list[str])

    async def code(self, payload: bytes) -> bytes:
        """Wait for the token, then do something."""
        token = WaitpointId(payload.decode().strip('"'))
        taken = await require("take").take(
            at_waitpoint(token),
            f"token:{token}",
            fits=bytes,
            timeout_ms=None,
            until=None,
            parks=True,
            line="flow.py:1",
        )
        body = b'"late"' if taken is None else taken.body

        async def effect() -> bytes:
            self.effects.append(body.decode())
            return body

        return await step("effect", effect)

    async def tell(self, opening: Opening) -> list[str]:
        """Go from the making of the token to the end of the runs; return what is wrong."""
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
        self.token = await self._made(house)
        runs = [await self._started(house, name) for name in RUNS]
        await house.settle()
        if self.late:
            await self._pass_the_hour(house)
        else:
            await self._completed(house, sound)
        for _ in range(LOOKS):
            await house.pass_time(ROUND_MS)
        for run in runs:
            await house.over(run)
        return [wrong async for wrong in self._verdict(house, sound, runs)]

    async def _made(self, house: Household) -> str:
        order = TokenOrder(timeout="1h", idempotency_key="the token")
        return (await patiently(partial(house.api.create_token, order))).id

    async def _started(self, house: Household, name: str) -> str:
        order = TriggerOrder(payload=msgspec.Raw(f'"{self.token}"'.encode()))
        return (await patiently(partial(house.api.trigger, "job", order, request_key=name))).id

    async def _completed(self, house: Household, sound: Stores) -> None:
        """Complete it, and ask again only if nothing is on disk."""
        for _ in range(TRIES):
            known = await sound.waitpoints.load(WaitpointId(self.token))
            if known is not None and known.completed is not None:
                return
            try:
                await house.api.complete_token(self.token, b'"done"')
            except Unavailable:
                await asyncio.sleep(0)

    async def _pass_the_hour(self, house: Household) -> None:
        if not self.has_passed:
            self.has_passed = True
            await house.pass_time(HOUR_MS)
        await house.api.complete_token(self.token, b'"too late"')

    async def _verdict(
        self, house: Household, sound: Stores, runs: list[str]
    ) -> AsyncIterator[str]:
        expected = '"late"' if self.late else '"done"'
        listed = await house.api.list_tokens(TokenQuery())
        if [view.id for view in listed.data] != [self.token]:
            yield f"there are {len(listed.data)} tokens"
        for run in runs:
            view = await house.api.retrieve(run)
            if bytes(view.output or b"") != expected.encode():
                yield f"{run} is {view.status} with {view.output!r}"
            journal = await sound.runs.journal(RunId(run))
            if (kinds := [entry.kind for entry in journal]) != ["take", "step"]:
                yield f"{run} remembers {kinds}"
        most = len(RUNS) * self.lives  # a step under way at the end of a process is repeated
        if not len(RUNS) <= len(self.effects) <= most or set(self.effects) != {expected}:
            yield f"the effects were {self.effects}"
        if await sound.waitpoints.owed(1) or await sound.waitpoints.waiters(
            WaitpointId(self.token)
        ):
            yield "somebody is said to wait"


Tell = Callable[[Story], list[str]]


def all_of(tell: Tell, *, late: bool, crashes_only: bool = False) -> None:
    plain = Story(NEVER, late=late)
    assert not tell(plain)
    assert plain.writes >= 12
    for fault in faults(plain.writes):
        if crashes_only and not fault.crash:
            continue
        story = Story(fault, late=late)
        assert not tell(story), fault
        assert story.lives == 1 + fault.crash or fault.at <= 2


@pytest.mark.parametrize("late", [False, True], ids=["completed", "late"])
def test_in_memory(*, late: bool) -> None:
    with asyncio.Runner(loop_factory=QuietLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, QuietLoop)
        loop.direct(partial(bool, 1))  # what is waited for comes from a thread
        all_of(lambda story: runner.run(story.tell(open_memory)), late=late)


@pytest.mark.parametrize("late", [False, True], ids=["completed", "late"])
def test_on_disk(tmp_path: Path, *, late: bool) -> None:
    with asyncio.Runner() as runner:
        stories = iter(range(10_000))

        def tell(story: Story) -> list[str]:
            path = tmp_path / f"{next(stories)}.db"
            opening: Opening = lambda clock: open_sqlite(path, clock=clock)  # noqa: E731
            return runner.run(story.tell(opening))

        all_of(tell, late=late, crashes_only=True)
