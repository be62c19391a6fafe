"""How a run's code asks its journal: matching, limits, and answers that the code finds itself.

Owns: what becomes of code that no longer fits. Must never know: the server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import structlog

from headrace.errors import TooLarge
from headrace.kernel.journal import Asked, Diverged, Journal, Known, New
from headrace.kernel.model import EPOCH, Ending, Entry, StreamId
from headrace.sdk.execution_gate import Abandoned
from headrace.sdk.execution_question import Question
from headrace.sdk.execution_rest import Stance
from headrace.sdk.replay import Replay

ENTRIES_WARN: Final = 20_000
ENTRIES_AT_MOST: Final = 250_000
BYTES_AT_MOST: Final = 256 * 1_048_576
_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.run")


class Asking:
    """The way from a durable call to the replay. `block` stops a run whose code does not fit."""

    def __init__(
        self, run_id: str, replay: Replay, block: Callable[[str], None], *, strict: bool
    ) -> None:
        self._run_id, self._replay, self._block, self._strict = run_id, replay, block, strict
        self.bytes = 0
        """How much the journal holds since the last snapshot."""
        self.start = 0
        """The number of the first entry since then."""

    @property
    def _journal(self) -> Journal:
        return self._replay.journal

    def begin(self, entries: Sequence[Entry], start: int) -> None:
        """Count the entries that there are, from number `start` on."""
        self.start, self.bytes = start, sum(len(entry.body) for entry in entries)

    def ask(
        self, asked: Asked, stance: Stance, launch: Callable[[], None] | None = None
    ) -> Question:
        """Put a question, unless the code no longer fits its journal: then nobody goes on."""
        entries = self._journal.next_n - self.start
        if entries >= ENTRIES_AT_MOST or self.bytes >= BYTES_AT_MOST:
            raise TooLarge(
                f"the journal of this run is full: {entries} entries, {self.bytes} bytes",
                hint="Do less in one run: start another for what is left.",
            )
        self._match(asked)
        question = self._replay.ask(asked, stance, launch)
        if question.entry is not None:
            self._compare(question.entry, asked)
        elif entries == ENTRIES_WARN:
            _log.warning("the journal grows long", run=self._run_id, entries=entries)
        return question

    def known(self, asked: Asked) -> Entry | None:
        """Return what an earlier life has recorded of something that is asked without waiting."""
        match self._match(asked):
            case Known(entry=entry):
                self._journal.tell(entry)
                return entry
            case New():
                return None

    def is_known(self, asked: Asked) -> bool:
        """Tell whether an earlier life of the run has had an answer to this."""
        return isinstance(self._match(asked), Known)

    def _match(self, asked: Asked) -> Known | New:
        try:
            return self._journal.ask(asked)
        except Diverged as diverged:
            self._block(diverged.message)
            raise Abandoned from diverged

    def _compare(self, entry: Entry, asked: Asked) -> None:
        if entry.fingerprint == asked.fingerprint:
            return
        if self._strict:
            self._block(
                f"{asked.kind} {asked.key} was recorded with other arguments\n"
                f"--- recorded\n+++ this code\n-{entry.fingerprint}  at {entry.line}\n"
                f"+{asked.fingerprint}  at {asked.line}"
            )
            raise Abandoned
        _log.warning("a step was recorded with other arguments", run=self._run_id, key=asked.key)


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
