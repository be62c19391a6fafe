"""Which runs senders may take for executing, without asking the database, and until when.

Owns: what this server says to the wait map, in which order, and what follows from it
(docs/decisions/0021). Must never know: how the map keeps it, or who asks.

Only where records lie elsewhere than runs: where one statement of the database appends and offers,
nothing would be saved by not offering.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from headrace.engine.seats import Seat, Seats
from headrace.engine.sheet import Sheet
from headrace.kernel import machine
from headrace.kernel.commands import Recheck
from headrace.kernel.effects import fresh, is_offered
from headrace.kernel.model import (
    EPOCH,
    Instant,
    Over,
    Run,
    RunId,
    Running,
    StreamId,
    WorkerId,
    later,
)
from headrace.ports import Clock, Live, WaitMap
from headrace.ports.waitmap import LIVE_MS

SKEW_MS: Final = 200
"""How far apart the clocks of two servers may be."""
HEARD_MS: Final = 10_000
"""How long after a message a run is said to live: most of those without any never need it."""
LEFT_AT_MOST: Final = 10_000

Certain = Callable[[RunId], Run | None]
"""Return the run as its last commit has left it, if that is known."""


class Presence:
    """What has been said of the runs of this server's workers."""

    def __init__(self, waitmap: WaitMap, clock: Clock, seats: Seats, certain: Certain) -> None:
        self._map, self._clock, self._seats, self._certain = waitmap, clock, seats, certain
        self._ends: dict[RunId, Instant] = {}
        """Until when each run was said to live, by whomever this server knows of."""
        self._heard: OrderedDict[RunId, Instant] = OrderedDict()
        """When the last message came, the oldest first."""
        self._leaving: dict[RunId, Instant] = {}
        """Runs that a commit under way takes out of their worker's hands, or parks; see `_ends`."""
        self._since: dict[WorkerId, Instant] = {}
        """When each worker sat down here: before, another server may have said it."""
        self._left: OrderedDict[RunId, int] = OrderedDict()
        """Epochs that have ended here: what was said in them is known."""

    async def is_live(self, run_id: RunId) -> bool:
        """Tell whether somebody executes the run; ask only once what was sent to it is durable."""
        return isinstance(await self._map.where(run_id), Live)

    def seated(self, worker: WorkerId) -> None:
        """Note that the worker has sat down here."""
        self._since[worker] = self._clock.now()

    # --- saying that runs live -------------------------------------------------------------------

    async def say(self, seat: Seat, renewed: Instant) -> None:
        """Say it of the seat's runs; `renewed` is the time before its lease was renewed."""
        self._forget()
        until = later(renewed, LIVE_MS - SKEW_MS)
        since = later(renewed, -HEARD_MS)
        named = [run_id for run_id in seat.known if self._heard.get(run_id, EPOCH) > since]
        await asyncio.gather(*[self._say(seat, run_id, until) for run_id in named])

    async def _say(self, seat: Seat, run_id: RunId, until: Instant) -> None:
        run = self._certain(run_id)
        if run is None or not self._is_live(seat, run):
            return
        self._ends[run_id] = max(until, self._ends.get(run_id, until))  # before it is said
        await self._map.live(run_id, run.version, until)

    def _is_live(self, seat: Seat, run: Run) -> bool:
        return (
            seat.is_open
            and isinstance(run.state, Running)
            and run.state.worker == seat.worker
            and run.id not in self._leaving
            and not any(map(is_offered, run.waits))
        )

    def _forget(self) -> None:
        """Let go of what is over."""
        now = self._clock.now()
        self._ends = {name: end for name, end in self._ends.items() if later(end, SKEW_MS) > now}
        known = LIVE_MS + SKEW_MS
        self._since = {name: at for name, at in self._since.items() if later(at, known) > now}

    # --- around a commit -------------------------------------------------------------------------

    def prepare(self, sheet: Sheet) -> None:
        """Say nothing more of a run that parks or leaves, and have its log read later on."""
        run, before = sheet.run, sheet.before
        end = self._ends.get(run.id, EPOCH)
        if _parts(before, run):
            end = max(end, self._seated(before))
            self._leaving[run.id] = end
        end = later(end, SKEW_MS)
        if end <= sheet.now:
            return  # nobody believes any more what was said
        if any(is_offered(wait) and (wait.recheck or EPOCH) < end for wait in run.waits):
            sheet.apply(Recheck(end))

    def _seated(self, run: Run) -> Instant:
        """Return until when the server that had the worker before may have said it."""
        worker = machine.holder(run)
        since = None if worker is None else self._since.get(worker)
        return EPOCH if since is None else later(since, LIVE_MS)

    async def part(self, sheet: Sheet) -> None:
        """Take back that the run lives: before it is committed that it does not."""
        run, end = sheet.run, self._leaving.get(sheet.run.id, EPOCH)
        if later(end, SKEW_MS) <= sheet.now:
            return
        self._ends[run.id] = end
        if streams := _offered(run):
            await self._map.parked(run.id, sheet.before.version + 1, streams)
        else:
            await self._map.gone(run.id, sheet.before.version + 1)

    def settle(self, run_id: RunId) -> None:
        """Note that the commit has landed, or will not."""
        self._leaving.pop(run_id, None)

    def landed(self, sheet: Sheet, after: Run) -> None:
        """Learn from a commit: a message has come, somebody else has had the run."""
        before = sheet.before
        self.settle(after.id)
        if (
            sheet.drafts
            or sheet.written
            or any(entry.kind == "take" and entry.seq >= 0 for entry in sheet.entries)
        ):
            self._hear(after.id, sheet.now)
        worker = machine.holder(before)
        if worker is not None and machine.holder(after) is None and self._seats.of(worker):
            self._left[after.id] = after.epoch
            while len(self._left) > LEFT_AT_MOST:
                self._left.popitem(last=False)

    def _hear(self, run_id: RunId, now: Instant) -> None:
        """Note that a message has come, and let go of those that are long ago: workers or not."""
        heard = self._heard
        heard[run_id] = now
        heard.move_to_end(run_id)
        while later(next(iter(heard.values())), HEARD_MS) <= now:
            heard.popitem(last=False)

    def taken_up(self, run: Run) -> None:
        """Note that a worker gets the run, of which another server may have said that it lives."""
        is_known = self._left.pop(run.id, None) == run.epoch - 1
        if run.epoch > 1 and run.resumed is not None and not is_known:
            end = later(run.resumed, LIVE_MS)
            self._ends[run.id] = max(end, self._ends.get(run.id, end))


def _parts(before: Run, after: Run) -> bool:
    """Tell whether the run stops executing, or from now on waits for what it is to be offered."""
    is_held = isinstance(before.state, Running)
    if is_held and machine.holder(after) != machine.holder(before):
        return True
    return bool(fresh(before, after, is_offered))


def _offered(run: Run) -> frozenset[StreamId]:
    if isinstance(run.state, Over):
        return frozenset()
    return frozenset(wait.stream for wait in run.waits if is_offered(wait) and wait.stream)
