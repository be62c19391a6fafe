"""What follows a commit: runs are taken up, workers and listeners are told.

Owns: the order in which a worker hears of things. Must never know: who asked for the change.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from headrace.engine.desk import Desk
from headrace.engine.seats import Seat, Seats
from headrace.engine.sheet import Sheet
from headrace.kernel.commands import Claim
from headrace.kernel.model import Entry, Queued, Run, Running, StreamId, Waiting, WorkerId
from headrace.ports import Order, Stores
from headrace.wire import channel

Changed = Callable[[Run], Awaitable[None]]


def holder(run: Run) -> WorkerId | None:
    """Return the worker that holds the run."""
    match run.state:
        case Running(worker=worker) | Waiting(worker=worker):
            return worker
        case _:
            return None


class Lander:
    """Tells the news of each commit; see `desk.Landing`."""

    def __init__(self, stores: Stores, seats: Seats, changed: Changed) -> None:
        self._stores, self._seats, self._changed = stores, seats, changed

    def prepare(self, sheet: Sheet) -> None:
        """Let a worker with room take a run up in the very commit that makes it runnable."""
        if not isinstance(sheet.run.state, Queued) or isinstance(sheet.before.state, Queued):
            return
        seat = self._seats.pick(sheet.run.env, sheet.run.task)
        if seat is not None:
            sheet.apply(Claim(seat.worker))
            seat.running.add(sheet.run.id)  # others decide while this is being committed

    def abandon(self, sheet: Sheet) -> None:
        """Give the room back that `prepare` has taken."""
        worker = holder(sheet.run)
        seat = None if worker is None else self._seats.of(worker)
        if seat is not None and worker != holder(sheet.before):
            seat.running.discard(sheet.run.id)

    async def landed(self, desk: Desk, sheet: Sheet) -> None:
        """Tell the worker that held the run, the one that holds it now, and the listeners."""
        before, after = sheet.before, sheet.landed()
        self._tell_last_holder(before, after, own=sheet.own_end)
        seat = self._seat(after)
        if seat is not None and after.id not in seat.pending:
            if after.id in seat.known:
                _tell(seat, sheet, after)
            else:
                await self.assign(seat, after)
            _account(seat, after)
        _recheck(desk, before, after)
        if not sheet.is_empty:
            await self._changed(after)

    def _seat(self, run: Run) -> Seat | None:
        worker = holder(run)
        return None if worker is None else self._seats.of(worker)

    def _tell_last_holder(self, before: Run, after: Run, *, own: bool) -> None:
        worker = holder(before)
        if worker is None or (before.epoch == after.epoch and worker == holder(after)):
            return
        seat = self._seats.of(worker)
        if seat is not None and before.id in seat.known:
            ended = channel.Ended if own else channel.Fenced
            seat.push(ended(before.id, before.epoch))
            seat.drop(before.id)

    async def assign(self, seat: Seat, run: Run) -> None:
        """Hand the run to the worker, with all that it needs to go on."""
        order = await self._stores.runs.order(run.id) or Order()
        entries = await self._stores.runs.journal(run.id) if run.entries else ()
        metadata = await self._stores.runs.metadata(run.id)
        newest = await self._newest(run)
        hand_over(seat, run, order, metadata, tuple(entries), newest)

    async def _newest(self, run: Run) -> dict[str, tuple[int, bytes]]:
        found: dict[str, tuple[int, bytes]] = {}
        for stream in await self._stores.streams.names(run.id):
            newest = await self.newest(run, stream)
            if newest is not None:
                found[stream[1:]] = newest
        return found

    async def newest(self, run: Run, stream: StreamId) -> tuple[int, bytes] | None:
        """Return the newest record of an input stream that the run has not taken."""
        cursor = run.cursors.get(stream, 0)
        backlog = await self._stores.streams.backlog(run.id, stream, cursor)
        if not stream.startswith("<") or backlog.tail <= cursor:
            return None
        records = await self._stores.streams.read(run.id, stream, backlog.tail - 1, 1)
        return (records[0].seq, records[0].body) if records else None

    async def resume(self, seat: Seat, run: Run, next_n: int) -> None:
        """Tell a worker that came back what it missed of a run that it holds."""
        missed = await self._stores.runs.journal(run.id, next_n) if run.entries > next_n else ()
        newest = await self._newest(run)
        seat.pending.discard(run.id)
        seat.known.add(run.id)
        if missed:
            seat.answered[run.id] = frozenset(entry.key for entry in missed)
            seat.push(channel.Told(run.id, run.epoch, tuple(missed)))
        for stream, (seq, body) in newest.items():
            seat.push(channel.Unread(run.id, run.epoch, stream, seq, body))
        if run.stop is not None:
            seat.push(channel.Stopping(run.id, run.epoch))
        _account(seat, run)


def hand_over(  # noqa: PLR0917 - it is one message, field by field
    seat: Seat,
    run: Run,
    order: Order,
    metadata: bytes,
    entries: tuple[Entry, ...],
    newest: dict[str, tuple[int, bytes]],
) -> None:
    """Push the run to the worker, which knows it from now on."""
    seat.known.add(run.id)
    _account(seat, run)
    seat.push(
        channel.Assigned(
            run=run.id,
            epoch=run.epoch,
            task=run.task,
            attempt=run.attempt,
            payload=order.payload,
            metadata=metadata,
            entries=entries,
            newest=newest,
            tags=order.tags,
            stopping=run.stop is not None,
        )
    )


def _account(seat: Seat, run: Run) -> None:
    """Count the run against the worker's slots while it executes."""
    if isinstance(run.state, Running):
        seat.running.add(run.id)
    else:
        seat.running.discard(run.id)


def _tell(seat: Seat, sheet: Sheet, after: Run) -> None:
    """Push what this commit means for the worker that goes on holding the run."""
    if sheet.entries:
        entries = tuple(replace(e, body=b"") if e.key in sheet.own else e for e in sheet.entries)
        seat.push(channel.Told(after.id, after.epoch, entries))
    unread: dict[StreamId, channel.Unread] = {}
    for draft in sheet.drafts:
        name = draft.stream[1:]
        if draft.seq >= after.cursors.get(draft.stream, 0) and draft.stream.startswith("<"):
            unread[draft.stream] = channel.Unread(
                after.id, after.epoch, name, draft.seq, draft.body
            )
    for message in unread.values():
        seat.push(message)
    for key in sheet.emitted:
        seat.push(channel.Emit(after.id, after.epoch, key))
    if after.stop is not None and sheet.before.stop is None:
        seat.push(channel.Stopping(after.id, after.epoch))


def _recheck(desk: Desk, before: Run, after: Run) -> None:
    """Read the log once more behind a wait that has just become durable (law 4).

    Another process may have appended between our reading of the log and the commit.
    """
    standing = {wait.key for wait in before.waits if wait.held}
    for wait in after.waits:
        stream = wait.stream
        if wait.held and stream is not None and wait.key not in standing:
            desk.post(_CatchUp(stream))


class _CatchUp:
    """The job of taking what stands in the log."""

    def __init__(self, stream: StreamId) -> None:
        self._stream = stream

    async def __call__(self, sheet: Sheet) -> object:
        return await sheet.catch_up(self._stream)


def recheck(desk: Desk, run: Run) -> None:
    """Read the log behind every wait of the run."""
    for stream in {wait.stream for wait in run.waits if wait.stream is not None}:
        desk.post(_CatchUp(stream))
