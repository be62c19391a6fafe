"""One claimed run's life in this worker: from its assignment to its end, or until it is dropped.

Owns: what is pushed to the run, and who of the parts beside it hears of it.
Must never know: sockets, other runs, how values are encoded.
"""

from __future__ import annotations

import asyncio
import contextvars
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import structlog

from headrace.kernel.journal import UNORDERED, Diverged, Journal
from headrace.kernel.model import Cause, Entry, Gap, StreamId, inward
from headrace.sdk.execution_asking import Asking, own_answer
from headrace.sdk.execution_course import GRACE_S, Course, Ear, Runnable
from headrace.sdk.execution_end import Tail
from headrace.sdk.execution_faults import error_of
from headrace.sdk.execution_gate import Gate
from headrace.sdk.execution_leaving import Leaving, Shelf, Stay
from headrace.sdk.execution_ledger import Ledger, Outbox
from headrace.sdk.execution_notes import Notepad
from headrace.sdk.execution_opening import Opening
from headrace.sdk.execution_parking import Parking
from headrace.sdk.execution_question import Question
from headrace.sdk.execution_rest import MOVES, is_moving
from headrace.sdk.execution_suspension import suspension_of
from headrace.sdk.replay import Replay, is_catching_up
from headrace.sdk.scope import Crew, Scope
from headrace.sdk.sealing import Sealer
from headrace.wire import channel
from headrace.wire.channel import Assigned, Operation, Push

_REMEDY: Final = (
    "Put back the code that the run was started with, restart the run, or accept the difference:\n"
    "`headrace runs show` has the commands."
)
_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.run")


KEEP_WARM_S: Final = 30.0
Snapshots: TypeAlias = Literal["warm", "always"]


@dataclass(frozen=True, slots=True)
class Manner:
    """How runs are executed.

    `strict` blocks a run whose recorded arguments differ. `evicts` gives a run back at every
    wait, so that each answer is followed by a replay: what does not survive one shows at once.
    With a `sealer` runs are saved that wait for `keep_warm_s`, or at each wait by `snapshots`.
    `drops` lets a snapshot stand for a long journal: every worker must then be able to open it.
    `version` is that of the code. `warned` holds what somebody has been told, once for all runs.
    """

    strict: bool = False
    evicts: bool = False
    grace_s: float = GRACE_S
    sealer: Sealer | None = None
    keep_warm_s: float = KEEP_WARM_S
    snapshots: Snapshots = "warm"
    drops: bool = True
    version: str = ""
    warned: set[str] = field(default_factory=set[str], compare=False)


class Life:
    """The inside of an execution. The worker begins it, feeds it pushes, and lets it go."""

    def __init__(
        self,
        assigned: Assigned,
        runnable: Runnable,
        outbox: Outbox,
        manner: Manner,
        shelf: Shelf | None = None,
    ) -> None:
        self.run_id, self.epoch, self.attempt = assigned.run, assigned.epoch, assigned.attempt
        self.task_id, self.tags = assigned.task, assigned.tags
        self.payload = assigned.payload
        self.newest = {inward(name): (seq, body) for name, (seq, body) in assigned.newest.items()}
        self.ears: dict[StreamId, Ear] = {}
        self.leaving: set[Ear] = set()
        """Those that were switched off, and may be handling a message yet."""
        self.emissions: dict[str, asyncio.Future[None]] = {}
        self.is_gone = False
        """Whether the worker's hold has ended, as far as it is concerned."""
        self.is_given_back = False
        self.crew = Crew(self._branch_ended)
        self.gate = Gate()
        self.ledger = Ledger(outbox)
        start = assigned.saved if assigned.snapshot else assigned.base
        self.tail = Tail(assigned.entries, start)
        self.replay = Replay(Journal(assigned.entries, start), self.crew, self.gate, self)
        self.asking = Asking(self.run_id, self.replay, self.block, strict=manner.strict)
        self.asking.begin(assigned.entries, start)
        place = (self.run_id, self.epoch)
        self.parking = Parking(
            place, self.gate, self.replay, self.ledger, self._parked, warned=manner.warned
        )
        self.parking.is_forbidden = assigned.stopping
        self.notepad = Notepad(assigned, self.replay, self.parking)
        self.course = Course(self, runnable, stopping=assigned.stopping, grace_s=manner.grace_s)
        self._evicts = manner.evicts
        self.suspension = suspension_of(self, runnable, manner.sealer)
        self.opening = Opening(self, assigned, manner)
        self.way_out = Leaving(self, assigned, manner, Stay() if shelf is None else shelf)

    # --- for the worker ----------------------------------------------------------------------

    def begin(self, context: contextvars.Context) -> None:
        """Start the task, or take it up where it was saved."""
        scope = Scope(self.crew)
        if self.opening.is_open(scope):
            if self.suspension is not None:
                self.suspension.prepare(scope, context)
            self.course.begin(context, scope)

    @property
    def is_at_rest(self) -> bool:
        """Tell whether only an answer from outside will move the code, and none is on its way."""
        if is_catching_up(self.replay) or not self.ledger.is_quiet or is_moving(self.crew):
            return False
        found = self.replay.stances()
        return bool(found) and MOVES.isdisjoint(found)

    def receive(self, push: Push) -> None:
        """Take what the server says about this run."""
        match push:
            case channel.Told(entries=entries):
                self._told(entries)
            case channel.Emit(key=key):
                self.ledger.emitted(key)
                _settle(self.emissions.pop(key, None))
                self.way_out.acknowledged()
            case channel.Note(key=key):
                self.ledger.noted(key)
                self.way_out.acknowledged()
            case channel.Unread(stream=stream, seq=seq, body=body):
                self.newest[inward(stream)] = (seq, body)
            case channel.Stopping():
                self.way_out.woken()
                self.parking.is_forbidden = True
                self.course.stop()
            case channel.Refusal():
                self._refused(push)
            case _:
                pass

    def release(self) -> None:
        """Give the run back. Its code is not told; it asks nothing more."""
        if not self.is_gone:
            self.is_given_back = True
            self.end(channel.Released(self.run_id, self.epoch))

    def drop(self) -> None:
        """Abandon the code: it ends here, and nothing that it still does counts."""
        self.is_gone = True
        self.course.dismiss()

    def end(self, last: Operation) -> None:
        """Post the last operation of this life, unless there was one."""
        self.gate.close()
        if not self.is_gone:
            self.is_gone = True
            self.parking.post_notes()  # behind the end they would come too late
            self.ledger.post(last)

    def block(self, message: str, gap: Gap | None = None) -> None:
        """Stop the run where its code no longer fits its journal."""
        if self.is_gone:
            return
        cause = Cause(f"{message}\n{_REMEDY}", "Diverged")
        self.end(channel.Blocked(self.run_id, self.epoch, cause, gap))
        self.course.dismiss()

    # --- pushes ------------------------------------------------------------------------------

    def _told(self, entries: tuple[Entry, ...]) -> None:
        for entry in entries:
            self.ledger.answered(entry.key)
            if entry.n >= self.replay.journal.next_n:
                self._add(entry)
        self.way_out.woken()
        self.parking.woken()
        self.replay.advance()

    def _add(self, entry: Entry) -> None:
        self.tail.add(entry)
        self.replay.add(entry)
        self.asking.bytes += len(entry.body)
        if entry.stream is not None and entry.kind == "take":
            newest = self.newest.get(entry.stream)
            if newest is not None and newest[0] <= entry.seq:
                del self.newest[entry.stream]
        if entry.kind in UNORDERED:
            self.replay.journal.tell(entry)

    def _refused(self, refusal: channel.Refusal) -> None:
        key, code = refusal.key, refusal.code
        self.way_out.refused(key)
        self.ledger.answered(key)
        self.ledger.emitted(key)
        self.ledger.noted(key)
        error = error_of(code, refusal.message)
        emission, question = self.emissions.pop(key, None), self.replay.open_question(key)
        if emission is not None and not emission.done():
            emission.set_exception(error)
        elif question is None or question.asked is None:
            _log.warning("the server refused", run=self.run_id, code=code, why=refusal.message)
        elif code == "stopping":
            question.is_unwanted = True
            self.remember(own_answer(question.asked, "cancelled"))
        else:
            self.replay.refuse(question, error)

    def remember(self, entry: Entry) -> None:
        """Post an answer that the code itself has found."""
        if not self.gate.is_closed:
            self.asking.bytes += len(entry.body)
            self.ledger.post(channel.Remembered(self.run_id, self.epoch, entry))

    # --- what the replay tells (`replay.Watch`) ------------------------------------------------

    def rested(self) -> None:
        """See whether the run is idle now."""
        self.parking.look_if_waiting()

    def stuck(self, diverged: Diverged | None) -> None:
        """Stop what waits for its cancellation; block what will never go on."""
        if not self.course.stops_now() and diverged is not None:
            self.block(diverged.message, diverged.gap)

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

    # --- others ------------------------------------------------------------------------------

    def _branch_ended(self) -> None:
        if not self.gate.is_closed:
            self.replay.pulse.stir()

    def _parked(self) -> None:
        if self._evicts:
            self.release()
        else:
            self.way_out.parked()


def _settle(emission: asyncio.Future[None] | None) -> None:
    if emission is not None and not emission.done():
        emission.set_result(None)
