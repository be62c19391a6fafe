"""What becomes of an operation that was refused: its worker is told, or its run ends.

Owns: which refusals a run can live with, and the end of a run that cannot.
Must never know: what the operation was to do.

Rule 1: what may succeed later is told as `unavailable`: the worker comes again with it. So is a
        limit of a store: the operation that met it is only one of those that were to land together.
Rule 2: what the run's code may meet (a wait that is too late, a record that is too large) is told.
Rule 3: the rest would come again for ever, or leave the run without an end: the run fails with it.
"""

from __future__ import annotations

import asyncio
import traceback
from typing import TypeAlias

import structlog

from headrace.engine.core import Core
from headrace.engine.operations import Plain, Posted
from headrace.engine.seats import Seat
from headrace.errors import HeadraceError, NotFound, Trouble, Unavailable
from headrace.kernel.commands import Fail, Fenced, Refused
from headrace.kernel.model import Cause, Retry, RunId
from headrace.wire import channel

WORDS_AT_MOST = 1_000
_HINT = "This is a bug of the server; its log has the traceback."
_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.engine")

Asked: TypeAlias = (
    channel.Standing
    | channel.Parked
    | channel.Left
    | channel.Remembered
    | channel.Started
    | channel.Sent
    | channel.Emitted
    | channel.Noted
    | channel.Saved
    | channel.Unfit
    | channel.Completed
    | channel.Raised
    | channel.Yielded
    | channel.Blocked
    | channel.Released
)
"""Every operation about a run."""


class Refuser:
    """Follows up on one operation, or on a worker's return to a run (`asked` is its holding)."""

    __slots__ = ("_core", "_is_last", "_seat", "_what", "epoch", "key", "run_id")

    def __init__(self, core: Core, seat: Seat, asked: Asked | channel.Holding) -> None:
        self._core, self._seat = core, seat
        self.run_id, self.epoch, self.key = RunId(asked.run), asked.epoch, _key_of(asked)
        self._what = type(asked).__name__
        self._is_last = isinstance(
            asked,
            channel.Completed
            | channel.Raised
            | channel.Yielded
            | channel.Blocked
            | channel.Released,
        )

    def look(self, answer: asyncio.Future[object]) -> None:
        """Follow up on the outcome, once it is there."""
        if not answer.cancelled() and (error := answer.exception()) is not None:
            self.tell(error)

    def tell(self, error: BaseException) -> None:
        """Push the refusal, or end the run."""
        match error:
            case Fenced():
                self.fence()
            case NotFound() if not self.key:
                self.fence()
            case Trouble():
                self._push(self.key, Unavailable.code, str(error))
            case Refused() if not self._is_last:
                self._push(self.key, type(error).__name__.lower(), str(error))
            case HeadraceError(code=code) if not self._is_last:
                self._push(self.key, code, str(error))
            case _:
                self.fail(error)

    def fence(self) -> None:
        """Tell the worker that it does not hold the run as it thinks, and give the slot back."""
        self._give_back()
        self._seat.push(channel.Fenced(self.run_id, self.epoch))

    def fail(self, error: BaseException) -> None:
        """End the run, since what it asked for would be refused again and again."""
        self._note(error, "a worker's operation could not be carried out; its run fails")
        words = f"{type(error).__name__}: {error}"[:WORDS_AT_MOST]
        message = f"the server failed at {self._what} of this run: {words}\n{_HINT}"
        cause = Cause(message, "ServerFault")
        command = Fail(self.epoch, cause, Retry(), 0.0, again=False)
        step = Plain(command, ends=True)
        job = Posted(self._core.teller, self._seat, self.epoch, "", step)
        try:
            self._core.post(self.run_id, job).add_done_callback(self._failed)
        except Unavailable as closed:
            self._push(self.key, closed.code, str(closed))

    def _failed(self, answer: asyncio.Future[object]) -> None:
        if answer.cancelled():
            return
        match answer.exception():
            case None:
                if self.run_id in self._seat.pending:  # nobody has told it of the end
                    self._give_back()
                    self._seat.push(channel.Ended(self.run_id, self.epoch))
            case Fenced() | NotFound():
                self.fence()
            case Trouble() as trouble:
                self._push(self.key, Unavailable.code, str(trouble))
            case error:
                # Not even that. Its worker drops it; it is looked at again when that has gone.
                self._note(error, "a run that should fail could not be ended")
                self._seat.running.discard(self.run_id)
                self._push("", channel.FAULT, f"{self._what}: {type(error).__name__}: {error}")

    def _give_back(self) -> None:
        self._seat.pending.discard(self.run_id)
        if self.run_id not in self._seat.known:
            self._seat.running.discard(self.run_id)

    def _push(self, key: str, code: str, message: str) -> None:
        self._seat.push(channel.Refusal(self.run_id, self.epoch, key, code, message))

    def _note(self, error: BaseException, what: str) -> None:
        trace = "".join(traceback.format_exception(error))
        _log.error(what, run=self.run_id, operation=self._what, key=self.key, trace=trace)


def _key_of(asked: Asked | channel.Holding) -> str:
    if isinstance(asked, channel.Remembered):
        return asked.entry.key
    key: str = getattr(asked, "key", "")
    return key
