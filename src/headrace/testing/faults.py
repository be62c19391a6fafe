"""A store that fails at one write: before it lands, or after it landed, with the reply lost.

    stores, faults = failing(stores, Fault(at=3, landed=True, crash=True))

Run a story once with `Fault(at=0)`, which never fails, and read `faults.writes`; then run it again
for every number up to that, with every kind of fault. Must never know: what a write means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

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
from headrace.ports import (
    NEVER,
    Appended,
    Backlog,
    Blobs,
    Catalog,
    Code,
    Created,
    Delivering,
    Draft,
    Filter,
    Leases,
    Order,
    Runs,
    Snapshots,
    Stores,
    Streams,
    Ticket,
)
from headrace.testing.faulting import Bug, Crash, Fault, Faults
from headrace.testing.faults_beside import (
    FailingCredentials,
    FailingNotebook,
    FailingPostponing,
    FailingRevisions,
    FailingTaken,
    FailingWaitpoints,
)
from headrace.wire.registration import Registration, StreamSpec, TaskSpec


def failing(stores: Stores, fault: Fault) -> tuple[Stores, Faults]:
    """Return `stores` with the fault built in, and what counts its writes."""
    faults, streams = Faults(fault), stores.streams
    return replace(
        stores,
        runs=FailingRuns(stores.runs, faults),
        revisions=FailingRevisions(stores.revisions, faults),
        notebook=FailingNotebook(stores.notebook, faults),
        taken=FailingTaken(stores.taken, faults),
        postponing=FailingPostponing(stores.postponing, faults),
        snapshots=FailingSnapshots(stores.snapshots, faults),
        streams=FailingDelivery(streams, streams, faults)
        if isinstance(streams, Delivering)
        else FailingStreams(streams, faults),
        waitpoints=FailingWaitpoints(stores.waitpoints, faults),
        leases=FailingLeases(stores.leases, faults),
        catalog=FailingCatalog(stores.catalog, faults),
        blobs=FailingBlobs(stores.blobs, faults),
        credentials=FailingCredentials(stores.credentials, faults),
    ), faults


class FailingRuns:
    """`Runs`; creating, committing, claiming and setting metadata are writes."""

    def __init__(self, inner: Runs, faults: Faults) -> None:
        self._inner, self._faults = inner, faults

    async def create(
        self, run: Run, order: Order, *, free: RunId | None = None, ticket: Ticket | None = None
    ) -> Created:
        """Add a run."""
        return await self._faults.write(
            lambda: self._inner.create(run, order, free=free, ticket=ticket)
        )

    async def load(self, run_id: RunId) -> Run | None:
        """Return the run."""
        return await self._faults.read(self._inner.load(run_id))

    async def order(self, run_id: RunId, *, most: int | None = None) -> Order | None:
        """Return what the run was started with."""
        return await self._faults.read(self._inner.order(run_id, most=most))

    async def commit(self, change: Change) -> None:
        """Apply `change`."""
        await self._faults.write(lambda: self._inner.commit(change))

    async def claim(
        self, command: Claim, env: EnvId, tasks: Sequence[TaskId], now: Instant, limit: int
    ) -> Sequence[Run]:
        """Apply `command` to queued runs."""
        return await self._faults.write(lambda: self._inner.claim(command, env, tasks, now, limit))

    async def journal(self, run_id: RunId, start: int = 0) -> Sequence[Entry]:
        """Return the entries."""
        return await self._faults.read(self._inner.journal(run_id, start))

    async def due(self, now: Instant, limit: int) -> Sequence[tuple[Instant, RunId]]:
        """List runs that are due."""
        return await self._faults.read(self._inner.due(now, limit))

    async def held(self, worker: WorkerId) -> Sequence[RunId]:
        """List what a worker holds."""
        return await self._faults.read(self._inner.held(worker))

    async def find(self, query: Filter) -> Sequence[Run]:
        """List runs."""
        return await self._faults.read(self._inner.find(query))

    async def metadata(self, run_id: RunId, value: bytes | None = None) -> bytes:
        """Set or return the metadata."""
        if value is None:
            return await self._faults.read(self._inner.metadata(run_id))
        return await self._faults.write(lambda: self._inner.metadata(run_id, value))


class FailingSnapshots:
    """`Snapshots`; they are only read, since changes of runs write them."""

    def __init__(self, inner: Snapshots, faults: Faults) -> None:
        self._inner, self._faults = inner, faults

    async def read(self, run_id: RunId, saved: int) -> bytes | None:
        """Return the snapshot."""
        return await self._faults.read(self._inner.read(run_id, saved))

    async def footing(self, run_id: RunId, saved: int) -> Footing | None:
        """Return what it stands on."""
        return await self._faults.read(self._inner.footing(run_id, saved))


class FailingStreams:
    """`Streams`; appending is a write."""

    def __init__(self, inner: Streams, faults: Faults) -> None:
        self._inner, self._faults = inner, faults

    async def append(self, draft: Draft) -> Appended:
        """Append a record."""
        return await self._faults.write(lambda: self._inner.append(draft))

    async def read(
        self, run_id: RunId, stream: StreamId, start: int, limit: int
    ) -> Sequence[Record]:
        """Return records."""
        return await self._faults.read(self._inner.read(run_id, stream, start, limit))

    async def known(self, run_id: RunId, stream: StreamId, key: bytes) -> Record | None:
        """Return the record under `key`."""
        return await self._faults.read(self._inner.known(run_id, stream, key))

    async def backlog(self, run_id: RunId, stream: StreamId, start: int) -> Backlog:
        """Weigh what stands."""
        return await self._faults.read(self._inner.backlog(run_id, stream, start))

    async def ends(self, run_id: RunId) -> Mapping[StreamId, Backlog]:
        """Weigh all streams."""
        return await self._faults.read(self._inner.ends(run_id))


class FailingDelivery(FailingStreams):
    """`Streams` that are `Delivering`: that is a write, too."""

    def __init__(self, inner: Streams, delivering: Delivering, faults: Faults) -> None:
        super().__init__(inner, faults)
        self._delivering = delivering

    async def deliver(self, drafts: Sequence[Draft], change: Change) -> None:
        """Append and apply."""
        await self._faults.write(lambda: self._delivering.deliver(drafts, change))


class FailingLeases:
    """`Leases`; all but looking is a write."""

    def __init__(self, inner: Leases, faults: Faults) -> None:
        self._inner, self._faults = inner, faults

    async def sit(self, worker: WorkerId, until: Instant) -> int:
        """Seat a worker."""
        return await self._faults.write(lambda: self._inner.sit(worker, until))

    async def renew(self, worker: WorkerId, until: Instant, seat: int) -> Instant:
        """Renew a lease."""
        return await self._faults.write(lambda: self._inner.renew(worker, until, seat))

    async def drop(self, worker: WorkerId, now: Instant) -> bool:
        """Give a worker up."""
        return await self._faults.write(lambda: self._inner.drop(worker, now))

    async def lapsed(self, now: Instant) -> Sequence[WorkerId]:
        """List lost workers."""
        return await self._faults.read(self._inner.lapsed(now))

    async def extend(self, until: Instant) -> None:
        """Extend every lease."""
        await self._faults.write(lambda: self._inner.extend(until))


class FailingCatalog:
    """`Catalog`; registering is a write."""

    def __init__(self, inner: Catalog, faults: Faults) -> None:
        self._inner, self._faults = inner, faults

    async def register(self, env: EnvId, registration: Registration, now: Instant) -> None:
        """Keep declarations."""
        await self._faults.write(lambda: self._inner.register(env, registration, now))

    async def task(self, env: EnvId, task_id: TaskId) -> TaskSpec | None:
        """Return a task."""
        return await self._faults.read(self._inner.task(env, task_id))

    async def stream(self, env: EnvId, name: str) -> StreamSpec | None:
        """Return a stream."""
        return await self._faults.read(self._inner.stream(env, name))

    async def listing(self, env: EnvId) -> Registration | None:
        """Return everything known."""
        return await self._faults.read(self._inner.listing(env))

    async def code(self, env: EnvId, task_id: TaskId) -> Code | None:
        """Return what a version is made of."""
        return await self._faults.read(self._inner.code(env, task_id))


class FailingBlobs:
    """`Blobs`; all but looking is a write."""

    def __init__(self, inner: Blobs, faults: Faults) -> None:
        self._inner, self._faults = inner, faults

    async def put(self, key: str, value: bytes, until: Instant = NEVER) -> None:
        """Store a value."""
        await self._faults.write(lambda: self._inner.put(key, value, until))

    async def first(self, key: str, value: bytes) -> bytes:
        """Store a value where there is none."""
        return await self._faults.write(lambda: self._inner.first(key, value))

    async def purge(self, now: Instant, limit: int) -> int:
        """Forget what is over; no write that anybody waits for."""
        return await self._faults.read(self._inner.purge(now, limit))

    async def get(self, key: str) -> bytes | None:
        """Return a value."""
        return await self._faults.read(self._inner.get(key))

    async def drop(self, key: str) -> None:
        """Forget a value."""
        await self._faults.write(lambda: self._inner.drop(key))


__all__ = ["Bug", "Crash", "FailingRuns", "FailingStreams", "Fault", "Faults", "failing"]
