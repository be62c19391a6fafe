"""How queued runs find workers, leases end, and what is due happens.

Owns: the engine's three loops. Set operations ask the store; each run is changed at its desk.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from functools import partial

from headrace.engine.aside import Aside
from headrace.engine.bells import RECHECK_S
from headrace.engine.core import Core
from headrace.engine.jobs import caught_up, nothing
from headrace.engine.listed import post_listed
from headrace.engine.rounds import first
from headrace.engine.seats import Seat
from headrace.engine.sheet import Sheet
from headrace.engine.tokens import pay
from headrace.kernel import machine
from headrace.kernel.commands import Elapse, Lose
from headrace.kernel.model import Instant, Run, RunId, TaskId, WorkerId, later
from headrace.ports import NEVER, Unseated

LEASE_MS = 5_000
BATCH = 500
FEW = 16
SHARE = 4
"""So many queued runs one of several workers is given first; each time so many more: the longer
the queue, the fewer statements for each run."""
ROUNDS_TO_RECHECK = 4
ROUND_MS = round(RECHECK_S * 1_000) // ROUNDS_TO_RECHECK
"""How often leases and queues are looked at without a reason."""
SLOW_MS = 100
"""What takes longer goes on by itself: others are due."""
TURN_MS = 50
"""Within so much each of several servers picks its moment: the first sees to all that is due."""
HORIZON_MS = 1_000
"""How far the timer looks ahead; also how often it looks without a reason."""


class Dispatch:
    """Gives queued runs to workers with room."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def run(self) -> None:
        """Fill the workers' slots whenever something may have changed."""
        core = self._core
        while True:
            await core.wanted.wait()
            core.wanted.clear()
            share = SHARE
            while hungry := self._hungry():
                # They share: each has a core of its own, and takes only its own runs along.
                seat = max(hungry, key=lambda seat: seat.free)
                await self._fill(seat, seat.free if len(hungry) == 1 else min(share, seat.free))
                share += SHARE

    def _hungry(self) -> Sequence[Seat]:
        """List the workers with room for what may be queued."""
        seats = self._core.seats
        return [seat for seat in seats.all() if seat.free and seats.backlog_of(seat)]

    async def _fill(self, seat: Seat, limit: int) -> None:
        core, tasks = self._core, self._core.seats.backlog_of(seat)
        # Cleared first: a run that is queued while the store is asked sets it again.
        core.seats.catch_up(seat.env, tasks)
        claimed = await self._claim(seat, tasks, limit)
        for run in claimed:
            seat.running.add(run.id)
            core.desk(run.id).renew(run)
            core.post(run.id, nothing)
            core.ring(run.id)
            core.onlookers.gather(run.id)
        if len(claimed) == limit:
            for task in tasks:
                core.seats.fall_behind(seat.env, task)
                core.herald.leave(seat.env, task)

    async def _claim(self, seat: Seat, tasks: Sequence[TaskId], limit: int) -> Sequence[Run]:
        """Claim queued runs; meanwhile nobody else is given the slots."""
        core, command = self._core, seat.claim
        seat.reserved = limit
        try:
            return await core.stores.runs.claim(command, seat.env, tasks, core.now(), limit)
        finally:
            seat.reserved = 0


class Timer:
    """Makes happen what is due."""

    def __init__(self, core: Core) -> None:
        self._core, self._aside = core, Aside(core.alarm.set)

    async def run(self) -> None:
        """Sleep until something is due, and see to it."""
        core, limit, is_turn = self._core, FEW, False
        while True:
            horizon = later(core.now(), HORIZON_MS)
            core.next_due = horizon
            core.alarm.clear()
            listed = await core.stores.runs.due(horizon, limit + self._aside.count)
            now = core.now()
            due = [run for moment, run in listed if moment <= now and not self._aside.has(run)]
            # What is not due yet is read again at the next wake-up: so read a few.
            limit = min(limit * 2, BATCH) if len(due) >= limit else FEW
            if due:
                own = due if is_turn else self._own(due)
                await self._elapse(own)
                is_turn = len(own) < len(due)
                if is_turn:
                    pause = round(core.chance.jitter() * TURN_MS)
                    await core.stores.clock.sleep_until(later(core.now(), pause))
                continue
            is_turn = False
            coming = [moment for moment, _ in listed if moment > now]
            core.next_due = min((core.next_due, *coming[:1]))
            await first(core.stores.clock.sleep_until(core.next_due), _wait(core.alarm))

    def _own(self, due: Sequence[RunId]) -> Sequence[RunId]:
        """Return those that no other server sees to sooner: it may have their workers."""
        core = self._core
        return [run for run in due if core.seats.told(run)] if core.has_company else due

    async def _elapse(self, due: Sequence[RunId]) -> None:
        core = self._core
        now = core.now()
        answers = list[asyncio.Future[object]]()
        for run_id in due:
            answer = post_listed(core, run_id, elapse, lambda run: is_due(run, now))
            self._aside.begin(run_id)
            answer.add_done_callback(partial(self._passed, run_id))
            answers.append(answer)
        if answers:
            await first(core.stores.clock.sleep_until(later(now, SLOW_MS)), _all(answers))

    def _passed(self, run_id: RunId, answer: asyncio.Future[object]) -> None:
        error = None if answer.cancelled() else answer.exception()
        self._aside.end(run_id, error)


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def _all(answers: Sequence[asyncio.Future[object]]) -> None:
    await asyncio.wait(answers)


def is_due(run: Run, now: Instant) -> bool:
    """Tell whether something of the run is due."""
    moment = machine.due(run)
    return moment is not None and moment <= now


async def elapse(sheet: Sheet) -> object:
    """Let the run's time pass; what the log holds by then wins, in the order of the waits."""
    await caught_up(sheet, by=sheet.now)
    return sheet.apply(Elapse())


class Warden:
    """Takes runs from workers whose lease has lapsed, and looks again at what hints may miss."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._bear()

    async def run(self) -> None:
        """Look a few times within the time of a lease."""
        core = self._core
        for rounds in itertools.count():
            for worker in await self._lost():
                await self.bury(worker)
            for seat in core.seats.all():
                await self._ask_after(seat)
            if rounds % ROUNDS_TO_RECHECK == 0:
                await pay(core)
                for seat in core.seats.all():
                    await self._compare(seat)
            core.seats.all_behind()
            core.wanted.set()
            await self._pause()

    def _bear(self) -> None:
        """Give everybody the time of a lease: they could not renew where nobody served.

        No lease is made longer: a server that did serve meanwhile knows better who is gone.
        """
        self._blames_from = later(self._core.now(), LEASE_MS)

    async def _lost(self) -> Sequence[WorkerId]:
        """List whom to give up; while nobody is blamed, those without a lease only."""
        now = self._core.now()
        return await self._core.stores.leases.lapsed(now if now >= self._blames_from else NEVER)

    async def _ask_after(self, seat: Seat) -> None:
        """Find out how long the lease of a silent worker lasts, and whether it still sits here."""
        if seat.lasts > self._core.now():
            return
        try:
            seat.lasts = await self._core.stores.leases.renew(seat.worker, NEVER, seat.number)
        except Unseated:
            self._core.seats.remove(seat)

    async def _compare(self, seat: Seat) -> None:
        """Look at the runs of which the store and the worker may think differently.

        A reply of the store was lost, or what a landing needed could not be read.
        """
        core, before = self._core, set(seat.known)
        held = set(await core.stores.runs.held(seat.worker))
        lost, strange = before.intersection(seat.known) - held, held - before - seat.known.keys()
        for run_id in (lost | strange) - seat.pending:
            desk = core.desks().get(run_id)
            if desk is not None and desk.working:
                continue  # it was written just now, and is about to be told
            if desk is not None or run_id not in seat.running or run_id in seat.strange:
                core.look_at(core.desk(run_id))
        seat.strange = strange
        unheard = seat.running - held - seat.known.keys()
        seat.running -= unheard & seat.unheard
        seat.unheard = unheard

    async def _pause(self) -> None:
        """Rest; where that took far too long, this process stood still, not the workers."""
        core = self._core
        until = self._next(core.now())
        await core.stores.clock.sleep_until(until)
        if core.now() - until > LEASE_MS // 2:
            self._bear()

    def _next(self, now: Instant) -> Instant:
        """Say when to look again: no later than somebody who sits here may be given up."""
        ends = [self._blames_from, *(seat.lasts for seat in self._core.seats.all())]
        return min([later(now, ROUND_MS), *(end for end in ends if end > now)])

    async def bury(self, worker: WorkerId) -> None:
        """Give back what a lost worker held, unless it has come back; its writes are fenced.

        It is given up first. So what could not be taken from it, or comes into its hands even now,
        is held without a lease: the store goes on listing the worker.
        """
        core, seat, now = self._core, self._core.seats.of(worker), self._core.now()
        if not await core.stores.leases.drop(worker, now):
            return
        if seat is not None:
            core.seats.remove(seat)
        held = await core.stores.runs.held(worker)
        lose = _Lose(worker, now)
        answers = [post_listed(core, run_id, lose, lose.is_theirs) for run_id in held]
        await asyncio.gather(*answers, return_exceptions=True)


class _Lose:
    """The job of taking a run from a worker that was given up; not what it has got since."""

    def __init__(self, worker: WorkerId, given_up: Instant) -> None:
        self._worker, self._given_up = worker, given_up

    def is_theirs(self, run: Run) -> bool:
        """Tell whether the worker held the run then."""
        return machine.holder(run) == self._worker and (run.resumed or NEVER) <= self._given_up

    async def __call__(self, sheet: Sheet) -> object:
        if not self.is_theirs(sheet.run):
            return None
        change = sheet.apply(Lose(self._worker))
        await caught_up(sheet)  # its server may have died before it looked after a wait's commit
        return change
