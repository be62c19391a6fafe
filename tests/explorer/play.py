"""A play: one schedule of one cast, from the first move to the verdict.

Owns: setting the stage, letting everybody go, and what must be true in the end.

Hints between servers are lost here (law 9), so that a worker does not hear at once what another
server has committed. What a play is stuck in it may leave when some seconds have passed, and at the
latest when the worker's server was started again; through a single server it is never stuck.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Final

from headrace.engine import open_engine
from headrace.kernel import machine
from headrace.kernel.model import EnvId, Over, RunId
from headrace.ports import Api
from headrace.wire.registration import Registration, StreamSpec, TaskSpec
from headrace.wire.tokenviews import TokenOrder
from headrace.wire.views import TriggerOrder
from tests.explorer.actors import (
    STREAM,
    TASK,
    TIMEOUT_MS,
    Plan,
    Sender,
    Worker,
    cancel,
    complete,
    pass_time,
)
from tests.explorer.cast import Cast
from tests.explorer.ending import final
from tests.explorer.laws import stuck
from tests.explorer.loop import HOME, QuietLoop
from tests.explorer.recall import Recall
from tests.explorer.search import Choose, Report, Search
from tests.explorer.stage import Stage
from tests.explorer.staged import Backstage, Once, Process
from tests.history.checker import judge
from tests.history.story import tell

ENV: Final = EnvId("dev")
HEAL_MS: Final = 1_000
LOOKS_MS: Final = 1_000
HEALS: Final = 3
MOST: Final = 2_000_000
"""Schedules of one cast beyond which something must be wrong with the pruning."""

WORKER, TIME, CANCELLER, ALL = "worker", "time", "canceller", "server"


class Play:
    """One schedule."""

    streams: tuple[str, ...] = (STREAM,)
    is_apart = False
    """Whether processes share nothing that the stage does not know of."""

    def __init__(self, cast: Cast, choose: Choose, backstage: Backstage) -> None:
        self.cast = cast
        self.stage = Stage(choose)
        names = frozenset(name for name, _ in self._senders())
        self.stage.senders = self.stage.sending = self.stage.asking = names
        self._backstage = backstage
        self._apis: dict[str, Api] = {}
        self._healed = False
        self._token = ""

    async def run(self) -> Sequence[str]:
        """Make the moves, and judge; where the search has seen the rest, judge what was done."""
        async with AsyncExitStack() as house:
            run_id = await self._open(house)
            async with asyncio.TaskGroup() as group:
                await self._act(run_id, group, house)
        return self.stage.wrong if self.stage.was_cut else self._verdict(run_id)

    async def _act(self, run_id: RunId, group: asyncio.TaskGroup, house: AsyncExitStack) -> None:
        stage, worker = self.stage, self._worker()
        working = group.create_task(worker.run())
        acting = [group.create_task(act) for act in self._actors(run_id)]
        stage.actors = {working, *acting}
        if not self.cast.fresh:
            await stage.rest()
        await stage.direct()
        stage.free()
        if not stage.was_cut:
            stage.wrong += stuck(stage.tables)
            await self._come_to_the_deadline(run_id)
            await self._heal(run_id)
        if not (stage.was_cut or self._is_over(run_id)):
            working.cancel()
            worker.api = await self._server(house, f"{WORKER} again")
            working = group.create_task(worker.run())
            await self._heal(run_id)
        for task in (working, *acting):
            task.cancel()

    # --- before ----------------------------------------------------------------------------------

    async def _open(self, house: AsyncExitStack) -> RunId:
        api = await self._server(house, WORKER)
        streams = tuple(StreamSpec(name=name, inward=True) for name in self.streams)
        await api.register(Registration(version="1", tasks=(TaskSpec(id=TASK),), streams=streams))
        run_id = RunId((await api.trigger(TASK, TriggerOrder())).id)
        if self.cast.token:
            self._token = (await api.create_token(TokenOrder())).id
        if self.cast.timeout:
            await self._server(house, TIME)
        if self.cast.cancel:
            await self._server(house, CANCELLER)
        for name, _ in self._senders():
            await self._server(house, name)
        return run_id

    def _senders(self) -> list[tuple[str, str]]:
        return [(f"sender {n}", message) for n, message in enumerate(self.cast.messages)]

    async def _server(self, house: AsyncExitStack, name: str) -> Api:
        if self.cast.alone and self._apis:
            api = self._apis[name] = self._apis[WORKER]
            return api
        alone = self.cast.alone
        process = Process(self.stage, self._home(name), alone or name == TIME, is_alone=alone)
        stores = self._backstage.stores(process, delivering=self.cast.delivering)
        HOME.set(process.name)
        engine = await house.enter_async_context(open_engine(stores, Once(process.name)))
        HOME.set("")
        self._apis[name] = engine.at(ENV)
        return self._apis[name]

    def _home(self, name: str) -> str:
        return ALL if self.cast.alone else name

    def _worker(self) -> Worker:
        cast = self.cast
        plan = Plan(
            cast.values,
            cast.held,
            cast.timeout,
            cast.evicted,
            cast.saves,
            cast.drops,
            cast.unfit,
            self._token,
        )
        return Worker(self.stage, self._home(WORKER), self._apis[WORKER], plan)

    def _actors(self, run_id: RunId) -> list[Coroutine[object, object, None]]:
        stage = self.stage
        found: list[Coroutine[object, object, None]] = []
        for name, message in self._senders():
            home, api = self._home(name), self._apis[name]
            if self._token:
                found.append(complete(stage, api, self._token, message))
            else:
                found.append(Sender(stage, home, api, name, message).run(run_id))
        if self.cast.timeout:
            found.append(pass_time(stage, self._home(TIME), self._is_awake, self._steps()))
        if self.cast.cancel:
            found.append(cancel(stage, self._home(CANCELLER), self._apis[CANCELLER], run_id))
        return found

    def _steps(self) -> Sequence[int]:
        """Come to the deadline; a server that did not hear of it looks once a second."""
        due = TIMEOUT_MS if self.cast.alone else LOOKS_MS
        return (TIMEOUT_MS - 1, due - TIMEOUT_MS + 1) if self.cast.early else (due,)

    def _is_awake(self, process: str) -> bool:
        return self._healed or process in {ALL, TIME}

    # --- after -----------------------------------------------------------------------------------

    async def _come_to_the_deadline(self, run_id: RunId) -> None:
        """Let the time of a wait pass that began when the actors' time had passed."""
        due = machine.due(self.stage.tables.runs[run_id])
        if due is not None and due > self.stage.now:
            self.stage.advance(due - self.stage.now, awake=self._is_awake)
            await self.stage.rest()

    async def _heal(self, run_id: RunId) -> None:
        """Where the run is not over, let some seconds pass: what a lost hint may cost."""
        for _ in range(HEALS):
            if self._is_over(run_id):
                return
            self._healed = True
            self.stage.advance(HEAL_MS, awake=self._is_awake)
            await self.stage.rest()

    def _is_over(self, run_id: RunId) -> bool:
        return isinstance(self.stage.tables.runs[run_id].state, Over)

    def _verdict(self, run_id: RunId) -> list[str]:
        wrong = list(self.stage.wrong)
        if not self._is_over(run_id):
            wrong.append(f"stuck: {self.stage.tables.runs[run_id]}")
        elif self._healed and self.cast.alone:
            wrong.append("stuck until somebody looked again")
        if self._token:
            return wrong  # every commit was judged as it landed, and nothing stands
        story = tell([*self.stage.events, *final(self.stage, run_id)])
        # Another server looks only so often, and time may pass while a wait is being committed.
        late_ms = 0 if self.cast.alone else 2 * LOOKS_MS
        return wrong + [str(violation) for violation in judge(story, late_ms=late_ms)]


Make = Callable[[Choose], Play]


def explore(
    cast: Cast,
    backstage: Callable[[], Backstage] = Backstage,
    *,
    stop_at: int = 3,
    most: int = MOST,
) -> Report:
    """Go through every schedule of a cast."""
    return explored(lambda choose: Play(cast, choose, backstage()), stop_at=stop_at, most=most)


def explored(
    make: Make, *, stop_at: int = 3, begin: tuple[str, ...] = (), most: int = MOST
) -> Report:
    """Go through every schedule of the plays that are made so."""
    with asyncio.Runner(loop_factory=QuietLoop) as runner:
        loop, recall = runner.get_loop(), Recall()
        assert isinstance(loop, QuietLoop)

        def play(choose: Choose) -> Sequence[str]:
            one = make(choose)
            one.stage.recall = recall if one.is_apart else None
            loop.direct(one.stage.at_rest)
            return runner.run(one.run())

        return Search(play, most=most, stop_at=stop_at, begin=begin).run()
