"""A workflow of the corpus from start to end, with one write that fails on the way.

Owns: what everybody does about the failure: a sender sends again with the same key, a process that
is gone is started again on what it left behind. Must never know: which workflow, which store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import msgspec

from headrace.engine import open_engine
from headrace.errors import Unavailable
from headrace.ports import Clock, Filter, Stores
from headrace.testing.clock import ManualClock
from headrace.testing.faults import Fault, failing
from headrace.wire.views import RunView, TriggerOrder
from tests.crash.household import ENV, INPUTS, Household, Job, NoChance
from tests.crash.perils import lived, patiently
from tests.worker.workflows import Cancel, Pass, Send, Workflow, World

Opening = Callable[[Clock], AbstractAsyncContextManager[Stores]]
NEVER: Final = Fault(at=0)


@dataclass(frozen=True, slots=True)
class End:
    """How a story ended: what anybody outside can see of it, and what the journal took."""

    status: str
    output: bytes
    taken: tuple[tuple[str, int, bytes], ...]
    sent: tuple[tuple[bytes, ...], ...]
    written: tuple[bytes, ...]


@dataclass(slots=True)
class Story:
    """One workflow and one fault. `writes` counts what was written in the process that fails."""

    flow: Workflow
    fault: Fault
    clock: ManualClock = field(default_factory=ManualClock)
    writes: int = 0
    lives: int = 0
    done: Counter[str] = field(default_factory=Counter[str])
    """What the steps have left behind, whatever became of their entries."""
    _run: str = ""
    _happened: int = 0

    async def tell(self, opening: Opening) -> End:
        """Go from the first trigger to the end of the run, whatever breaks."""
        world = World(failures=self.flow.failures)
        job = _job(self.flow, world)
        async with opening(self.clock) as stores:
            life = partial(self._life, sound=stores, job=job)
            end, self.writes = await lived(stores, self.fault, life)
        self.done = Counter(world.done)
        return end

    async def start_only(self, opening: Opening) -> set[str]:
        """Ask once for a run, and return the states of those that there are when all is quiet."""
        job = _job(self.flow, World())
        async with opening(self.clock) as stores:
            broken, _ = failing(stores, self.fault)
            with suppress(Unavailable):
                async with open_engine(broken, NoChance()) as engine:
                    house = Household(engine, stores, self.clock, job)
                    async with house.worker("worker"):
                        with suppress(Unavailable):
                            await house.api.trigger("job", TriggerOrder())
                        await house.settle()
            found = await stores.runs.find(Filter(ENV, size=1))
            return {type(run.state).__name__ for run in found}

    async def _life(self, stores: Stores, sound: Stores, job: Job) -> End:
        """Serve and work; what happens from outside goes on where it was left."""
        self.lives += 1
        async with open_engine(stores, NoChance()) as engine:
            house = Household(engine, sound, self.clock, job)
            if self.lives > 1:
                await house.bury()
            async with house.worker(f"worker {self.lives}"):
                await self._go_on(house)
                return await self._end(house)

    async def _go_on(self, house: Household) -> None:
        if not self._run:
            trigger = partial(house.api.trigger, "job", TriggerOrder(), request_key="start")
            self._run = (await patiently(trigger)).id
        await house.settle()
        while self._happened < len(self.flow.events):
            event = self.flow.events[self._happened]
            if isinstance(event, Pass):  # time that has passed does not come again
                self._happened += 1
                await house.pass_time(event.ms)
            else:
                await self._happen(house, event)
                self._happened += 1
                await house.settle()

    async def _happen(self, house: Household, event: Send | Cancel) -> None:
        match event:
            case Send(stream=stream, body=body):
                key = f"event {self._happened}"
                await patiently(partial(house.api.send, self._run, stream, body, key=key))
            case Cancel():
                await patiently(partial(house.api.cancel, self._run))

    async def _end(self, house: Household) -> End:
        await house.over(self._run)
        view = await house.api.retrieve(self._run)
        return End(
            status=view.status,
            output=_output(view),
            taken=tuple(await house.taken(self._run)),
            sent=tuple([await house.log(self._run, name, inward=True) for name in INPUTS]),
            written=await house.log(self._run, "out", inward=False),
        )


def _job(flow: Workflow, world: World) -> Job:
    async def code(_payload: bytes) -> bytes:
        return msgspec.json.encode(await flow.code(world))

    return Job(code)


def _output(view: RunView) -> bytes:
    return b"" if isinstance(view.output, msgspec.UnsetType) else bytes(view.output)
