"""What a worker and its server say to each other: msgpack frames, each a list of messages.

The worker sends operations, the server pushes. Nothing has a reply of its own: every answer is a
journal entry, pushed in the order of its number, or a refusal of one operation by run and key.
Both sides may repeat after a reconnect: entries are told apart by number, operations by key.
Must never know: sockets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from headrace.kernel.model import Cause, Entry, Footing, Gap, Retry
from headrace.wire.changes import EditKind


class Message(Struct, frozen=True, array_like=True, tag=True):
    """Base: a compact array, told apart by its class name."""


Short: TypeAlias = Annotated[str, Meta(max_length=256)]
"""Stands in rows that are looked up by it, and in what servers tell each other."""


class Holding(Struct, frozen=True, array_like=True):
    """A run that the worker holds, and the number of the entry that it expects next."""

    run: str
    epoch: int
    next_n: int


class Hello(Struct, frozen=True, kw_only=True):
    """A worker (re)attaches: who it is, what it serves, how many runs it would execute at once."""

    worker: Short
    version: Short
    tasks: tuple[str, ...]
    slots: int
    holdings: tuple[Holding, ...] = ()


# --- worker to server --------------------------------------------------------------------------


class Standing(Message, frozen=True):
    """A branch waits on `stream` ("" = a timer). `until` wins over `timeout_ms`; 0 means none.

    With `token` it waits for that token instead, and no longer than the token can be completed.

    `held` asks for a durable wait; without it the wait lives in the server's memory. `seen` is the
    number of the next entry as the worker knew the journal: the answer to a wait that is posted
    again, if there is one, stands there or behind (-1: it is not said).
    """

    run: str
    epoch: int
    key: str
    stream: str = ""
    timeout_ms: int = -1
    until: int = 0
    held: bool = False
    fingerprint: str = ""
    line: str = ""
    seen: int = -1
    token: str = ""


class Parked(Message, frozen=True):
    """Every live branch of the run stands in a wait, as far as its first `seen` entries tell.

    Nothing happens where the journal holds more: the worker hears of it, and decides again.
    """

    run: str
    epoch: int
    seen: int = 0


class Left(Message, frozen=True):
    """A branch was cancelled while it stood."""

    run: str
    epoch: int
    key: str


class Remembered(Message, frozen=True):
    """An answer that the worker found itself: a step's result, a handler's return, a peek."""

    run: str
    epoch: int
    entry: Entry


class Started(Message, frozen=True):
    """Start a run from inside a run, and record its id; doing it again changes nothing.

    `order` is the JSON text of a `TriggerOrder`.
    """

    run: str
    epoch: int
    key: str
    task: str
    order: bytes
    fingerprint: str = ""
    line: str = ""


class Sent(Message, frozen=True):
    """Send to a run from inside a run, and record the receipt; doing it again changes nothing."""

    run: str
    epoch: int
    key: str
    target: str
    stream: str
    body: bytes
    fingerprint: str = ""
    line: str = ""
    idempotency_key: str = ""


class Emitted(Message, frozen=True):
    """Append to an output stream of the run; `key` makes a repeat harmless."""

    run: str
    epoch: int
    stream: str
    key: str
    body: bytes


class Noted(Message, frozen=True):
    """Change metadata of the run; `value` is JSON text. `key` is what it is acknowledged by.

    `mark` is its place in the code, growing from one to the next: what is not beyond the last one
    was said before, and counts no second time. Without a mark only setting may be said again.
    """

    run: str
    epoch: int
    name: str
    value: bytes
    key: str = ""
    kind: EditKind = "set"
    mark: tuple[int, ...] = ()


SNAPSHOT_AT_MOST = 64 * 1_048_576
FOOTING_AT_MOST = 100
"""Functions in a footing."""
FUNCTIONS_AT_MOST = 2_000
"""Functions in a registration."""
FUNCTION_NAME_AT_MOST = 512


class Saved(Message, frozen=True):
    """Keep the sealed state of the run's code, as it is after its first `seen` entries.

    Nothing answers it, and it is not posted again. Nothing happens where the journal holds more:
    the worker hears of it. With `drops` the entries before are let go of. With `leaves` the worker
    gives the run up in the same commit, and hears `Ended`; it may, once the run waits. `footing`
    says what `body` stands on, for those who cannot open it.
    """

    run: str
    epoch: int
    seen: int
    body: bytes
    drops: bool = False
    leaves: bool = False
    footing: Footing | None = None


class Unfit(Message, frozen=True):
    """The snapshot cannot be used here: the run is assigned once more, without it.

    The snapshot stays where it is; the answer is `Assigned` with every entry that is still kept.
    """

    run: str
    epoch: int


class Completed(Message, frozen=True):
    """The task returned."""

    run: str
    epoch: int
    output: bytes


class Raised(Message, frozen=True):
    """The task raised; see `commands.Fail` for `undone`, `seen` and `revived`."""

    run: str
    epoch: int
    cause: Cause
    retry: Retry
    again: bool = True
    undone: int | None = None
    seen: int = 0
    revived: dict[str, int] = {}


class Yielded(Message, frozen=True):
    """The task ended with the cancellation that it was sent."""

    run: str
    epoch: int


class Blocked(Message, frozen=True):
    """The code does not fit the journal; `gap` says where, if accepting that may help."""

    run: str
    epoch: int
    cause: Cause
    gap: Gap | None = None


class Released(Message, frozen=True):
    """The worker gives the run back."""

    run: str
    epoch: int


class Renewed(Message, frozen=True):
    """The worker is alive; `slots` is how many runs it would execute at once."""

    slots: int


Operation: TypeAlias = (
    Standing
    | Parked
    | Left
    | Remembered
    | Started
    | Sent
    | Emitted
    | Noted
    | Saved
    | Unfit
    | Completed
    | Raised
    | Yielded
    | Blocked
    | Released
    | Renewed
)


# --- server to worker --------------------------------------------------------------------------


class Assigned(Message, frozen=True):
    """Execute this run. `payload` and `metadata` are JSON text; `newest` is unread, per stream.

    With a `snapshot` (else empty) the code goes on from it, and `entries` begin at number `saved`.
    Without one the code begins at its top, and `entries` begin at `base`: where that is not 0, what
    came before is gone, and only a snapshot can take its place. `code` is the version of the code
    that the run started on ("": unknown). `mark` is that of the last change of its metadata.
    """

    run: str
    epoch: int
    task: str
    attempt: int
    payload: bytes
    metadata: bytes
    entries: tuple[Entry, ...]
    newest: dict[str, tuple[int, bytes]]
    tags: tuple[str, ...] = ()
    stopping: bool = False
    snapshot: bytes = b""
    saved: int = 0
    base: int = 0
    code: str = ""
    mark: tuple[int, ...] = ()


class Told(Message, frozen=True):
    """Entries are durable. Those that the worker sent itself come back without their body."""

    run: str
    epoch: int
    entries: tuple[Entry, ...]


class Emit(Message, frozen=True):
    """An output record is durable."""

    run: str
    epoch: int
    key: str


class Note(Message, frozen=True):
    """Metadata is durable."""

    run: str
    epoch: int
    key: str


class Unread(Message, frozen=True):
    """The newest record of an input stream that nobody has taken yet."""

    run: str
    epoch: int
    stream: str
    seq: int
    body: bytes


class Stopping(Message, frozen=True):
    """The run has been told to stop: cancel its task."""

    run: str
    epoch: int


FAULT = "fault"


class Refusal(Message, frozen=True):
    """One operation was refused; nothing of it happened. `key` is empty where it had none.

    After the code `unavailable` it is posted again, in a new attachment: it may have happened.
    After `FAULT` nothing is: the server has a bug at this run, and the worker drops it.
    """

    run: str
    epoch: int
    key: str
    code: str
    message: str


class Fenced(Message, frozen=True):
    """The worker does not hold this run (any more): drop it without a trace."""

    run: str
    epoch: int


class Ended(Message, frozen=True):
    """The run's end (or its release) is durable; forget it."""

    run: str
    epoch: int


Push: TypeAlias = Assigned | Told | Emit | Note | Unread | Stopping | Refusal | Fenced | Ended

LARGE = 1_048_576
M = TypeVar("M", bound=Operation | Push)


def apart(messages: Sequence[M]) -> Iterator[Sequence[M]]:
    """Cut a batch, so that two that carry a large snapshot are not in one frame."""
    start = 0
    for n, message in enumerate(messages):
        if _weight(message) > LARGE and n > start:
            yield messages[start:n]
            start = n
    yield messages[start:]


def _weight(message: Operation | Push) -> int:
    match message:
        case Saved(body=body) | Assigned(snapshot=body):
            return len(body)
        case _:
            return 0


encode = msgspec.msgpack.Encoder().encode
decode_operations = msgspec.msgpack.Decoder(list[Operation]).decode
decode_pushes = msgspec.msgpack.Decoder(list[Push]).decode
decode_hello = msgspec.msgpack.Decoder(Hello).decode
