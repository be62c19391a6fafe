"""What can be asked of a run: commands, and the change or refusal that answers them.

Owns: the shapes only; `machine` says what they do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from headrace.kernel.model import (
    Cause,
    Entry,
    Footing,
    Gap,
    Instant,
    Key,
    Limits,
    Record,
    Retry,
    Run,
    StreamId,
    Wait,
    WorkerId,
)

# --- from outside ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker takes the run up; the epoch moves on. `version` is that of the worker's code."""

    worker: WorkerId
    version: str = ""


@dataclass(frozen=True, slots=True)
class Lose:
    """The worker's lease has lapsed."""

    worker: WorkerId


@dataclass(frozen=True, slots=True)
class Deliver:
    """These records now stand in the log, in this order, from the cursor or later on."""

    stream: StreamId
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Elapse:
    """Time has passed; `heads` is the record at the cursor of each stream whose wait is over."""

    heads: Mapping[StreamId, Record] = field(default_factory=dict[StreamId, Record])


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop it; the task may clean up for `grace_ms`."""

    grace_ms: int


@dataclass(frozen=True, slots=True)
class Reschedule:
    """A run that is delayed begins at `until` instead, and has these `limits` then, if any."""

    until: Instant
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class Recheck:
    """Until then senders may think that the run executes: its waits are looked at once more."""

    until: Instant


@dataclass(frozen=True, slots=True)
class Unblock:
    """Somebody made the code fit again: replay it."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Forget all that a blocked run remembers: it begins again at the top, in the same attempt."""


@dataclass(frozen=True, slots=True)
class Accept:
    """Somebody accepts that a blocked run's code asks for something else: replay it with that.

    The entries are of the kinds `skip` and `insert`; they are numbered here.
    """

    entries: tuple[Entry, ...]


# --- from the worker that holds the run; `epoch` proves it --------------------------------------


@dataclass(frozen=True, slots=True)
class Stand:
    """A branch waits. `heads` holds the record at the cursor, if there is one."""

    epoch: int
    wait: Wait
    heads: Mapping[StreamId, Record] = field(default_factory=dict[StreamId, Record])


@dataclass(frozen=True, slots=True)
class Park:
    """Every live branch stands in a wait: the run waits, with all of them durable.

    `seen` is the number of the next entry as the worker knows the journal. Where it holds more,
    a branch has been answered and will go on: such a run must not wait, since nothing would wake
    it again if its worker were lost before it heard the answer.
    """

    epoch: int
    seen: int = 0


@dataclass(frozen=True, slots=True)
class Leave:
    """A branch was cancelled while it waited; the wait ends as `cancelled`."""

    epoch: int
    key: Key


@dataclass(frozen=True, slots=True)
class Remember:
    """Add answers to the journal, numbered in the order given."""

    epoch: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Save:
    """Keep `body`, the state of the code after the first `seen` entries: it goes on from there.

    Nothing happens where the journal holds more, or the run has been told to stop: the worker hears
    of it. `drops` lets go of the entries that the snapshot stands for. `leaves`: the worker gives
    the run up in the same commit; only one that waits can be left, else news are on their way.
    `footing` says what it stands on, as far as the worker tells.
    """

    epoch: int
    seen: int
    body: bytes
    drops: bool = False
    leaves: bool = False
    footing: Footing | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """The worker gives the run back: warm waiting turns cold, running is queued again."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Complete:
    """The task returned; see `Completed` for `stored`."""

    epoch: int
    output: bytes
    stored: str = ""


@dataclass(frozen=True, slots=True)
class Fail:
    """The task raised. `again` is False where another try is pointless.

    The entries from `undone` up to `seen` are the failures at the journal's end, which the next
    attempt tries again; `revived` are the deadlines of waits that were cancelled among them.
    """

    epoch: int
    cause: Cause
    retry: Retry
    jitter: float
    again: bool = True
    undone: int | None = None
    seen: int = 0
    revived: Mapping[Key, Instant] = field(default_factory=dict[Key, Instant])


@dataclass(frozen=True, slots=True)
class Yield:
    """The task ended with the cancellation that it was sent."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Block:
    """The code does not fit the journal."""

    epoch: int
    cause: Cause
    gap: Gap | None = None


FinishCommand: TypeAlias = Complete | Fail | Yield | Block
WorkerCommand: TypeAlias = Stand | Park | Leave | Remember | Save | Release | FinishCommand
MendCommand: TypeAlias = Unblock | Restart | Accept
AskedCommand: TypeAlias = Cancel | Reschedule | Recheck
Command: TypeAlias = Claim | Lose | Deliver | Elapse | AskedCommand | MendCommand | WorkerCommand


@dataclass(frozen=True, slots=True)
class Change:
    """What must become true in one transaction, if the run is still as `decide` saw it.

    Journal entries numbered `undone` and above are dropped before `entries` are added, those below
    `dropped` afterwards. `saved` becomes the run's snapshot, which stands on `footing`. A run that
    has one before and none after loses it.
    """

    before: Run
    after: Run
    entries: tuple[Entry, ...] = ()
    undone: int | None = None
    saved: bytes | None = None
    dropped: int | None = None
    footing: Footing | None = None


class Refused(Exception):
    """The run is not in a state that allows the command. Trying again is pointless."""

    def __init__(self, run: Run, command: Command) -> None:
        asked, state = type(command).__name__, type(run.state).__name__
        super().__init__(f"{asked} refused: run {run.id} is {state} at epoch {run.epoch}")
        self.run, self.command = run, command


class Fenced(Refused):
    """The sender no longer holds the run; whatever it still does must not count."""


class Stopping(Refused):
    """The run has been told to stop: no take, wait or trigger is accepted any more."""
