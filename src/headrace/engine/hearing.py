"""What follows from what other engines say.

Owns: the ear. Must never know: how a hint gets here.

Rule: a hint only saves work. Who tells of a run has committed before. A worker that sits here is
told at once; everything else is found out by whoever wants to know it.
"""

from __future__ import annotations

from typing import assert_never

from headrace.engine.core import Core
from headrace.engine.hints import Declared, Grown, Here, Hint, Left, Seated, Written, heard, said
from headrace.engine.jobs import reread
from headrace.kernel.model import EnvId, RunId, StreamId, TaskId
from headrace.ports import ANYTHING


class Hearing:
    """Listens, as long as the engine lives."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def run(self) -> None:
        """Pass on what other engines announce."""
        core = self._core
        async with core.stores.wakeups.listen(core.name) as hints:
            core.look_again()  # nobody knows what was announced while nobody listened
            await self._greet()
            async for said_here in hints:
                if said_here == ANYTHING:
                    core.look_again()
                    await self._greet()  # what was told at first may have been lost
                elif hint := heard(said_here):
                    await self._follow(hint)
                else:
                    self._written(said_here)
                    core.ring(said_here)

    async def _answer(self, *, is_new: bool) -> None:
        if is_new:
            await self._core.tell(said(Here(is_new=False)))

    async def _greet(self) -> None:
        if not self._core.has_company:
            await self._core.tell(said(Here(is_new=True)))

    def _written(self, run_id: RunId, grown: frozenset[StreamId] | None = None) -> None:
        """Look at a run that another engine has written; who has it at rest is only to doubt.

        `grown`: the streams that have new records, where that is known.
        """
        core = self._core
        core.has_company = True
        desk = core.desks().get(run_id)
        if core.seats.told(run_id) is None:
            if desk is not None:
                desk.doubt()
        elif grown is None:
            core.look_at(core.desk(run_id))
        else:
            core.desk(run_id).doubt()
            if grown:
                core.look_at(core.desk(run_id), only=grown)
            else:
                core.post(run_id, reread)

    def _grown(self, run_id: RunId, streams: frozenset[StreamId]) -> None:
        """Look behind these streams of the run, if its worker sits here."""
        if streams and self._core.seats.told(run_id) is not None:
            self._core.look_at(self._core.desk(run_id), only=streams)

    async def _follow(self, hint: Hint) -> None:
        """Follow up on what is told beside what was written."""
        core = self._core
        core.has_company = True
        match hint:
            case Left(env, task):
                self._left(env, task)
            case Seated(worker, number):
                seat = core.seats.of(worker)
                if seat is not None and seat.number < number:
                    core.seats.remove(seat)
            case Grown(run_id, streams):
                self._grown(run_id, streams)
                core.ring(run_id)
            case Written(run_id, streams):
                self._written(run_id, streams)
                core.ring(run_id)
            case Declared():
                core.specs.forget()
            case Here(is_new):
                await self._answer(is_new=is_new)
            case _:
                assert_never(hint)

    def _left(self, env: EnvId, task: TaskId) -> None:
        core = self._core
        core.seats.fall_behind(env, task)
        if any(seat.takes(env, task) for seat in core.seats.all()):
            core.wanted.set()
