"""The conversation of a run's code with its journal: questions, answers, and whose turn it is.

An answer is told when its turn has come and the code has come to rest after the one before, live
and on replay alike: so `asyncio.wait` sees the same task done first in every life of the run.
A question that the journal does not know waits until every recorded answer has been told, unless
somebody has accepted that it is asked out of turn: then all others wait until it has its answer.
Must never know: what is asked, who answers, the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from operator import itemgetter
from typing import Final, Protocol

import structlog

from headrace.kernel.journal import Asked, Diverged, Journal, Known
from headrace.kernel.model import Entry, Key
from headrace.sdk.execution_gate import Gate
from headrace.sdk.execution_pulse import Pulse
from headrace.sdk.execution_question import Question
from headrace.sdk.execution_rest import MOVES, Stance, is_outside, stances
from headrace.sdk.scope import Crew

BREATH: Final = 256
"""Recorded answers told in one go before the event loop gets a turn."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.run")


class Watch(Protocol):
    """Who is told what becomes of the code."""

    def rested(self) -> None:
        """The code rests, and nothing is owed to it."""
        ...

    def stuck(self, diverged: Diverged | None) -> None:
        """The code rests, and no branch asks for the answer that is owed next.

        None will; or (`None`) something unknown may still move one.
        """
        ...

    def left(self, question: Question) -> None:
        """The asker of a question that was put to the server has been cancelled."""
        ...

    def given_up(self, question: Question) -> None:
        """The same, of one that is to be put to the server now: its end must be recorded."""
        ...


class Replay:
    """One life of a run's code, and what the journal owes it."""

    __slots__ = (
        "_breath",
        "_crew",
        "_due",
        "_first_live",
        "_gate",
        "_held",
        "_loop",
        "_watch",
        "aside",
        "journal",
        "pulse",
        "questions",
        "returning",
        "told",
    )

    def __init__(self, journal: Journal, crew: Crew, gate: Gate, watch: Watch) -> None:
        self.journal, self._crew, self._gate, self._watch = journal, crew, gate, watch
        self.pulse = Pulse(crew, self._rested)
        self.questions: dict[Key, Question] = {}
        """Those that have not been told their answer."""
        self.returning: Question | None = None
        """The task itself, when it has returned before all was told."""
        self._loop = asyncio.get_running_loop()
        self._first_live = journal.next_n
        self.told = journal.start - 1
        """The highest number of an entry that the code has been told."""
        self.aside: dict[Key, Question] = {}
        """Those that are told out of turn: before any other, so that all lives have one order."""
        crew.passed = journal.passed
        self._due: dict[int, Question] = {}
        self._held: list[Callable[[], None]] = []
        self._breath = 0

    # --- asking ------------------------------------------------------------------------------

    @property
    def is_past(self) -> bool:
        """Tell whether the code repeats what an earlier life of the run has done."""
        turn = self.journal.turn
        return turn is not None and turn < self._first_live

    def ask(
        self, asked: Asked, stance: Stance, launch: Callable[[], None] | None = None
    ) -> Question:
        """Take a question; a new one is put to the server as soon as nothing is owed."""
        question = Question(asked, stance, launch)
        known = self.journal.ask(asked)
        self.questions[asked.key] = question
        is_loose = self.journal.is_loose(asked.key)
        if is_loose:
            self.aside[asked.key] = question
        if isinstance(known, Known):
            question.entry = known.entry
            self._due[known.entry.n] = question
        elif is_loose:
            self._launch(question)
        else:
            self.when_told(lambda: self._launch(question))
        return question

    def when_told(self, go: Callable[[], None]) -> None:
        """Call `go` once every recorded answer has been told, in the order of the asking."""
        if self.journal.is_replaying:
            self._held.append(go)
            if self.aside:
                self.pulse.stir()  # it may be what ends the asking
        else:
            go()

    async def caught_up(self) -> None:
        """Return once every recorded answer has been told: the task itself has ended."""
        question = self.returning = Question(None, Stance.ASKS)
        self.when_told(lambda: self._launch(question))
        await self.launched(question)

    def _launch(self, question: Question) -> None:
        question.is_launched = True
        if question.is_unwanted:
            self._watch.given_up(question)
        elif question.launch is not None:
            question.launch()
        question.wake()

    async def launched(self, question: Question) -> None:
        """Return once the question is new, and nothing is owed."""
        while not question.is_launched:
            await self._suspend(question)

    async def answer(self, question: Question) -> Entry:
        """Return the answer in its turn.

        A cancelled asker still waits for it: a value that was taken is returned, and the
        cancellation comes at the next await; else the recorded end is `cancelled`. So nothing
        that an earlier life did after a cancellation lacks a record of it.
        """
        if self._is_due_at_once(question):
            self._tell(question)
            if self.journal.is_replaying:
                self.pulse.stir()  # the code may come to rest elsewhere than at its next question
        while not question.is_over:
            await self._suspend(question)
        entry = question.outcome()
        if question.cancel is not None:
            self._gate.cancel_later()
        return entry

    def _is_due_at_once(self, question: Question) -> bool:
        """Tell whether the only branch there is has asked for the answer whose turn it is."""
        entry, turn = question.entry, self.journal.turn
        turn = entry.n if entry is not None and entry.key in self.aside else turn
        if entry is None or entry.n != turn or entry.ending == "cancelled" or self._gate.is_closed:
            return False
        self._breath = (self._breath + 1) % BREATH
        return self._crew.is_single and bool(self._breath)

    async def _suspend(self, question: Question) -> None:
        """Sleep until something happens to the question."""
        if self._gate.is_closed:
            await self._gate.admit()
        if not self._crew.is_single or not question.is_launched:
            self.pulse.stir()
        waiter = question.waiter = self._loop.create_future()
        try:
            await waiter
        except asyncio.CancelledError as cancel:
            if not self._gate.is_closed:
                question.cancel = cancel
                self.unwant(question)
        except GeneratorExit:
            if question.asked is not None:
                _log.warning("a wait was closed before its answer came", key=question.asked.key)
            self.unwant(question)
            raise
        finally:
            question.waiter = None
        if self._gate.is_closed:
            await self._gate.admit()

    def unwant(self, question: Question) -> None:
        """Say that nobody wants the answer any more, unless it is there already."""
        if question.is_unwanted or question.is_over:
            return
        question.is_unwanted = True
        if question.is_launched and question.entry is None:
            self._watch.left(question)
        self.pulse.stir()

    # --- answers -----------------------------------------------------------------------------

    def add(self, entry: Entry) -> None:
        """Take an entry that has just become durable."""
        if entry.n < self.journal.next_n:
            return  # told again after a reconnect
        self.journal.add(entry)
        question = self.questions.get(entry.key)
        if question is not None:
            question.entry = entry
            self._due[entry.n] = question

    def open_question(self, key: str) -> Question | None:
        """Return the question that has no answer yet."""
        question = self.questions.get(Key(key))
        return None if question is None or question.entry is not None else question

    def refuse(self, question: Question, refusal: BaseException) -> None:
        """Give a question an error for an answer; the journal knows nothing of it."""
        if question.asked is not None:
            self.questions.pop(question.asked.key, None)
            self.aside.pop(question.asked.key, None)
        question.refusal = refusal
        question.wake()
        self.pulse.stir()

    def advance(self) -> None:
        """Tell the next answer, if it is asked for and the code rests."""
        while not self._gate.is_closed and (self.aside or self.journal.is_replaying):
            question = self._next()
            if question is None or not question.may_be_told:
                if self.pulse.is_settled:
                    self._stands(question)
                return
            if not self.pulse.rests:
                self.pulse.stir()
                return
            is_heard = question.waiter is not None
            self._tell(question)
            if is_heard:
                # A single branch that asks on looks by itself, unless more is owed than it asks.
                if not self._crew.is_single or self.journal.is_replaying:
                    self.pulse.stir()
                return

    def _next(self) -> Question | None:
        """Return who is told next: whoever has asked out of turn, else whose turn it is."""
        turn = self.journal.turn
        if not self.aside:
            return None if turn is None else self._due.get(turn)
        asked = self.aside.values()
        told = [(one.entry.n, one) for one in asked if one.entry and one.may_be_told]
        if told:
            return min(told, key=itemgetter(0))[1]
        return next((one for one in asked if one.entry is None), next(iter(asked)))

    def _stands(self, question: Question | None) -> None:
        """See what becomes of code that rests while nobody can be told anything."""
        if question is not None and question.entry is None:
            self._watch.stuck(None)  # for what the server will say, unless the run is to stop
            self._watch.rested()
        else:
            self._watch.stuck(self._stall(question))

    def _tell(self, question: Question) -> None:
        entry = question.entry
        if entry is None:
            return
        self.journal.tell(entry)
        self.told = max(self.told, entry.n)
        self._due.pop(entry.n, None)
        self.questions.pop(entry.key, None)
        self.aside.pop(entry.key, None)
        question.is_told = True
        question.wake()
        while self._held and not self.journal.is_replaying:
            self._held.pop(0)()

    # --- rest --------------------------------------------------------------------------------

    def _rested(self) -> None:
        if self.aside or self.journal.is_replaying:
            self.advance()
        elif not self._gate.is_closed:
            self._watch.rested()

    def _stall(self, question: Question | None) -> Diverged | None:
        found = self.stances()
        if not found or not (MOVES | {Stance.SIGNALS}).isdisjoint(found):
            return None
        asked = [one.asked for one in self.questions.values() if one.asked is not None]
        return self.journal.stalled(asked, None if question is None else question.entry)

    def stances(
        self,
        timed: Callable[[str], None] | None = None,
        *,
        within: frozenset[Stance] | None = None,
    ) -> tuple[Stance, ...]:
        """Say of each live branch what it waits for; `timed` is told where a timer keeps one.

        Of none, where it shows without a look at the code that one is not `within`.
        """
        asking = [*self.questions.values(), *filter(None, [self.returning])]
        waiters = {q.waiter: q.present_stance for q in asking if q.waiter is not None}
        if within is not None and is_outside(self._crew, waiters.get, within):
            return ()
        settled = self.pulse.is_settled
        return stances(self._crew, waiters.get, settled=settled, timed=timed)


def standing(replay: Replay) -> Question | None:
    """Return the question of the branch that waits and has no answer yet, if one does."""
    for question in replay.questions.values():
        stands = question.place is not None and question.waiter is not None
        if stands and question.is_launched and question.entry is None:
            return None if question.is_unwanted else question
    return None


def is_catching_up(replay: Replay) -> bool:
    """Tell whether the code is about to be told something that is recorded already."""
    if not replay.aside:
        return replay.journal.is_replaying
    return any(question.entry is not None for question in replay.aside.values())


def forget(replay: Replay) -> None:
    """Let go of what was asked, and of whoever asked: the run is put away."""
    replay.questions.clear()
    replay.aside.clear()
    replay.pulse.forget()
