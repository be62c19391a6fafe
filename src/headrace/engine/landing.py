"""What follows a commit: runs are taken up, workers and listeners are told.

Owns: what happens around a commit, in which order. Must never know: who asked for the change.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, Protocol

from headrace.engine.desk import Desk
from headrace.engine.jobs import CatchUp
from headrace.engine.presence import Presence
from headrace.engine.seats import Seat, Seats
from headrace.engine.sheet import Sheet
from headrace.engine.telling import Teller
from headrace.kernel import machine
from headrace.kernel.commands import Recheck
from headrace.kernel.effects import fresh, is_offered
from headrace.kernel.model import Queued, Run, RunId, StreamId, is_inward, later

LOOK_MS: Final = 1_000
"""After so long somebody looks behind waits that their worker left as they became durable."""


class News(Enum):
    """What a landing has brought."""

    NONE = "nothing: somebody looked"
    RECORDS = "records, and nothing else"
    RUN = "another version of the run"


class Changed(Protocol):
    """What follows a landing."""

    async def __call__(self, run: Run, news: News, grown: frozenset[StreamId]) -> None:
        """Follow up on it; `grown` are the input streams that have new records."""
        ...


class Lander:
    """Brings everybody into line with each commit; see `desk.Landing`."""

    def __init__(
        self,
        seats: Seats,
        teller: Teller,
        changed: Changed,
        presence: Presence | None,
        *,
        is_elsewhere: bool,
    ) -> None:
        self._seats, self._teller, self._changed = seats, teller, changed
        self._presence, self._is_elsewhere = presence, is_elsewhere

    @property
    def hastens(self) -> bool:
        """Tell whether runs may be said to live."""
        return self._presence is not None

    async def is_live(self, run_id: RunId) -> bool:
        """Tell whether somebody executes the run."""
        return self._presence is not None and await self._presence.is_live(run_id)

    def attends(self, run_id: RunId) -> bool:
        """Tell whether the run's worker sits here, in the attachment in which it was told of it."""
        return self._seats.told(run_id) is not None

    def prepare(self, sheet: Sheet) -> None:
        """Let a worker with room take a run up in the very commit that makes it runnable."""
        self._assign(sheet)
        if self._presence is not None:
            self._presence.prepare(sheet)
        if self._is_elsewhere and _is_unwatched(sheet):
            sheet.apply(Recheck(later(sheet.now, LOOK_MS)))

    async def part(self, sheet: Sheet) -> None:
        """Take back that the run lives, if it does not any more."""
        if self._presence is not None:
            await self._presence.part(sheet)

    def _assign(self, sheet: Sheet) -> None:
        if isinstance(sheet.before.state, Queued) or not machine.is_ready(sheet.run, sheet.now):
            return
        seat = self._seats.pick(sheet.run.env, sheet.run.task)
        if seat is not None:
            sheet.apply(seat.claim)
            seat.running.add(sheet.run.id)  # others decide while this is being committed

    def abandon(self, sheet: Sheet) -> None:
        """Give the room back that `prepare` has taken."""
        if self._presence is not None:
            self._presence.settle(sheet.run.id)
        seat = self._seat(sheet.run)
        taken = sheet.run.epoch != sheet.before.epoch
        if seat is not None and taken and sheet.run.id not in seat.known:
            seat.running.discard(sheet.run.id)

    async def landed(self, desk: Desk, sheet: Sheet) -> None:
        """Tell the worker that held the run, the one that holds it now, and the listeners."""
        after = sheet.landed()
        if self._presence is not None:
            self._presence.landed(sheet, after)
        seat, last = self._seat(after), self._seats.told(after.id)
        if last is not None and (last is not seat or last.known[after.id].epoch != after.epoch):
            self._teller.end(after.id, own=sheet.own_end)
        if seat is not None and after.id not in seat.pending:
            if after.id in seat.known and sheet.unfit != after.epoch:
                await self._teller.tell(seat, sheet, after)
            else:
                if self._presence is not None:
                    self._presence.taken_up(after)
                await self._teller.assign(seat, sheet, after)
        _recheck(desk, sheet.before, after)
        if sheet.looked or sheet.reread or sheet.grown or sheet.is_news:
            await self._changed(after, _news(sheet, after), _grown(sheet))

    def _seat(self, run: Run) -> Seat | None:
        worker = machine.holder(run)
        return None if worker is None else self._seats.of(worker)


def _is_unwatched(sheet: Sheet) -> bool:
    """Tell whether waits become durable as their worker leaves, so that nobody posts them again.

    The look behind them (`_recheck`) is this process's, and may die with it.
    """
    if machine.holder(sheet.run) is not None:
        return False
    return bool(fresh(sheet.before, sheet.run, is_offered))


def _grown(sheet: Sheet) -> frozenset[StreamId]:
    """Name the input streams with new records, and with such as may not have been offered yet."""
    grown = {draft.stream for draft in sheet.drafts} | sheet.repeated
    return frozenset(stream for stream in grown if is_inward(stream))


def _news(sheet: Sheet, after: Run) -> News:
    if not sheet.is_news:
        return News.NONE
    only = sheet.drafts and not sheet.repeated and after.version == sheet.before.version
    return News.RECORDS if only else News.RUN


def _recheck(desk: Desk, before: Run, after: Run) -> None:
    """Read the log once more behind a wait that has just become durable (law 4).

    Another process may have appended between our reading of the log and the commit.
    """
    held = fresh(before, after, lambda wait: wait.held)
    for stream in {wait.stream for wait in held if wait.stream is not None}:
        desk.post(CatchUp(stream))
