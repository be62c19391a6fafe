"""One claimed run's life in this worker: from its assignment to its end, or until it is dropped.

Owns: the task's start and end, what is pushed to it, when it is idle. The public `Execution` asks
through it. Must never know: sockets, other runs, how values are encoded.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
import structlog

from headrace.errors import Mistake, TooLarge
from headrace.kernel.journal import UNORDERED, Asked, Diverged, Journal, Known
from headrace.kernel.model import EPOCH, Cause, Ending, Entry, StreamId, inward
from headrace.sdk.execution_end import Tail
from headrace.sdk.execution_faults import cause_of, error_of
from headrace.sdk.execution_ledger import Ledger, Outbox
from headrace.sdk.execution_rest import Stance, is_moving
from headrace.sdk.replay import Abandoned, Question, Replay
from headrace.sdk.scope import Branch, Crew, Scope, spawn
from headrace.wire import channel
from headrace.wire.channel import Assigned, Push, TaskSpec
from headrace.wire.jsontext import MAX_DATA

GRACE_S: Final = 5.0
"""How long a handler, or what else still runs, may go on when the task has returned."""
ENTRIES_WARN: Final = 20_000
ENTRIES_AT_MOST: Final = 250_000
BYTES_AT_MOST: Final = 256 * 1_048_576
_IDLE: Final = frozenset({Stance.PARKS, Stance.LISTENS, Stance.BRANCHES})
_REMEDY: Final = (
    "Put back the code that the run was started with, or cancel the run and start it again."
)
_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.run")
_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Runnable(Protocol):
    """A registered task."""

    @property
    def id(self) -> str:
        """Return the task's id."""
        ...

    @property
    def spec(self) -> TaskSpec:
        """Return what the task declares."""
        ...

    async def execute(self, payload: bytes) -> bytes:
        """Decode the payload, run the task, encode the result: JSON text in and out."""
        ...


class Ear(Protocol):
    """A live `on`."""

    line: str

    def off(self) -> None:
        """Hear no more."""
        ...

    async def ended(self) -> None:
        """Return once the message at hand has been handled, within the grace."""
        ...


@dataclass(frozen=True, slots=True)
class Manner:
    """How runs are executed.

    `strict` blocks a run whose recorded arguments differ. `evicts` gives a run back at every
    wait, so that each answer is followed by a replay: what does not survive one shows at once.
    """

    strict: bool = False
    evicts: bool = False
    grace_s: float = GRACE_S


class Life:
    """The inside of an execution. The worker begins it, feeds it pushes, and lets it go."""

    def __init__(
        self, assigned: Assigned, runnable: Runnable, outbox: Outbox, manner: Manner
    ) -> None:
        self.run_id, self.epoch, self.attempt = assigned.run, assigned.epoch, assigned.attempt
        self.task_id, self.tags = assigned.task, assigned.tags
        self.payload = assigned.payload
        self.metadata = {k: bytes(v) for k, v in _object(assigned.metadata or b"{}").items()}
        self.newest = {inward(name): (seq, body) for name, (seq, body) in assigned.newest.items()}
        self.crew = Crew(self._branch_ended)
        self.scope = Scope(self.crew)
        self.ledger = Ledger(outbox)
        self.replay = Replay(Journal(assigned.entries), self.crew, self)
        self.ears: dict[StreamId, Ear] = {}
        self.leaving: set[Ear] = set()
        """Those that were switched off, and may be handling a message yet."""
        self.emissions: dict[str, asyncio.Future[None]] = {}
        self.no_more_waits = False
        """Whether the task has been told to stop: its waits are over."""
        self._runnable, self._manner = runnable, manner
        self._tail = Tail(assigned.entries)
        self._bytes = sum(len(entry.body) for entry in assigned.entries)
        self._notes: dict[str, bytes] = {}
        self._parked: int | None = None
        self._main: Branch | None = None
        self._failure: Exception | None = None
        self._is_stopping = assigned.stopping
        self._has_begun = self._is_returning = False
        self._is_gone = self._is_given_back = False

    # --- for the worker ----------------------------------------------------------------------

    def begin(self, context: contextvars.Context) -> None:
        """Start the task."""
        self._main = context.run(spawn, self._whole(), self.scope)
        self.replay.stir()
        if self._is_stopping:
            self.replay.when_told(self._cancel_main)

    @property
    def next_n(self) -> int:
        """Return the number of the journal entry that is expected next."""
        return self.replay.journal.next_n

    @property
    def is_given_back(self) -> bool:
        """Tell whether this worker has given the run back."""
        return self._is_given_back

    @property
    def is_parked(self) -> bool:
        """Tell whether the run waits, as far as this worker knows."""
        return self._parked is not None and self._parked == self.next_n

    @property
    def is_at_rest(self) -> bool:
        """Tell whether only an answer from outside will move the code, and none is on its way."""
        if self.replay.journal.is_replaying or not self.ledger.is_quiet or is_moving(self.crew):
            return False
        found = self.replay.stances()
        return bool(found) and Stance.WORLD not in found

    def receive(self, push: Push) -> None:
        """Take what the server says about this run."""
        match push:
            case channel.Told(entries=entries):
                self._told(entries)
            case channel.Emit(key=key):
                self.ledger.emitted(key)
                _settle(self.emissions.pop(key, None))
            case channel.Unread(stream=stream, seq=seq, body=body):
                self.newest[inward(stream)] = (seq, body)
            case channel.Stopping() if not self._is_stopping:
                self._is_stopping = True
                self.replay.when_told(self._cancel_main)
            case channel.Refusal():
                self._refused(push)
            case _:
                pass

    def release(self) -> None:
        """Give the run back. Its code is not told; it asks nothing more."""
        if not self._is_gone:
            self._is_gone = self._is_given_back = True
            self.replay.close()
            self.ledger.post(channel.Released(self.run_id, self.epoch))

    def drop(self) -> None:
        """Abandon the code: it ends here, and nothing that it still does counts."""
        self._is_gone = True
        self._dismiss()

    # --- pushes ------------------------------------------------------------------------------

    def _told(self, entries: tuple[Entry, ...]) -> None:
        for entry in entries:
            self.ledger.answered(entry.key)
            if entry.n < self.next_n:
                continue
            self._tail.add(entry)
            self.replay.add(entry)
            self._bytes += len(entry.body)
            if entry.stream is not None and entry.kind == "take":
                self._taken(entry.stream, entry.seq)
            if entry.kind in UNORDERED:
                self.replay.forget(entry)
        self._parked = None
        self.ledger.woken()
        self.replay.advance()
        self.ledger.compose(self.last_words)

    def _taken(self, stream: StreamId, seq: int) -> None:
        newest = self.newest.get(stream)
        if newest is not None and newest[0] <= seq:
            del self.newest[stream]

    def _refused(self, refusal: channel.Refusal) -> None:
        key, code = refusal.key, refusal.code
        self.ledger.answered(key)
        self.ledger.emitted(key)
        question = self.replay.open_question(key)
        if code == "stopping" and question is not None and question.asked is not None:
            question.is_unwanted = True
            self.remember(own_answer(question.asked, "cancelled"))
            return
        error = error_of(code, refusal.message)
        emission = self.emissions.pop(key, None)
        if emission is not None and not emission.done():
            emission.set_exception(error)
        elif not key:
            _log.warning("the server refused", run=self.run_id, code=code, why=refusal.message)
        else:
            self.replay.refuse(key, error)

    # --- asking ------------------------------------------------------------------------------

    def ask(
        self, asked: Asked, stance: Stance, launch: Callable[[], None] | None = None
    ) -> Question:
        """Put a question, unless the code no longer fits its journal: then nobody goes on."""
        if self.next_n >= ENTRIES_AT_MOST or self._bytes >= BYTES_AT_MOST:
            message = f"the journal of this run is full: {self.next_n} entries, {self._bytes} bytes"
            raise TooLarge(message, hint="Do less in one run: start another for what is left.")
        try:
            question = self.replay.ask(asked, stance, launch)
        except Diverged as diverged:
            self.block(diverged.message)
            raise Abandoned from diverged
        if question.entry is not None:
            self._compare(question.entry, asked)
        elif self.next_n == ENTRIES_WARN:
            _log.warning("the journal grows long", run=self.run_id, entries=self.next_n)
        return question

    def known(self, asked: Asked) -> Entry | None:
        """Return what an earlier life has recorded of something that is asked without waiting."""
        try:
            known = self.replay.journal.ask(asked)
        except Diverged as diverged:
            self.block(diverged.message)
            raise Abandoned from diverged
        if isinstance(known, Known):
            self.replay.forget(known.entry)
            return known.entry
        return None

    def may_wait(self, asked: Asked) -> bool:
        """Tell whether a wait is accepted: none after the task was told to stop.

        One that an earlier life of the run has had an answer to keeps it.
        """
        return not self.no_more_waits or isinstance(self.replay.journal.ask(asked), Known)

    def _compare(self, entry: Entry, asked: Asked) -> None:
        if entry.fingerprint == asked.fingerprint:
            return
        message = (
            f"{asked.kind} {asked.key} was recorded with other arguments\n"
            f"--- recorded\n+++ this code\n-{entry.fingerprint}  at {entry.line}\n"
            f"+{asked.fingerprint}  at {asked.line}"
        )
        if self._manner.strict:
            self.block(message)
            raise Abandoned
        _log.warning("a step was recorded with other arguments", run=self.run_id, key=asked.key)

    def remember(self, entry: Entry) -> None:
        """Post an answer that the code itself has found."""
        if not self.replay.is_over:
            self._bytes += len(entry.body)
            self.ledger.post(channel.Remembered(self.run_id, self.epoch, entry))

    def note(self, name: str, value: bytes) -> None:
        """Set metadata; what an earlier life has set is not set again."""
        self.metadata[name] = value
        if not self.replay.is_past:
            self._notes[name] = value
            self.ledger.compose(self.last_words)

    def last_words(self) -> None:
        """Add what belongs into the frame that is being made: metadata, and that the run waits."""
        self._post_notes()
        self.park_if_idle()

    def _post_notes(self) -> None:
        for name, value in self._notes.items():
            self.ledger.post(channel.Noted(self.run_id, self.epoch, name, value))
        self._notes.clear()

    def park_if_idle(self) -> None:
        """Say that every live branch stands in a wait, if that is new."""
        replay = self.replay
        if replay.is_over or self._is_stopping or replay.journal.is_replaying or self.is_parked:
            return
        if not replay.any_parks:
            return
        found = replay.stances()
        if Stance.PARKS in found and _IDLE.issuperset(found):
            self._parked = self.next_n
            self.ledger.post(channel.Parked(self.run_id, self.epoch, self.next_n))
            if self._manner.evicts:
                self.release()

    # --- what the replay tells (`replay.Watch`) ------------------------------------------------

    def rested(self) -> None:
        """See whether the run is idle now."""
        if self.replay.any_parks and not self.is_parked:
            self.ledger.compose(self.last_words)

    def stuck(self, diverged: Diverged) -> None:
        """Stop what waits for its cancellation; block what will never go on."""
        if not self._stops_now():
            self.block(diverged.message)

    def in_doubt(self) -> None:
        """Stop what waits for its cancellation."""
        self._stops_now()

    def left(self, question: Question) -> None:
        """Give up a wait that stands; other questions are answered all the same."""
        asked = question.asked
        if asked is not None and asked.kind in {"take", "timer"}:
            self.ledger.post(channel.Left(self.run_id, self.epoch, asked.key))

    def given_up(self, question: Question) -> None:
        """Record that a question was never put to the server, or leave a wait that may stand.

        It may, since an earlier life may have asked: where a message comes first, it counts.
        """
        asked, launch = question.asked, question.launch
        if asked is None:
            return
        if asked.kind in {"take", "timer"} and launch is not None:
            launch()
            self.left(question)
        else:
            self.remember(own_answer(asked, "cancelled"))

    def _stops_now(self) -> bool:
        if self._is_stopping and not self.no_more_waits:
            self._cancel_main()
            return True
        return False

    # --- the end -----------------------------------------------------------------------------

    def fail(self, error: Exception) -> None:
        """End the attempt from a branch beside the task: a handler has raised."""
        if self._failure is None and not self._is_gone:
            self._failure = error
            self._dismiss()

    def block(self, message: str) -> None:
        """Stop the run where its code no longer fits its journal."""
        if not self._is_gone:
            self._is_gone = True
            cause = Cause(f"{message}\n{_REMEDY}", "Diverged")
            self.ledger.post(channel.Blocked(self.run_id, self.epoch, cause))
            self._dismiss()

    def _dismiss(self) -> None:
        self.replay.close()
        self.crew.is_dismissed = True
        for emission in self.emissions.values():
            emission.cancel()
        for branch in self.crew.others(self._main):
            branch.cancel()
        if self._main is not None and not self._main.done():
            self._main.cancel()  # also one that waits for its thread

    def _cancel_main(self) -> None:
        main = self._main
        if main is None or self.no_more_waits or self._is_returning or self.replay.is_over:
            return
        if not self._has_begun or asyncio.current_task() is main:
            # A task that is cancelled before its first step runs no code, not even ours; and one
            # that cancels itself while it runs would be cancelled a second time in its clean-up.
            main.get_loop().call_soon(self._cancel_main)
            return
        self.no_more_waits = True
        main.cancel()

    def _branch_ended(self) -> None:
        if not self.replay.is_over:
            self.replay.stir()

    async def _whole(self) -> None:
        """Run the task, and say how it ended."""
        self._has_begun = True
        try:
            output = await self._runnable.execute(self.payload)
            self._is_returning = True
            await self._wind_up()
            end: channel.Operation = channel.Completed(self.run_id, self.epoch, _sized(output))
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001 - however it ended, it is the task's end
            self._is_returning = True
            if self._is_gone:
                return
            end = await self._why(error)
        self.replay.close()
        if not self._is_gone:
            self._is_gone = True
            self._post_notes()  # behind the end they would come too late
            self.ledger.post(end)

    async def _wind_up(self) -> None:
        """Let what the task has started come to an end, at the place where it returned.

        What is still owed then is answers to what ends now.
        """
        for ear in tuple(self.ears.values()):
            ear.off()
        for ear in tuple(self.leaving):
            await ear.ended()
        self.no_more_waits = True
        branches = self.crew.others(self._main)
        forgotten = sum(not branch.cancelling() for branch in branches)
        if forgotten:
            _log.warning(
                "the task has returned while others of its branches ran; they are cancelled",
                run=self.run_id,
                branches=forgotten,
            )
        await self._cancelled(branches)
        await self.replay.caught_up()

    async def _cancelled(self, branches: tuple[Branch, ...]) -> None:
        for branch in branches:
            if not branch.cancelling():
                branch.cancel()
        if branches:
            await asyncio.wait(branches, timeout=self._manner.grace_s)

    async def _why(self, error: BaseException) -> channel.Operation:
        """Say why the task ended without a result; its other branches end with it."""
        self.replay.close()
        self.crew.is_dismissed = True
        await self._cancelled(self.crew.others(self._main))
        if self._failure is None and isinstance(error, asyncio.CancelledError):
            return channel.Yielded(self.run_id, self.epoch)
        await self.ledger.quiet()
        reason = self._failure or error
        cause = await asyncio.to_thread(cause_of, reason)
        again = not isinstance(reason, Mistake)
        retry = self._runnable.spec.retry
        return self._tail.raised((self.run_id, self.epoch), cause, retry, again=again)


def own_answer(
    asked: Asked,
    ending: Ending,
    body: bytes = b"",
    *,
    stream: StreamId | None = None,
    seq: int = -1,
) -> Entry:
    """Return the entry for a question that the code answers itself; the engine numbers it."""
    return Entry(
        n=0,
        key=asked.key,
        kind=asked.kind,
        ending=ending,
        body=body,
        at=EPOCH,
        fingerprint=asked.fingerprint,
        line=asked.line,
        stream=stream,
        seq=seq,
    )


def _settle(emission: asyncio.Future[None] | None) -> None:
    if emission is not None and not emission.done():
        emission.set_result(None)


def _sized(output: bytes) -> bytes:
    if len(output) > MAX_DATA:
        message = f"a result holds at most {MAX_DATA} bytes, this has {len(output)}"
        raise TooLarge(message)
    return output
