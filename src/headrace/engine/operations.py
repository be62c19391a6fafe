"""What each operation of a worker does: one function per operation, from message to job.

Owns: the translation into commands. Must never know: how the answer travels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import msgspec
from msgspec import UNSET

from headrace.engine.core import Core
from headrace.engine.finishing import Finished
from headrace.engine.noting import noted
from headrace.engine.seats import Seat
from headrace.engine.sends import key_of
from headrace.engine.sheet import Sheet, drafted
from headrace.engine.streamtokens import reads_stream
from headrace.engine.telling import Teller, shown
from headrace.engine.tokens import known_token
from headrace.errors import BadRequest, HeadraceError, Mistake, TooLarge
from headrace.kernel import commands as c, machine
from headrace.kernel.model import (
    EPOCH,
    Entry,
    EnvId,
    Instant,
    Key,
    StreamId,
    Wait,
    WaitpointId,
    at_waitpoint,
    inward,
    later,
    outward,
)
from headrace.ports import Notes
from headrace.wire import channel, edits, jsontext
from headrace.wire.changes import Edit


class Step(Protocol):
    """An operation on its way to the run's desk."""

    async def __call__(self, sheet: Sheet) -> object:
        """Decide on the sheet."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """A branch waits."""

    core: Core
    op: channel.Standing

    async def __call__(self, sheet: Sheet) -> object:
        """Let the wait stand, or answer it at once."""
        op = self.op
        deadline = self._deadline(sheet.now)
        stream = inward(op.stream) if op.stream else None
        if op.token:
            stream = at_waitpoint(WaitpointId(op.token))
            try:
                deadline = await self._within(sheet.run.env, deadline)
            except Mistake as error:
                # Remembered: else the run's code could go another way when it is replayed.
                entry = _unanswerable(op, stream, error)
                return sheet.apply(c.Remember(op.epoch, (entry,)))
        # Who completes a token finds only those that wait for it durably.
        held = op.held or deadline is not None or bool(op.token)
        wait = Wait(Key(op.key), stream, deadline, held, op.fingerprint, op.line)
        head = None
        if stream is not None and (op.token or not sheet.stands(stream)):
            head = await sheet.head(stream)
        heads = {} if stream is None or head is None else {stream: head}
        change = sheet.apply(c.Stand(op.epoch, wait, heads))
        if stream is not None and change.after is change.before:
            await sheet.catch_up(stream)  # asked again: nobody may have looked since it stands
        return change

    async def _within(self, env: EnvId, deadline: Instant | None) -> Instant | None:
        """Return the deadline, or that of the token if it comes first."""
        token = await known_token(self.core, env, self.op.token)
        if token.awaits is not None:
            raise reads_stream(token)
        known = [moment for moment in (deadline, token.deadline) if moment is not None]
        return min(known, default=None)

    def _deadline(self, now: Instant) -> Instant | None:
        if self.op.until:
            return Instant(self.op.until)
        return None if self.op.timeout_ms < 0 else later(now, self.op.timeout_ms)


def _unanswerable(op: channel.Standing, stream: StreamId, error: HeadraceError) -> Entry:
    return Entry(
        n=0,
        key=Key(op.key),
        kind="take",
        ending="failure",
        body=fault_of(error),
        at=EPOCH,
        fingerprint=op.fingerprint,
        line=op.line,
        stream=stream,
    )


def fault_of(error: HeadraceError) -> bytes:
    """Return the JSON text by which a journal keeps what was refused."""
    fault = {"message": str(error), "name": type(error).__name__, "code": error.code}
    return msgspec.json.encode(fault)


@dataclass(frozen=True, slots=True)
class Remembered:
    """The worker found an answer itself."""

    epoch: int
    entry: Entry
    own: bool = True

    async def __call__(self, sheet: Sheet) -> object:
        """Add it to the journal; the worker need not be told what it says."""
        if self.entry.key in sheet.answered:
            return None  # sent again, since its reply was lost
        change = sheet.apply(c.Remember(self.epoch, (self.entry,)))
        if self.own:
            sheet.own.add(self.entry.key)
        return change


@dataclass(frozen=True, slots=True)
class Plain:
    """An operation that is a command as it stands; `ends` if the worker's hold ends with it."""

    command: c.WorkerCommand
    ends: bool = False

    async def __call__(self, sheet: Sheet) -> object:
        """Apply the command."""
        change = sheet.apply(self.command)
        sheet.own_end = sheet.own_end or self.ends
        return change


@dataclass(frozen=True, slots=True)
class Saved:
    """The state of the run's code."""

    op: channel.Saved

    async def __call__(self, sheet: Sheet) -> object:
        """Keep it, if it is news to nobody; the worker's own hold may end with it."""
        _still_held(sheet, self.op.epoch)
        op = self.op
        if not op.body:
            raise BadRequest("an empty snapshot is none")
        if len(op.body) > channel.SNAPSHOT_AT_MOST:
            most = channel.SNAPSHOT_AT_MOST
            raise TooLarge(f"a snapshot holds at most {most} bytes, this has {len(op.body)}")
        if op.footing is not None and len(op.footing.functions) > channel.FOOTING_AT_MOST:
            raise BadRequest(f"a footing names at most {channel.FOOTING_AT_MOST} functions")
        change = sheet.apply(
            c.Save(op.epoch, op.seen, op.body, op.drops, op.leaves, footing=op.footing)
        )
        left = machine.holder(change.after) != machine.holder(change.before)
        sheet.own_end = sheet.own_end or left
        return change


@dataclass(frozen=True, slots=True)
class Unfit:
    """The worker can make nothing of the snapshot."""

    epoch: int

    async def __call__(self, sheet: Sheet) -> object:
        """Have the run handed over again, without it; the run stays as it is."""
        _still_held(sheet, self.epoch)
        sheet.unfit = self.epoch
        return None


@dataclass(frozen=True, slots=True)
class Emitted:
    """An output record."""

    core: Core
    op: channel.Emitted

    async def __call__(self, sheet: Sheet) -> object:
        """Append it once, in a commit that checks the worker's hold."""
        op = self.op
        _still_held(sheet, op.epoch)
        if len(op.body) > jsontext.MAX_DATA:
            message = f"a record holds at most {jsontext.MAX_DATA} bytes, this has {len(op.body)}"
            raise TooLarge(message)
        stream, key = outward(op.stream), key_of("output", op.key)
        known = self.core.stores.streams.known
        if not drafted(sheet, stream, key) and not await known(sheet.run.id, stream, key):
            await sheet.append(stream, op.body, key, jsontext.digest(op.body))
        sheet.emitted.append(op.key)
        return None


@dataclass(frozen=True, slots=True)
class Noted:
    """A change of metadata."""

    core: Core
    op: channel.Noted

    async def __call__(self, sheet: Sheet) -> object:
        """Make it; the rest stays. What the run does next does not land before it."""
        _still_held(sheet, self.op.epoch)
        try:
            await self._store(sheet)
        except Mistake:
            raise
        except Exception as error:
            sheet.trouble = error
            raise
        sheet.noted.append(self.op.key)
        return None

    async def _store(self, sheet: Sheet) -> None:
        # Metadata is no part of the change that is guarded: ask for the version first.
        await self.core.stores.runs.commit(c.Change(sheet.before, sheet.before))
        await noted(self.core, sheet.run.id, self._changed)

    def _changed(self, notes: Notes) -> Notes:
        op = self.op
        if op.mark and op.mark <= notes.mark:
            return notes  # said before, by this life of the run or the one before it
        edit = Edit(type=op.kind, key=op.name, value=msgspec.Raw(op.value) if op.value else UNSET)
        metadata = edits.edited(notes.metadata, (edit,), names_only=True)
        return replace(notes, metadata=metadata, mark=op.mark or notes.mark)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The question whether the run may still start or send anything."""

    epoch: int

    async def __call__(self, sheet: Sheet) -> object:
        """Refuse what a stopping run wants to start (law: cancelling).

        Nothing is written, and what follows happens elsewhere: so the store is asked whether the
        run still is as it is remembered.
        """
        _still_held(sheet, self.epoch)
        sheet.checks = True
        if sheet.run.stop is not None:
            raise c.Stopping(sheet.run, c.Remember(self.epoch, ()))
        return True


@dataclass(frozen=True, slots=True)
class Posted:
    """An operation as it came from a worker: it counts if the run is the worker's.

    Nothing is done for one that was posted again and has its answer. That is looked at when its
    turn comes: only then has the worker's return been dealt with.
    """

    teller: Teller
    seat: Seat
    epoch: int
    key: str
    step: Step
    seen: int = -1

    async def __call__(self, sheet: Sheet) -> object:
        """Carry it out."""
        run, seat = sheet.run, self.seat
        if run.env != seat.env or machine.holder(run) not in {None, seat.worker}:
            raise c.Fenced(run, c.Remember(self.epoch, ()))
        shown(seat, run.id, self.seen)
        if self.key and await self.teller.has_answer(seat, sheet, Key(self.key), self.seen):
            return None
        return await self.step(sheet)


def _still_held(sheet: Sheet, epoch: int) -> None:
    if not machine.holds(sheet.run, epoch):
        raise c.Fenced(sheet.run, c.Remember(epoch, ()))


def step_of(core: Core, op: channel.Operation) -> Step | None:
    """Return the job that carries `op` out; `None` where it needs more than the run's own desk."""
    match op:
        case channel.Standing():
            return Standing(core, op)
        case channel.Remembered(epoch=epoch, entry=entry):
            return Remembered(epoch, entry)
        case channel.Emitted():
            return Emitted(core, op)
        case channel.Noted():
            return Noted(core, op)
        case channel.Saved():
            return Saved(op)
        case channel.Unfit(epoch=epoch):
            return Unfit(epoch)
        case channel.Started() | channel.Sent() | channel.Renewed():
            return None
        case _:
            return _plain(core, op)


def _plain(core: Core, op: channel.Operation) -> Step | None:
    match op:
        case channel.Parked(epoch=epoch, seen=seen):
            return Plain(c.Park(epoch, seen))
        case channel.Left(epoch=epoch, key=key):
            return Plain(c.Leave(epoch, Key(key)))
        case channel.Completed():
            return Finished(core, op)
        case channel.Raised():
            return Plain(_fail(core, op), ends=True)
        case channel.Yielded(epoch=epoch):
            return Plain(c.Yield(epoch), ends=True)
        case channel.Blocked(epoch=epoch, cause=cause, gap=gap):
            return Plain(c.Block(epoch, cause, gap), ends=True)
        case channel.Released(epoch=epoch):
            return Plain(c.Release(epoch), ends=True)
        case _:
            return None


def _fail(core: Core, op: channel.Raised) -> c.Fail:
    return c.Fail(
        epoch=op.epoch,
        cause=op.cause,
        retry=op.retry,
        jitter=core.chance.jitter(),
        again=op.again,
        undone=op.undone,
        seen=op.seen,
        revived={Key(key): Instant(moment) for key, moment in op.revived.items()},
    )
