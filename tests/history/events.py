"""What the processes of a reliability test saw and did: one JSON line per event.

Owns: the shapes, and how they reach the disk (each line is there before the process goes on).
Must never know: what is right or wrong about them.

`at` is the host's monotonic clock in nanoseconds, the same for all processes; instants (`_ms`) are
those of the store's clock. A `digest` stands for a body: every logical message of a history has
one of its own, and only a retry of the same message repeats it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeAlias

import msgspec

Ending: TypeAlias = Literal["value", "failure", "timeout", "cancelled"]


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    at: int


# --- send: one call, begun and ended once ----------------------------------------------------


class SendInvoke(_Event, frozen=True, kw_only=True, tag="send.invoke"):
    """A call begins. `key` is what tells a retry: the caller's, or that of the request."""

    id: str
    sender: str
    run: str
    stream: str
    key: str
    digest: str


class SendOk(_Event, frozen=True, kw_only=True, tag="send.ok"):
    """It was acknowledged."""

    id: str
    seq: int
    duplicate: bool = False


class SendFail(_Event, frozen=True, kw_only=True, tag="send.fail"):
    """It was refused: nothing may have been stored by this call."""

    id: str
    code: str


class SendInfo(_Event, frozen=True, kw_only=True, tag="send.info"):
    """It ended without an answer: it may or may not have happened."""

    id: str
    why: str


# --- take: what user code asked for and was given, in one life of a run ----------------------


class TakeInvoke(_Event, frozen=True, kw_only=True, tag="take.invoke"):
    """The code at `place` asks for the next value."""

    run: str
    stream: str
    place: str
    life: str


class TakeOk(_Event, frozen=True, kw_only=True, tag="take.ok"):
    """The code at `place` was answered. A life is one execution of the code, from its top."""

    run: str
    stream: str
    place: str
    life: str
    verb: str
    ending: Ending
    digest: str = ""


class Commit(_Event, frozen=True, kw_only=True, tag="commit.ok"):
    """Entry `n` of a run was written by the holder of `epoch`; in the order of `n`."""

    run: str
    n: int
    epoch: int


# --- leaving: what is saved, and what code that was saved comes back with ------------------------


class Saved(_Event, frozen=True, kw_only=True, tag="saved.ok"):
    """A snapshot stood on disk, for the entries of the journal below `seen`."""

    run: str
    seen: int


class Carried(_Event, frozen=True, kw_only=True, tag="carried.ok"):
    """What the variables of the code held once it had used the answer at `place`.

    `total` is made by `folded` of all the values that it was given, in their order.
    """

    run: str
    place: str
    life: str
    values: int
    total: str


class Unwound(_Event, frozen=True, kw_only=True, tag="unwound.ok"):
    """A `finally` has run; `answers` were given before."""

    run: str
    life: str
    answers: int


# --- final: what stands on disk in the end -----------------------------------------------------


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """One record of a log."""

    seq: int
    digest: str
    key: str = ""


class FinalLog(_Event, frozen=True, kw_only=True, tag="final.log"):
    """A stream of a run; `cursor` is the number of the next record that the run would take."""

    run: str
    stream: str
    records: tuple[Stored, ...]
    cursor: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One take or timer in a journal. `stream` is empty for a timer, `seq` is -1 for no record."""

    n: int
    key: str
    at_ms: int
    ending: Ending
    stream: str = ""
    seq: int = -1
    digest: str = ""
    deadline_ms: int | None = None


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """A wait that still stands. `stream` is empty for a timer."""

    key: str
    stream: str = ""
    deadline_ms: int | None = None


class FinalRun(_Event, frozen=True, kw_only=True, tag="final.run"):
    """A run and the answers in its journal; `over` is the name of its outcome, if it has one."""

    run: str
    now_ms: int
    over: str
    answers: tuple[Answer, ...]
    parked: tuple[Parked, ...] = ()


# --- what was done to the system ---------------------------------------------------------------


class Fault(_Event, frozen=True, kw_only=True, tag="fault.ok"):
    """Something was broken on purpose; `who` is the process, where lives are named after theirs."""

    kind: str
    who: str = ""


class Outage(_Event, frozen=True, kw_only=True, tag="outage.ok"):
    """Nobody could fire a timer from `from_ms` until `until_ms`."""

    from_ms: int
    until_ms: int


class Healed(_Event, frozen=True, kw_only=True, tag="healed.ok"):
    """What was broken at `since` is whole again; from here on nobody has an excuse."""

    kind: str
    since: int


Event: TypeAlias = (
    SendInvoke
    | SendOk
    | SendFail
    | SendInfo
    | TakeInvoke
    | TakeOk
    | Commit
    | Saved
    | Carried
    | Unwound
    | FinalLog
    | FinalRun
    | Fault
    | Outage
    | Healed
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Event).decode


def folded(total: str, message: str) -> str:
    """Return what `total` becomes by one more value, of which `message` is the digest."""
    return blake2b(f"{total} {message}".encode(), digest_size=8).hexdigest()


def instant() -> int:
    """Return the present by the clock that orders a history."""
    return time.monotonic_ns()


class Pen:
    """Writes events to a file of this process's own; each is on disk when `write` returns."""

    def __init__(self, path: Path, *, sync: bool = True) -> None:
        self._path, self._sync = path, sync
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, *events: Event) -> None:
        """Append the events; one write, so that a kill leaves whole lines but for the last."""
        os.write(self._file, b"".join(_encode(event) + b"\n" for event in events))
        if self._sync:
            os.fdatasync(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._file)


def read(path: Path) -> Iterator[Event]:
    """Yield the events of one file; a last line that a kill cut off never happened."""
    lines = path.read_bytes().split(b"\n")
    for line in lines[:-1]:
        yield _decode(line)


def merge(histories: Iterable[Iterable[Event]]) -> list[Event]:
    """Put the events of several processes in the order in which they happened."""
    return sorted((event for events in histories for event in events), key=lambda e: e.at)
