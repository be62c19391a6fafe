"""The conversation of a run's code with its journal: questions, answers, and whose turn it is.

An answer is told when its turn has come and the code has come to rest after the one before, live
and on replay alike: so `asyncio.wait` sees the same task done first in every life of the run.
A question that the journal does not know waits until every recorded answer has been told.
Owns: futures, turns, rest. Must never know: what is asked, who answers, the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from headrace.kernel.journal import Asked, Diverged, Journal, Known
from headrace.kernel.model import Entry, Key
from headrace.sdk.execution_rest import Stance, Waiter, is_moving, stances
from headrace.sdk.scope import Branch, Crew

REST_TICKS: Final = 4
"""Rounds of the event loop without a move that count as rest. What passes from future to future
(`gather` in a `gather`, `shield`) takes a round for each, in which no task is seen to move."""
RESTLESS_TICKS: Final = 256
"""Code that never rests (it polls) is told its answers all the same."""
BREATH: Final = 256
"""Recorded answers told in one go before the event loop gets a turn."""
REFUSALS_AT_MOST: Final = 64
"""Durable calls of an abandoned run that raise; later ones never return, lest a loop that
swallows everything stops the worker."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.run")


class Abandoned(BaseException):
    """The worker does not execute the run any more: its code must come to an end.

    It is no `Exception`, so that `except Exception` lets it pass. Durable calls in a `finally`
    raise it again; what else stands there runs.
    """


class Watch(Protocol):
    """Who is told what becomes of the code."""

    def rested(self) -> None:
        """The code rests, and nothing is owed to it."""
        ...

    def stuck(self, diverged: Diverged) -> None:
        """The code rests, answers are owed, and no branch will ever ask for the next."""
        ...

    def in_doubt(self) -> None:
        """The code rests, answers are owed, and something unknown may still move it."""
        ...

    def left(self, question: Question) -> None:
        """The asker of a question that was put to the server has been cancelled."""
        ...

    def given_up(self, question: Question) -> None:
        """The same, of one that is to be put to the server now: its end must be recorded."""
        ...


@dataclass(slots=True, eq=False)
class Question:
    """What one branch wants to know. `launch` puts it to the server, once replay is over."""

    asked: Asked | None
    stance: Stance
    launch: Callable[[], None] | None = None
    entry: Entry | None = None
    refusal: BaseException | None = None
    cancel: asyncio.CancelledError | None = None
    waiter: Waiter | None = None
    is_launched: bool = False
    is_told: bool = False
    is_unwanted: bool = False

    @property
    def is_over(self) -> bool:
        """Tell whether the asker may go on."""
        return self.is_told or self.refusal is not None

    @property
    def present_stance(self) -> Stance:
        """Return what the asker waits for; only what the server knows of can be parked."""
        stands = self.is_launched and self.entry is None and not self.is_unwanted
        return self.stance if stands else Stance.ASKS

    def wake(self) -> None:
        """Let the asker look again."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


class Replay:
    """One life of a run's code, and what the journal owes it."""

    __slots__ = (
        "_breath",
        "_crew",
        "_due",
        "_first_live",
        "_held",
        "_is_looking",
        "_loop",
        "_open",
        "_quiet",
        "_recancel",
        "_refused",
        "_return",
        "_ticks",
        "_watch",
        "is_over",
        "is_settled",
        "journal",
    )

    def __init__(self, journal: Journal, crew: Crew, watch: Watch) -> None:
        self.journal, self._crew, self._watch = journal, crew, watch
        self._loop = asyncio.get_running_loop()
        self._first_live = journal.next_n
        self._open: dict[Key, Question] = {}
        self._due: dict[int, Question] = {}
        self._held: list[Callable[[], None]] = []
        self._quiet = self._ticks = self._breath = self._refused = 0
        self._return: Question | None = None
        self._recancel: set[Branch] = set()
        self._is_looking = False
        self.is_settled = False
        self.is_over = False

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
        self._open[asked.key] = question
        if isinstance(known, Known):
            question.entry = known.entry
            self._due[known.entry.n] = question
        else:
            self.when_told(lambda: self._launch(question))
        return question

    def when_told(self, go: Callable[[], None]) -> None:
        """Call `go` once every recorded answer has been told, in the order of the asking."""
        if self.journal.is_replaying:
            self._held.append(go)
        else:
            go()

    async def caught_up(self) -> None:
        """Return once every recorded answer has been told: the task itself has ended."""
        question = self._return = Question(None, Stance.ASKS)
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
                self.stir()  # the code may come to rest elsewhere than at its next question
        while not question.is_over:
            await self._suspend(question)
        return self._outcome(question)

    def _is_due_at_once(self, question: Question) -> bool:
        """Tell whether the only branch there is has asked for the answer whose turn it is."""
        entry, turn = question.entry, self.journal.turn
        if entry is None or entry.n != turn or entry.ending == "cancelled" or self.is_over:
            return False
        self._breath = (self._breath + 1) % BREATH
        return self._crew.is_single and bool(self._breath)

    async def _suspend(self, question: Question) -> None:
        """Sleep until something happens to the question."""
        if self.is_over:
            await self._refuse()
        if not self._crew.is_single or not question.is_launched:
            self.stir()
        waiter = question.waiter = self._loop.create_future()
        try:
            await waiter
        except asyncio.CancelledError as cancel:
            if self.is_over:
                await self._refuse()
            self._leave(question, cancel)
        except GeneratorExit:
            self._orphan(question)
            raise
        finally:
            question.waiter = None
        if self.is_over:
            await self._refuse()

    def _leave(self, question: Question, cancel: asyncio.CancelledError) -> None:
        question.cancel = cancel
        self.unwant(question)

    def unwant(self, question: Question) -> None:
        """Say that nobody wants the answer any more, unless it is there already."""
        if question.is_unwanted or question.is_over:
            return
        question.is_unwanted = True
        if question.is_launched and question.entry is None:
            self._watch.left(question)
        self.stir()

    def _orphan(self, question: Question) -> None:
        """The asker's coroutine was closed: whatever the answer is, nobody hears it."""
        if question.asked is not None:
            _log.warning("a wait was closed before its answer came", key=question.asked.key)
        self.unwant(question)

    def _outcome(self, question: Question) -> Entry:
        entry = question.entry
        if question.refusal is not None or entry is None:
            raise question.cancel or question.refusal or asyncio.CancelledError
        if entry.ending == "cancelled":
            raise question.cancel or asyncio.CancelledError
        if question.cancel is not None:
            self.cancel_later()
        return entry

    def cancel_later(self) -> None:
        """Cancel the running task at its next await, unless whoever cancelled it has let go."""
        branch = asyncio.current_task()
        if branch is not None and branch.cancelling():
            self._recancel.add(branch)
            self._loop.call_soon(self._cancel_again, branch)

    def _cancel_again(self, branch: Branch) -> None:
        if branch in self._recancel:
            self._recancel.discard(branch)
            if branch.cancelling() and not branch.done():
                branch.uncancel()
                branch.cancel()

    # --- answers -----------------------------------------------------------------------------

    def add(self, entry: Entry) -> None:
        """Take an entry that has just become durable."""
        if entry.n < self.journal.next_n:
            return  # told again after a reconnect
        self.journal.add(entry)
        question = self._open.get(entry.key)
        if question is not None:
            question.entry = entry
            self._due[entry.n] = question

    def refuse(self, key: str, refusal: BaseException) -> None:
        """Give a question an error for an answer; the journal knows nothing of it."""
        question = self.open_question(key)
        if question is not None:
            self._open.pop(Key(key))
            question.refusal = refusal
            question.wake()
            self.stir()

    def open_question(self, key: str) -> Question | None:
        """Return the question that has no answer yet."""
        question = self._open.get(Key(key))
        return None if question is None or question.entry is not None else question

    def withdraw(self, question: Question, cancel: asyncio.CancelledError) -> None:
        """Say that the asker was cancelled, and that this is the answer."""
        question.is_unwanted, question.cancel = True, cancel

    def forget(self, entry: Entry) -> None:
        """Count an answer that nobody awaits as told."""
        self.journal.tell(entry)

    def advance(self) -> None:
        """Tell the next answer, if it is asked for and the code rests."""
        while not self.is_over and (turn := self.journal.turn) is not None:
            question = self._due.get(turn)
            if question is None or question.entry is None or not _may_hear(question):
                if self.is_settled:
                    self._stall()
                return
            if not self._rests():
                self.stir()
                return
            heard = question.waiter is not None
            self._tell(question)
            if heard:
                # A single branch that asks on looks by itself, unless more is owed than it asks.
                if not self._crew.is_single or self.journal.is_replaying:
                    self.stir()
                return

    def _tell(self, question: Question) -> None:
        entry = question.entry
        assert entry is not None  # noqa: S101 - told is what is known
        self.journal.tell(entry)
        self._due.pop(entry.n, None)
        self._open.pop(entry.key, None)
        question.is_told = True
        question.wake()
        self._release()

    def _release(self) -> None:
        """Let go on what waited for the end of replay."""
        while self._held and not self.journal.is_replaying:
            self._held.pop(0)()

    # --- rest --------------------------------------------------------------------------------

    def _rests(self) -> bool:
        if self._crew.is_single:
            return True
        restless = self._ticks >= RESTLESS_TICKS
        return self.is_settled and (restless or not is_moving(self._crew))

    def stir(self) -> None:
        """Note that the code moves; once it rests again, see what follows."""
        self.is_settled = False
        self._quiet = self._ticks = 0
        if not self._is_looking:
            self._is_looking = True
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        self._ticks += 1
        self._quiet = 0 if is_moving(self._crew) else self._quiet + 1
        if self._quiet < REST_TICKS and self._ticks < RESTLESS_TICKS:
            self._loop.call_soon(self._look)
            return
        self._is_looking = False
        self.is_settled = True
        if self.journal.is_replaying:
            self.advance()
        elif not self.is_over:
            self._watch.rested()

    def _stall(self) -> None:
        found = self.stances()
        if found and not {Stance.WORLD, Stance.SIGNALS} & set(found):
            asked = [one.asked for one in self._open.values() if one.asked is not None]
            self._watch.stuck(self.journal.stalled(asked))
        else:
            self._watch.in_doubt()

    @property
    def any_parks(self) -> bool:
        """Tell whether any branch stands in a wait for which the run may be put away."""
        return any(q.present_stance is Stance.PARKS for q in self._open.values())

    def stances(self) -> tuple[Stance, ...]:
        """Say of each live branch what it waits for."""
        asking = [*self._open.values(), *filter(None, [self._return])]
        waiters = {q.waiter: q.present_stance for q in asking if q.waiter is not None}
        return stances(self._crew, waiters.get, settled=self.is_settled)

    # --- the end -----------------------------------------------------------------------------

    def close(self) -> None:
        """Tell nothing more: every durable call raises `Abandoned` from now on."""
        self.is_over = True
        self._held.clear()

    async def _refuse(self) -> None:
        self._refused += 1
        while self._refused > REFUSALS_AT_MOST:
            await self._loop.create_future()
        raise Abandoned

    async def admit(self) -> None:
        """Let nobody ask who has been cancelled, or whose run is executed here no more."""
        if self.is_over:
            await self._refuse()
        branch = asyncio.current_task()
        if branch in self._recancel:
            self._recancel.discard(branch)
            if branch.cancelling():
                raise asyncio.CancelledError

    def check(self) -> None:
        """Raise where `admit` would, for what is asked without awaiting."""
        if self.is_over:
            raise Abandoned


def _may_hear(question: Question) -> bool:
    """A recorded cancellation is told only to a branch that has been cancelled again."""
    return question.entry is not None and (
        question.entry.ending != "cancelled" or question.is_unwanted
    )
