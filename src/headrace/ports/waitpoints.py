"""What the engine needs of a store for waitpoints: values that are awaited by any number of runs.

A waitpoint is completed once, and only before its deadline by the store's own clock. A change of a
run keeps the store's list of who waits: it is written in the transaction of that change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from headrace.kernel.model import EnvId, Instant, RunId, StreamId, WaitpointId
from headrace.ports.storage import NEVER

WaitpointState: TypeAlias = Literal["WAITING", "COMPLETED", "TIMED_OUT"]


@dataclass(frozen=True, slots=True)
class RecordAt:
    """A record of a stream, whether it is there or to come."""

    run: RunId
    stream: StreamId
    seq: int


@dataclass(frozen=True, slots=True)
class Waitpoint:
    """A value to come. `output` is JSON text, empty for none.

    `callback` is a hash of the secret that completes it from outside. `key` is its maker's
    idempotency key, free again at `key_until`. One that `awaits` a record has no value of its
    own: that is read from the log, each time; its key is of that stream. `came` is when the record
    came, once that is settled for good; `EPOCH`: not in time.
    """

    id: WaitpointId
    env: EnvId
    created: Instant
    deadline: Instant | None = None
    callback: bytes = b""
    tags: tuple[str, ...] = ()
    key: str = ""
    key_until: Instant = NEVER
    completed: Instant | None = None
    output: bytes = b""
    awaits: RecordAt | None = None
    came: Instant | None = None

    def state(self, now: Instant) -> WaitpointState:
        """Tell how it stands at `now`."""
        if self.completed is not None or self.came:
            return "COMPLETED"
        if self.came is not None:
            return "TIMED_OUT"  # also by a clock that is behind
        is_late = self.deadline is not None and self.deadline <= now
        return "TIMED_OUT" if is_late else "WAITING"


@dataclass(frozen=True, slots=True)
class Retried:
    """The name of a client's call, the same on its retries, and when that is forgotten."""

    key: str
    until: Instant


@dataclass(frozen=True, slots=True)
class Issued:
    """The waitpoint that now stands under the keys: the new one, or (`cached`) an older one.

    What a client's own retry finds is not `cached`: it is what that client has made.
    """

    waitpoint: Waitpoint
    cached: bool = False


@dataclass(frozen=True, slots=True)
class WaitpointFilter:
    """Which waitpoints to find: newest first, `after` and `before` exclusive, as in `Filter`.

    One of the `tags` and one of the `states` (as they are at `now`) is enough; one that awaits a
    record is found whatever the `states`, since only the log tells. `since` and `until`
    (inclusive) limit when it was made.
    """

    env: EnvId
    size: int
    now: Instant
    after: WaitpointId | None = None
    before: WaitpointId | None = None
    states: tuple[WaitpointState, ...] = ()
    tags: tuple[str, ...] = ()
    key: str = ""
    since: Instant | None = None
    until: Instant | None = None


class Waitpoints(Protocol):
    """Waitpoints, and the runs that wait for them."""

    async def create(self, waitpoint: Waitpoint, retried: Retried | None = None) -> Issued:
        """Add a waitpoint, unless one of the keys is taken in its environment.

        Whether a key is free again is judged at the instant at which the new one was made.
        """
        ...

    async def load(self, waitpoint: WaitpointId) -> Waitpoint | None:
        """Return the waitpoint."""
        ...

    async def complete(self, waitpoint: WaitpointId, output: bytes) -> bool:
        """Write its value, if it has none and its deadline has not come; tell whether it was.

        One that awaits a record is never written.

        The time is that of the store when it writes, so that whoever has seen the deadline pass
        sees no completion after it.
        """
        ...

    async def settle(self, waitpoint: WaitpointId, came: Instant) -> Instant:
        """Write down when the record came that it awaits (`EPOCH`: not in time).

        What was written first stays, and is returned.
        """
        ...

    async def find(self, query: WaitpointFilter) -> Sequence[Waitpoint]:
        """List waitpoints of an environment."""
        ...

    async def waiters(self, waitpoint: WaitpointId) -> Sequence[RunId]:
        """List the runs that wait for it durably."""
        ...

    async def owed(self, limit: int) -> Sequence[tuple[RunId, WaitpointId]]:
        """List runs that wait durably for a waitpoint that has its value."""
        ...
