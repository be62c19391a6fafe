"""A play about the wait map: servers that say of a run that it lives, and senders who believe it.

Owns: how such a play begins, what befalls servers in it, and what must be true in the end.
It begins where it matters: a worker executes the run, every server remembers it so, and a message
has come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Final

from headrace.kernel import machine
from headrace.kernel.model import RunId
from headrace.ports import ANYTHING
from tests.explorer.actors import STREAM, Worker, pass_time
from tests.explorer.ending import final
from tests.explorer.laws import stuck
from tests.explorer.loop import settle
from tests.explorer.map_cast import MapCast
from tests.explorer.mapped import MapBackstage, Words
from tests.explorer.play import HEAL_MS, HEALS, MOST, TIME, WORKER, Make, Play, explored
from tests.explorer.search import Choose, Report
from tests.explorer.stage import MAP, Phase
from tests.explorer.staged import Process, StagedClock
from tests.history.checker import judge
from tests.history.story import tell

FIRST: Final = "first"
"""The stream of the message that has come before."""
LIVES_MS: Final = 2_200
"""After this, nothing that was said before is believed any more."""
HALF_A_LEASE_MS: Final = 2_800
"""Two of them outlast a lease; one is no reason to think that the server itself stood still."""


def explore(
    cast: MapCast,
    backstage: Callable[[], MapBackstage] = MapBackstage,
    *,
    stop_at: int = 3,
    begin: tuple[str, ...] = (),
    most: int = MOST,
) -> Report:
    """Go through every schedule of a cast."""
    make: Make = lambda choose: MapPlay(cast, choose, backstage())  # noqa: E731
    return explored(make, stop_at=stop_at, begin=begin, most=most)


class MapPlay(Play):
    """One schedule."""

    streams = (STREAM, FIRST)
    is_apart = True

    def __init__(self, cast: MapCast, choose: Choose, backstage: MapBackstage) -> None:
        super().__init__(cast.cast, choose, backstage)
        self._plot, self._shared = cast, backstage
        self._loses = cast.fate in {"lost", "orphaned"}
        self.stage.constant.append(self)
        backstage.leases_of_one = cast.fate == "orphaned"
        self.stage.retires = not self._loses  # whoever finds a lost worker takes its runs
        backstage.sits, backstage.lapses = bool(cast.fate), self._loses and cast.passes
        self._ghost: Worker | None = None
        """Who was left at the first server, and is still heard there."""
        self._workings: list[asyncio.Task[None]] = []

    async def _open(self, house: AsyncExitStack) -> RunId:
        run_id = await super()._open(house)
        self._shared.is_idle = not self._loses  # from here on: its own server claims it
        if TIME not in self._apis:
            await self._server(house, TIME)
        return run_id

    async def _act(self, run_id: RunId, group: asyncio.TaskGroup, house: AsyncExitStack) -> None:
        del house
        stage = self.stage
        self._group, self._player = group, self._worker()
        assert self._shared.words is not None
        self._shared.words.group = group
        self._player.name = WORKER
        self._work(self._player)
        await stage.rest()
        await self._come_so_far(run_id, self._shared.words)
        acting = [group.create_task(act) for act in self._actors(run_id)]
        stage.actors |= set(acting)
        await stage.rest()
        await stage.direct()
        stage.free()
        if not stage.was_cut:
            await self._come_to_where_it_is_judged(run_id)
            stage.wrong += stuck(stage.tables)
            await self._be_told(run_id)
        for task in (*self._workings, *acting):
            task.cancel()
        stage.bury()

    async def _come_so_far(self, run_id: RunId, words: Words) -> None:
        """Let happen what comes before the play."""
        stage, plot = self.stage, self._plot
        if plot.settled:
            await self._let_pass(LIVES_MS)
        for name in (*[name for name, _ in self._senders()], WORKER):
            await self._apis[name].send(run_id, FIRST, b"0", key=name)
        if plot.fate == "moved":
            self._moves(mute=True)
            await stage.rest()
            await self._let_pass(LIVES_MS)
        if plot.parked:
            await self._park(words)
        if plot.fate == "orphaned":
            await self._orphan()
            await stage.rest()

    async def _let_pass(self, ms: int) -> None:
        self.stage.advance(ms, awake=lambda _: True)
        await self.stage.rest()

    async def _park(self, words: Words) -> None:
        self.stage.phase, words.is_slow = Phase.FREE, True
        self._player.renew()
        await self.stage.rest()
        self.stage.free()
        await self.stage.rest()
        self.stage.phase, words.is_slow = Phase.OPENING, False

    def _actors(self, run_id: RunId) -> list[Coroutine[object, object, None]]:
        cast = self._plot
        found = [*super()._actors(run_id), *[self._pulse() for _ in range(cast.pulse)]]
        fates = {"crash": self._crash, "moves": self._move, "lost": self._lose}
        if cast.fate in fates:
            found.append(fates[cast.fate]())
        found += [self._flush() for _ in range(cast.flush)]
        if cast.passes:
            steps = [HALF_A_LEASE_MS] * 2 if self._loses else [LIVES_MS]
            found.append(self._pass_time(steps))
        return found

    async def _pass_time(self, steps: Sequence[int]) -> None:
        at_once = self._plot.fate == "orphaned"
        await pass_time(self.stage, TIME, self._is_awake, steps, at_once=at_once)
        if self._plot.renews_later:
            self._renew()

    async def _pulse(self) -> None:
        """Renew the lease: what matters is when that reaches the database."""
        self._renew()

    def _renew(self) -> None:
        worker = self._ghost or self._player
        settle(worker.process)
        worker.renew()

    async def _flush(self) -> None:
        await self.stage.cue("redis", "is emptied", writes=frozenset({MAP}))
        words = self._shared.words
        assert words is not None
        words.empty(self._shared.new_map(StagedClock(Process(self.stage, TIME))))

    async def _crash(self) -> None:
        """The worker's server dies; the worker goes on at another."""
        await self.stage.cue(WORKER, "dies", enters=frozenset({TIME}))
        await self._die()
        self._player.process, self._player.api = TIME, self._apis[TIME]
        self._work(self._player)

    async def _lose(self) -> None:
        """The worker dies with its server; another takes the run up when the lease has lapsed."""
        await self.stage.cue(WORKER, "dies", enters=frozenset({TIME}))
        await self._orphan()

    async def _orphan(self) -> None:
        await self._die()
        self._player = Worker(self.stage, TIME, self._apis[TIME], self._player.plan, name="second")
        self._work(self._player)

    async def _die(self) -> None:
        self.stage.kill(WORKER, self._apis[WORKER])
        working = self._workings[-1]
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working

    async def _move(self) -> None:
        """The worker goes to another server; what it said to the first is still under way there."""
        await self.stage.cue(WORKER, "is left", enters=frozenset({TIME}))
        self._moves()

    def _moves(self, *, mute: bool = False) -> None:
        self._ghost = self._player
        self._player = self._ghost.leave(TIME, self._apis[TIME], mute=mute)
        self._work(self._player)

    def _work(self, worker: Worker) -> None:
        self._workings.append(self._group.create_task(worker.run()))
        self.stage.actors.add(self._workings[-1])

    # --- after -----------------------------------------------------------------------------------

    async def _be_told(self, run_id: RunId) -> None:
        """Let hints come through again: who lost some is told to look at everything."""
        self._healed = True
        for _ in range(HEALS):
            if self._is_over(run_id):
                return
            ms = HALF_A_LEASE_MS if self._loses else HEAL_MS
            self.stage.advance(ms, awake=self._is_awake)
            self._shared.hints.tell(ANYTHING)
            await self.stage.rest()
            if self._workings[-1].done() and not self._is_over(run_id):
                self._work(self._player)  # its lease lapsed as well: it comes again
                await self.stage.rest()

    async def _come_to_where_it_is_judged(self, run_id: RunId) -> None:
        """Come to the last look; where there is none, a lost worker's lease has to lapse first."""
        is_due = machine.due(self.stage.tables.runs[run_id]) is not None
        await self._come_to_the_deadline(run_id)
        for ms in [HALF_A_LEASE_MS] * 2 if self._loses and not is_due else []:
            self.stage.advance(ms, awake=self._is_awake)
            await self.stage.rest()

    def _is_awake(self, process: str) -> bool:
        return process not in self.stage.dead and super()._is_awake(process)

    def _verdict(self, run_id: RunId) -> list[str]:
        wrong = list(self.stage.wrong)
        if not self._is_over(run_id):
            wrong.append(f"stuck: {self.stage.tables.runs[run_id]}")
        story = tell([*self.stage.events, *final(self.stage, run_id, but=FIRST)])
        return wrong + [str(violation) for violation in judge(story, late_ms=2 * HEAL_MS)]
