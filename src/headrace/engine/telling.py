"""What a worker is told of the runs that it holds: everything once, in the order of the journal.

Owns: the pushes about one run, and how much of it has been pushed already.
Must never know: who asked for a change, or what makes it durable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from headrace.engine.seats import Hold, Seat, Seats
from headrace.engine.sheet import Sheet
from headrace.kernel.model import Entry, Key, Run, RunId, Running, StreamId, is_inward
from headrace.ports import Backlog, Draft, Notes, Order, Stores
from headrace.wire import channel

Newest = Mapping[StreamId, tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Kit:
    """What a worker needs beside the run itself to go on: `entries` begin at number `start`."""

    order: Order
    entries: Sequence[Entry] = ()
    newest: Newest = field(default_factory=dict[StreamId, tuple[int, bytes]])
    snapshot: bytes | None = None
    start: int = 0
    mark: tuple[int, ...] = ()


class Teller:
    """Pushes news to whoever holds a run."""

    def __init__(self, stores: Stores, seats: Seats) -> None:
        self._runs, self._snapshots, self._streams = stores.runs, stores.snapshots, stores.streams
        self._notebook, self._seats = stores.notebook, seats

    async def assign(self, seat: Seat, sheet: Sheet, run: Run) -> None:
        """Hand the run to the worker, with all that it needs to go on.

        Who can make nothing of the snapshot gets the run once more, with everything else.
        """
        again = sheet.unfit == run.epoch
        order = await self._runs.order(run.id) or Order()
        snapshot = None if again else await self._snapshot(run)
        start = run.base if snapshot is None or run.saved is None else run.saved
        entries = await self._entries(sheet, run, start)
        notes = await self._notebook.read(run.id) or Notes()
        newest = await self._newest(run)
        said = replace(order, metadata=notes.metadata)
        kit = Kit(said, entries, newest, snapshot, start, notes.mark)
        if again or run.id not in seat.known:
            self.hand_over(seat, run, kit)

    async def _snapshot(self, run: Run) -> bytes | None:
        return None if run.saved is None else await self._snapshots.read(run.id, run.saved)

    async def _entries(self, sheet: Sheet, run: Run, start: int) -> Sequence[Entry]:
        """Return the entries from number `start` on, unread where they have just been written."""
        if sheet.before.entries <= start:
            return [entry for entry in sheet.entries if entry.n >= start]
        return await self._runs.journal(run.id, start)

    def hand_over(self, seat: Seat, run: Run, kit: Kit) -> None:
        """Push the run to the worker, which knows it from now on."""
        if not seat.is_open:
            return
        order, newest = kit.order, kit.newest
        next_n = kit.start + len(kit.entries)
        hold = Hold(run.epoch, next_n, is_stopping=run.stop is not None)
        hold.shown = {stream: seq for stream, (seq, _) in newest.items()}
        self._seats.note(seat, run.id, hold)
        account(seat, run)
        seat.push(
            channel.Assigned(
                run=run.id,
                epoch=run.epoch,
                task=run.task,
                attempt=run.attempt,
                payload=order.payload,
                metadata=order.metadata,
                entries=tuple(kit.entries),
                newest={stream[1:]: record for stream, record in newest.items()},
                tags=order.tags,
                stopping=run.stop is not None,
                snapshot=kit.snapshot or b"",
                saved=0 if kit.snapshot is None else kit.start,
                base=run.base,
                code=run.code,
                mark=kit.mark,
            )
        )

    async def resume(self, seat: Seat, run: Run, next_n: int) -> None:
        """Tell a worker that came back what it missed of a run that it holds."""
        missed = await self._runs.journal(run.id, next_n) if run.entries > next_n else ()
        newest = await self._newest(run)
        seat.pending.discard(run.id)
        if not seat.is_open:
            return
        hold = Hold(run.epoch, next_n, is_stopping=False)
        self._seats.note(seat, run.id, hold)
        seat.answered[run.id] = {entry.key: entry.n for entry in missed}
        _push_entries(seat, run, hold, missed)
        _push_newest(seat, run, hold, newest)
        _push_stop(seat, run, hold)
        account(seat, run)

    async def tell(self, seat: Seat, sheet: Sheet, run: Run) -> None:
        """Push what a commit means for the worker that goes on holding the run."""
        hold = seat.known[run.id]
        if hold.next_n == sheet.before.entries:
            own = [replace(e, body=b"") if e.key in sheet.own else e for e in sheet.entries]
            _push_entries(seat, run, hold, own)
        else:  # another process has written, or a reply of the store was lost
            missed = await self._missed(sheet, hold.next_n)
            seat.answered.setdefault(run.id, {}).update({e.key: e.n for e in missed})
            _push_entries(seat, run, hold, missed)
        _push_newest(seat, run, hold, await self._found(sheet, run))
        for key in sheet.emitted:
            seat.push(channel.Emit(run.id, run.epoch, key))
        for key in sheet.noted:
            seat.push(channel.Note(run.id, run.epoch, key))
        _push_stop(seat, run, hold)
        account(seat, run)

    async def has_answer(self, seat: Seat, sheet: Sheet, key: Key, seen: int = -1) -> bool:
        """Tell whether a worker asks for something that was answered before it could hear of it.

        It was away, or the reply of the store was lost: it was told that the outcome is unknown.
        Or the answer is on its way to it, while it posts again what it has not heard of: then it
        lies behind what it had `seen`.
        """
        run_id = sheet.run.id
        if key in sheet.answered or key in seat.answered.get(run_id, ()):
            return True
        hold = seat.known.get(run_id)
        unseen = [n for n in (seen, hold.next_n if hold else -1) if n >= 0]
        start = min(unseen, default=sheet.before.entries)
        if start >= sheet.before.entries:
            return False
        return any(entry.key == key for entry in await self._runs.journal(run_id, start))

    def end(self, run_id: RunId, *, own: bool) -> None:
        """Tell the worker that was told of the run last that it holds it no more."""
        seat = self._seats.told(run_id)
        if seat is not None:
            ended = channel.Ended if own else channel.Fenced
            seat.push(ended(run_id, seat.known[run_id].epoch))
            self._seats.forget(run_id)

    async def _missed(self, sheet: Sheet, start: int) -> Sequence[Entry]:
        """Return the entries from number `start` on, unread where they were seen already."""
        seen = None if sheet.sight is None or sheet.undone is not None else sheet.sight.since(start)
        if seen is None:
            return await self._runs.journal(sheet.run.id, start)
        return [*seen, *(entry for entry in sheet.entries if entry.n >= start)]

    async def _found(self, sheet: Sheet, run: Run) -> Newest:
        """As `_newest`, of what was looked at: whoever looked may have seen all the ends."""
        if sheet.looked:
            is_known = sheet.has_survey or sheet.sight is not None
            return await self._newest(run, sheet.tails if is_known else None)
        return {**await self._newest(run, sheet.grown), **_unread(sheet.drafts, run)}

    async def _newest(self, run: Run, ends: Mapping[StreamId, Backlog] | None = None) -> Newest:
        """Find the newest record of each input stream that the run has not taken."""
        found: dict[StreamId, tuple[int, bytes]] = {}
        ends = await self._streams.ends(run.id) if ends is None else ends
        for stream, end in ends.items():
            if is_inward(stream) and end.tail > run.cursors.get(stream, 0):
                records = await self._streams.read(run.id, stream, end.tail - 1, 1)
                found[stream] = (records[0].seq, records[0].body)
        return found


def shown(seat: Seat, run_id: RunId, seen: int) -> None:
    """Forget the first `seen` answers: the worker knows them, and asks for none of them again."""
    answered = seat.answered.get(run_id, {})
    while answered:
        key = next(iter(answered))
        if answered[key] >= seen:
            return
        del answered[key]


def account(seat: Seat, run: Run) -> None:
    """Count the run against the worker's slots while it executes."""
    if isinstance(run.state, Running):
        seat.running.add(run.id)
    else:
        seat.running.discard(run.id)


def _unread(drafts: Iterable[Draft], run: Run) -> Newest:
    return {
        draft.stream: (draft.seq, draft.body)
        for draft in drafts
        if is_inward(draft.stream) and draft.seq >= run.cursors.get(draft.stream, 0)
    }


def _push_entries(seat: Seat, run: Run, hold: Hold, entries: Sequence[Entry]) -> None:
    if entries:
        hold.next_n = entries[-1].n + 1
        seat.push(channel.Told(run.id, run.epoch, tuple(entries)))


def _push_newest(seat: Seat, run: Run, hold: Hold, newest: Newest) -> None:
    for stream, (seq, body) in newest.items():
        if seq > hold.shown.get(stream, -1):
            hold.shown[stream] = seq
            seat.push(channel.Unread(run.id, run.epoch, stream[1:], seq, body))


def _push_stop(seat: Seat, run: Run, hold: Hold) -> None:
    if run.stop is not None and not hold.is_stopping:
        hold.is_stopping = True
        seat.push(channel.Stopping(run.id, run.epoch))
