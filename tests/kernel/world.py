"""One run, its logs and its journal, moved by commands as an engine would: it reads, then asks.

Owns: what is true around a run, so that the laws can be judged after each move.
Must never know: how the kernel decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from headrace.kernel import commands as c
from headrace.kernel.commands import Change, Refused
from headrace.kernel.machine import decide
from headrace.kernel.model import (
    EPOCH,
    Cause,
    Delayed,
    Ending,
    Entry,
    EnvId,
    Instant,
    Key,
    Kind,
    Limits,
    Queued,
    Record,
    Retry,
    Run,
    RunId,
    StreamId,
    TaskId,
    Wait,
    WaitpointId,
    WorkerId,
    at_waitpoint,
    inward,
    later,
)

STREAMS = (inward("a"), inward("b"))
TOKEN = at_waitpoint(WaitpointId("t"))
AWAITED = (*STREAMS, TOKEN)
"""What is waited for: a token has one record at the most, and no cursor passes it."""
WORKERS = (WorkerId("one"), WorkerId("two"))
START = Instant(1_000_000)
CAUSE = Cause("why")


@dataclass(frozen=True, slots=True)
class Step:
    """A command that was let through, with what it did and when."""

    command: c.Command
    change: Change
    now: Instant


Judge = Callable[["World", Step], None]


@dataclass(slots=True)
class World:
    """Everything around one run."""

    run: Run
    now: Instant = START
    logs: dict[StreamId, list[Record]] = field(
        default_factory=lambda: {stream: list[Record]() for stream in AWAITED}
    )
    journal: list[Entry] = field(default_factory=list[Entry])
    asked: int = 0
    """How many questions the code has asked; each key is asked once in an attempt."""
    steps: list[Step] = field(default_factory=list[Step])
    refusals: int = 0
    saved: int = 0
    """How many questions the code had asked when its snapshot was taken."""
    past: set[Key] = field(default_factory=set[Key])
    """The questions whose answers a snapshot stands for: code that goes on asks none of them."""

    @classmethod
    def new(cls, limits: Limits, delay_ms: int) -> World:
        """Start a run."""
        state = Delayed(later(START, delay_ms)) if delay_ms else Queued(START)
        return cls(
            Run(RunId("run"), EnvId("env"), TaskId("task"), START, state, limits, updated=START)
        )

    def play(self, command: c.Command) -> Step | None:
        """Ask the kernel, and make true what it answers."""
        try:
            change = decide(self.run, command, self.now)
        except Refused:
            self.refusals += 1
            return None
        step = Step(command, change, self.now)
        self.run = change.after
        if change.undone is not None:
            self.journal = [entry for entry in self.journal if entry.n < change.undone]
        self.journal += change.entries
        if change.dropped is not None:
            self.past |= {entry.key for entry in self.journal if entry.n < change.dropped}
            self.journal = [entry for entry in self.journal if entry.n >= change.dropped]
        if change.saved is not None:
            self.saved = self.asked
        if isinstance(command, c.Restart):
            self.past.clear()
        self.steps.append(step)
        return step

    def heads(self) -> dict[StreamId, Record]:
        """Read each log at the cursor."""
        found = {s: self.logs[s][self.run.cursors.get(s, 0) :] for s in AWAITED}
        return {stream: records[0] for stream, records in found.items() if records}

    def unread(self, stream: StreamId) -> tuple[Record, ...]:
        """Return what stands in the log from the cursor on."""
        return tuple(self.logs[stream][self.run.cursors.get(stream, 0) :])

    # --- moves: each says what is asked next ---------------------------------------------------

    def append(self, stream: StreamId) -> None:
        """Append to a log, and tell nobody; a token that has its value keeps it."""
        log = self.logs[stream]
        if log and stream == TOKEN:
            return
        log.append(Record(len(log), str(len(log)).encode(), self.now))

    def send(self, stream: StreamId) -> Step | None:
        """Append to a log, and offer all that is unread."""
        self.append(stream)
        return self.play(c.Deliver(stream, self.unread(stream)))

    def elapse(self) -> Step | None:
        """Look at the time, having read the logs."""
        return self.play(c.Elapse(self.heads()))

    def stand(self, stream: StreamId | None, timeout_ms: int | None, *, held: bool) -> Step | None:
        """Ask the next question: of a stream, or of time."""
        key = self.next_key()
        deadline = None if timeout_ms is None else later(self.now, timeout_ms)
        wait = Wait(key, stream, deadline, held or deadline is not None)
        step = self.play(c.Stand(self.run.epoch, wait, self.heads()))
        self.asked += step is not None
        return step

    def next_key(self) -> Key:
        """Return the next key that the journal does not know, as the same code would ask it."""
        answered = self.past.union(entry.key for entry in self.journal)
        while self._key() in answered or any(w.key == self._key() for w in self.run.waits):
            self.asked += 1
        return self._key()

    def _key(self) -> Key:
        return Key(f"/q#{self.asked}")

    def remember(self, kind: Kind, *, fails: bool) -> Step | None:
        """Tell the result of a step."""
        ending: Ending = "failure" if fails else "value"
        entry = Entry(0, self.next_key(), kind, ending, b"1", EPOCH)
        return self.play(c.Remember(self.run.epoch, (entry,)))

    def fail(self, policy: Retry, *, undo: bool, again: bool) -> Step | None:
        """Raise; the failures at the journal's end are to be tried again."""
        undone, revived = None, dict[Key, Instant]()
        if undo:
            answered = [e.n for e in self.journal if e.ending not in {"failure", "cancelled"}]
            undone = max(answered, default=self.run.base - 1) + 1
            cancelled = [e for e in self.journal if e.n >= undone and e.deadline is not None]
            revived = {e.key: e.deadline for e in cancelled if e.deadline is not None}
        epoch, seen = self.run.epoch, next_n(self)
        command = c.Fail(epoch, CAUSE, policy, 0.5, again, undone, seen, revived)
        step = self.play(command)
        if step is not None and step.change.after.failures > step.change.before.failures:
            self._begin_again()
        return step

    def claim(self, worker: WorkerId) -> Step | None:
        """Take the run up: the code begins again from the top, or from its snapshot."""
        step = self.play(c.Claim(worker, f"by {worker}"))
        if step is not None:
            self._begin_again()
        return step

    def _begin_again(self) -> None:
        self.asked = 0 if self.run.saved is None else self.saved


def next_n(world: World) -> int:
    """Return the number of the next entry, as a worker knows it that has heard everything."""
    return world.journal[-1].n + 1 if world.journal else world.run.base
