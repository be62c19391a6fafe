"""What a run is.

Owns: the vocabulary (ids, instants, states, waits, journal entries, outcomes).
Must never know: how any of it is stored, sent or scheduled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NewType, TypeAlias

RunId = NewType("RunId", str)
WorkerId = NewType("WorkerId", str)
TaskId = NewType("TaskId", str)
EnvId = NewType("EnvId", str)
StreamId = NewType("StreamId", str)
"""Direction and name of a stream of a run: `<name` is read by the run, `>name` written by it.

`~id` is a waitpoint: one record, or none yet, that no run owns and any number of them wait for.
"""
WaitpointId = NewType("WaitpointId", str)
Key = NewType("Key", str)
"""Where in the code a journal entry belongs: `scope/name#occurrence`."""
Instant = NewType("Instant", int)
"""Milliseconds since the Unix epoch, UTC, by the store's clock."""
EPOCH = Instant(0)


def later(now: Instant, ms: int) -> Instant:
    """Return the instant `ms` milliseconds after `now`."""
    return Instant(now + ms)


def inward(name: str) -> StreamId:
    """Name the input stream `name` of a run."""
    return StreamId(f"<{name}")


def is_inward(stream: StreamId) -> bool:
    """Tell whether the run reads the stream."""
    return stream.startswith("<")


def outward(name: str) -> StreamId:
    """Name the output stream `name` of a run."""
    return StreamId(f">{name}")


def at_waitpoint(waitpoint: WaitpointId) -> StreamId:
    """Return what a run waits on that waits for the waitpoint."""
    return StreamId(f"~{waitpoint}")


def waitpoint_of(stream: StreamId | None) -> WaitpointId | None:
    """Return the waitpoint, if the stream is one."""
    return WaitpointId(stream[1:]) if stream is not None and stream.startswith("~") else None


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something failed, in words for its user."""

    message: str
    name: str = "Error"
    trace: str = ""


# --- outcomes: how a run can end -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Completed:
    """The task returned; `output` is JSON text, empty for no value.

    What is too large to stand here lies elsewhere, under the key `stored`.
    """

    output: bytes
    stored: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The task raised, and no attempt is left."""

    cause: Cause


@dataclass(frozen=True, slots=True)
class Canceled:
    """Somebody asked for it to stop."""


@dataclass(frozen=True, slots=True)
class Crashed:
    """Its workers died under it too often."""

    cause: Cause


@dataclass(frozen=True, slots=True)
class Expired:
    """It was not started within its time to live."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """It executed longer than its `max_duration`."""


Outcome: TypeAlias = Completed | Failed | Canceled | Crashed | Expired | TimedOut


# --- states ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delayed:
    """Not to be started before `until`."""

    until: Instant


@dataclass(frozen=True, slots=True)
class Queued:
    """Ready for any worker that has the task; `since` is its place in the queue."""

    since: Instant


@dataclass(frozen=True, slots=True)
class Retrying:
    """The last attempt failed; the next may start at `until`."""

    until: Instant


@dataclass(frozen=True, slots=True)
class Running:
    """Held by one worker whose lease lives elsewhere; the run's epoch fences older holders."""

    worker: WorkerId


@dataclass(frozen=True, slots=True)
class Waiting:
    """Every live branch stands in a wait: warm in `worker`, or cold (`None`), off every machine."""

    worker: WorkerId | None


@dataclass(frozen=True, slots=True)
class Gap:
    """Where code and journal part: entry number `owed` has its turn, and `asked` is asked instead.

    Without `asked` the code asks for nothing more.
    """

    owed: int
    asked: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class Blocked:
    """The code no longer fits the journal; `cause` shows both. Nobody's attempt is burnt.

    There is a `gap` where accepting the difference may help.
    """

    cause: Cause
    gap: Gap | None = None


@dataclass(frozen=True, slots=True)
class Over:
    """Final, for good."""

    outcome: Outcome
    at: Instant


State: TypeAlias = Delayed | Queued | Retrying | Running | Waiting | Blocked | Over


# --- waits and entries -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wait:
    """One branch's question: the next record of `stream`, or (no stream) the deadline itself.

    A `held` wait is durable. One that is not lives in the memory of whoever serves the worker.
    Until `recheck` a sender may think that the run executes, and offer it nothing: from then on the
    log is read once more.
    """

    key: Key
    stream: StreamId | None
    deadline: Instant | None = None
    held: bool = True
    fingerprint: str = ""
    line: str = ""
    since: Instant = EPOCH
    recheck: Instant | None = None


Kind: TypeAlias = Literal[
    "step",
    "take",
    "timer",
    "trigger",
    "send",
    "peek",
    "handled",
    "rejected",
    "output",
    "skip",
    "insert",
]
"""What was asked under a key; `skip` and `insert` were accepted by somebody: see `journal`."""

Ending: TypeAlias = Literal["value", "failure", "timeout", "cancelled"]
"""How it ended."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One remembered answer; `n` is its place in the order of completion.

    `body` is JSON text: the value, or the failure. A take names the record it consumed.
    """

    n: int
    key: Key
    kind: Kind
    ending: Ending
    body: bytes
    at: Instant
    fingerprint: str = ""
    line: str = ""
    stream: StreamId | None = None
    seq: int = -1
    deadline: Instant | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One message of a stream. `body` is JSON text; `key` and `digest` tell a repeat."""

    seq: int
    body: bytes
    at: Instant
    key: bytes = b""
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Stop:
    """A run that has been told to end: its task may clean up until `by`."""

    by: Instant
    outcome: Canceled | TimedOut


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the user's code as it was: `module:qualname`, and a hash of what it does."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Footing:
    """What a snapshot stands on: a minor version of Python, and the functions that wait in it.

    The functions are told once each, the outermost first. `keeps` says that the snapshot holds
    their source too, so that it goes on where they are others now.
    """

    python: str
    functions: tuple[Function, ...]
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What its starter set for a run. Times are in milliseconds."""

    max_attempts: int = 3
    ttl_ms: int | None = None
    max_duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One request to execute a task, across all its attempts.

    `epoch` counts claims and fences every write of a worker. `attempt` is the number of the try
    (0 = never started); `failures` counts those that ended, and only a task that raised ends one.
    `entries` is the number of the next journal entry. `lost` counts workers lost since the last
    one. `deadlines` are those already running for waits that a new attempt has not reached yet.
    `ran_ms` is the time executed before `resumed`. `saved` is what `entries` was when its snapshot
    was taken, if it has one; the entries below `base` are gone, since a snapshot stands for them.
    `code` is the version of the code that it began on, as far as known.
    """

    id: RunId
    env: EnvId
    task: TaskId
    created: Instant
    state: State
    limits: Limits = field(default_factory=Limits)
    version: int = 0
    epoch: int = 0
    attempt: int = 0
    failures: int = 0
    lost: int = 0
    entries: int = 0
    cursors: Mapping[StreamId, int] = field(default_factory=dict[StreamId, int])
    waits: tuple[Wait, ...] = ()
    deadlines: Mapping[Key, Instant] = field(default_factory=dict[Key, Instant])
    stop: Stop | None = None
    started: Instant | None = None
    updated: Instant = EPOCH
    resumed: Instant | None = None
    ran_ms: int = 0
    saved: int | None = None
    base: int = 0
    code: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """How long to wait before the next attempt. Times are in milliseconds."""

    max_attempts: int = 3
    first_ms: int = 1_000
    factor: float = 2.0
    most_ms: int = 30_000
    jitter: bool = True
