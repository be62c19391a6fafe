"""What the engine needs from a store, and no more.

Every method is one transaction, durable when it returns; after an `Unavailable` it may or may not
have happened, and doing it again is safe. Ids of runs are unique across environments; every row
carries its environment all the same, and whoever serves a caller compares it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from headrace.kernel.commands import Change, Claim
from headrace.kernel.model import (
    Entry,
    EnvId,
    Footing,
    Instant,
    Record,
    Run,
    RunId,
    StreamId,
    TaskId,
    WorkerId,
)
from headrace.ports.notes import Ticket
from headrace.wire.registration import Registration, StreamSpec, TaskSpec

NEVER = Instant(0)


class Conflict(Exception):
    """The run is no longer as it was read; read again and decide again. Nothing was written."""


class Clash(Exception):
    """The journal holds another answer under that key, the log another record under that number.

    Nothing was written. Read again: most likely this very write had landed before.
    """


@dataclass(frozen=True, slots=True)
class Debouncing:
    """Of the runs under `key` within (environment, task) one at a time is delayed.

    One that was created before `since` makes room for the next.
    """

    key: str
    since: Instant = NEVER


@dataclass(frozen=True, slots=True)
class Order:
    """What a run was started with. `payload` and `metadata` are JSON text.

    It never changes while it can be executed, but for its `tags`, to which some may be added
    (`Notebook`); that of a delayed run may be replaced (`Postponing`). `named` is what its caller
    calls the idempotency key, where `key` is a hash of it. `debounce` is for the creation, and not
    kept. `is_large` tells that the payload was left out.

    `key` is the caller's idempotency key and `request_key` that of the client's retries, each a
    space of its own within (environment, task); they are free again at their instants, compared
    with `created` of the run that asks for them (`NEVER`: they stay taken).
    """

    payload: bytes = b""
    metadata: bytes = b""
    tags: tuple[str, ...] = ()
    key: str = ""
    key_until: Instant = NEVER
    request_key: str = ""
    request_until: Instant = NEVER
    parent: RunId | None = None
    ttl: str = ""
    named: str = ""
    test: bool = False
    debounce: Debouncing | None = None
    is_large: bool = False


@dataclass(frozen=True, slots=True)
class Created:
    """The run that now stands under the order's keys: the new one, or (`cached`) an older one.

    `by_request` tells that the client's own retry found it, `delayed` that it is delayed under the
    key of `Debouncing`; else it was the caller's key.
    """

    run_id: RunId
    cached: bool = False
    by_request: bool = False
    delayed: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A record to append at `seq`.

    `key` tells a repeat within the run and stream, `digest` whether its body was another.
    Without a key there are no repeats. `body` is JSON text. `epoch` is that of the run when this
    was decided: where no transaction checks it, nothing follows on what a later life has written.
    """

    run_id: RunId
    stream: StreamId
    seq: int
    body: bytes
    at: Instant
    key: bytes = b""
    digest: bytes = b""
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Appended:
    """Where the record stands. `same` is False for a repeat of the key with another body."""

    seq: int
    duplicate: bool = False
    same: bool = True


@dataclass(frozen=True, slots=True)
class Backlog:
    """What stands in a stream from a number on. `tail` is the number of the next record."""

    tail: int = 0
    count: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Filter:
    """Which runs to find: newest first, `after`/`before` exclusive, states by class name.

    `after` is the last run of the page before, `before` the first of the page after; where no such
    run is, nothing is found. The class of its outcome is a name for a run that is over as well.
    One of the `tags` is enough. `waiting` demands that a durable wait stands. `versions` are those
    of the code that it began on; `since` and `until`, both inclusive, say when it was created.
    """

    env: EnvId
    size: int
    after: RunId | None = None
    before: RunId | None = None
    states: tuple[str, ...] = ()
    tasks: tuple[TaskId, ...] = ()
    tags: tuple[str, ...] = ()
    waiting: bool = False
    versions: tuple[str, ...] = ()
    since: Instant | None = None
    until: Instant | None = None
    test: bool | None = None


class Runs(Protocol):
    """Runs, their orders and journals."""

    async def create(
        self, run: Run, order: Order, *, free: RunId | None = None, ticket: Ticket | None = None
    ) -> Created:
        """Add a run, unless its id or one of the order's keys is taken (expired keys are not).

        The keys of run `free` are given up in the same transaction. A `ticket` is used up by the
        run that is created; `Spent` if it was before, unless the request is a client's retry.
        """
        ...

    async def load(self, run_id: RunId) -> Run | None:
        """Return the run, without the waits that live in memory only."""
        ...

    async def order(self, run_id: RunId, *, most: int | None = None) -> Order | None:
        """Return what the run was started with; a payload of more than `most` bytes is left out."""
        ...

    async def commit(self, change: Change) -> None:
        """Apply `change` whole, or raise and leave everything as it was.

        A stored output is kept for good, from then on. `Conflict` when the stored version is not
        that of `change.before`, when a wait for a waitpoint times out that has its value, or when
        the stored output is not there; `Clash` when the journal holds another answer under
        a key. A change without a difference only checks.
        """
        ...

    async def claim(
        self, command: Claim, env: EnvId, tasks: Sequence[TaskId], now: Instant, limit: int
    ) -> Sequence[Run]:
        """Apply `command` to up to `limit` runs of these tasks that are ready, oldest first.

        What is past its time to live is not (`machine.is_ready`): it is left to expire.
        """
        ...

    async def journal(self, run_id: RunId, start: int = 0) -> Sequence[Entry]:
        """Return the entries numbered `start` and above that are still kept, in order."""
        ...

    async def due(self, now: Instant, limit: int) -> Sequence[tuple[Instant, RunId]]:
        """List runs whose `machine.due` is at or before `now`, earliest first."""
        ...

    async def held(self, worker: WorkerId) -> Sequence[RunId]:
        """List the runs that `worker` holds, running or warm."""
        ...

    async def find(self, query: Filter) -> Sequence[Run]:
        """List runs of an environment."""
        ...

    async def metadata(self, run_id: RunId, value: bytes | None = None) -> bytes:
        """Set the run's metadata (JSON text) if given; return it: at first that of its order.

        Whoever reads it first, and others may write meanwhile, does so by `Notebook`.
        """
        ...


class Snapshots(Protocol):
    """The state of runs' code, sealed by their workers: nobody here looks inside.

    They come and go with the changes of their runs, in the same transaction.
    """

    async def read(self, run_id: RunId, saved: int) -> bytes | None:
        """Return the run's snapshot, if it is the one that was taken at entry number `saved`."""
        ...

    async def footing(self, run_id: RunId, saved: int) -> Footing | None:
        """Return what that snapshot stands on, if its worker has said so."""
        ...


class Streams(Protocol):
    """Durable ordered logs, one per (run, stream); a stream exists as long as its run."""

    async def append(self, draft: Draft) -> Appended:
        """Append at `draft.seq`, or return where its key stands.

        `Clash` when that is not the stream's next number.
        """
        ...

    async def read(
        self, run_id: RunId, stream: StreamId, start: int, limit: int
    ) -> Sequence[Record]:
        """Return up to `limit` records from number `start` on, in order, without gaps."""
        ...

    async def known(self, run_id: RunId, stream: StreamId, key: bytes) -> Record | None:
        """Return the record that was appended under `key` (its body may be left out)."""
        ...

    async def backlog(self, run_id: RunId, stream: StreamId, start: int) -> Backlog:
        """Weigh what stands from number `start` on."""
        ...

    async def ends(self, run_id: RunId) -> Mapping[StreamId, Backlog]:
        """Weigh the whole of each stream of the run that holds a record."""
        ...


@runtime_checkable
class Delivering(Protocol):
    """The capability to append and to commit in one transaction: speed, not correctness."""

    async def deliver(self, drafts: Sequence[Draft], change: Change) -> None:
        """Append every draft at its number and apply `change`, whole or not at all.

        `Conflict` and `Clash` as in `commit`; `Clash` also when a draft's key is taken, or its
        number is not the stream's next.
        """
        ...


@dataclass(frozen=True, slots=True)
class Code:
    """What a version of the code is made of: Python's minor version, functions' fingerprints."""

    version: str
    python: str = ""
    functions: Mapping[str, str] = field(default_factory=dict[str, str])


class Catalog(Protocol):
    """What the workers of an environment have declared. Registrations are durable."""

    async def register(self, env: EnvId, registration: Registration, now: Instant) -> None:
        """Keep a version's tasks and streams; the latest registration of a name counts."""
        ...

    async def task(self, env: EnvId, task_id: TaskId) -> TaskSpec | None:
        """Return the task's latest declaration by any version."""
        ...

    async def stream(self, env: EnvId, name: str) -> StreamSpec | None:
        """Return the stream's latest declaration by any version."""
        ...

    async def listing(self, env: EnvId) -> Registration | None:
        """Return everything known, under the latest version; `None` before any registration.

        What the versions are made of is left out.
        """
        ...

    async def code(self, env: EnvId, task_id: TaskId) -> Code | None:
        """Return what the version is made of that declared the task last."""
        ...


class Blobs(Protocol):
    """Large values, by key."""

    async def put(self, key: str, value: bytes, until: Instant = NEVER) -> None:
        """Store the value; the same key again replaces it. From `until` on it may be purged."""
        ...

    async def first(self, key: str, value: bytes) -> bytes:
        """Store the value for good if the key has none; return the one that it has now."""
        ...

    async def get(self, key: str) -> bytes | None:
        """Return the value."""
        ...

    async def drop(self, key: str) -> None:
        """Forget the value."""
        ...

    async def purge(self, now: Instant, limit: int) -> int:
        """Forget up to `limit` values whose time was over at `now`; say how many."""
        ...


class Clock(Protocol):
    """The store's time."""

    def now(self) -> Instant:
        """Return the present instant; it never goes back."""
        ...

    async def sleep_until(self, moment: Instant) -> None:
        """Return once `now()` has reached `moment`, or somewhat earlier; never much later."""
        ...


class Chance(Protocol):
    """Where randomness comes from."""

    def jitter(self) -> float:
        """Return a number in [0, 1)."""
        ...

    def unique(self, size: int) -> bytes:
        """Return `size` unpredictable bytes."""
        ...
