"""Leases, catalog and blobs in memory."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.backends.memory.tables import Lease, Tables
from headrace.kernel import machine
from headrace.kernel.model import EnvId, Instant, TaskId, WorkerId
from headrace.ports import NEVER, Code, Unseated
from headrace.wire.registration import Registration, StreamSpec, TaskSpec


class MemoryLeases:
    """The `Leases` port."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def sit(self, worker: WorkerId, until: Instant) -> int:
        """Seat the worker, with a lease until then; return the number of its seat."""
        last = self._tables.leases.get(worker, Lease(until, 0))
        seat = max(last.seat + 1, until)
        self._tables.leases[worker] = Lease(max(until, last.until), seat)
        return seat

    async def renew(self, worker: WorkerId, until: Instant, seat: int) -> Instant:
        """Set the end of the worker's lease, never to an earlier instant; return it."""
        last = self._tables.leases.get(worker)
        if last is None or last.seat != seat:
            raise Unseated
        lease = self._tables.leases[worker] = Lease(max(until, last.until), seat)
        return lease.until

    async def drop(self, worker: WorkerId, now: Instant) -> bool:
        """Give the worker up if its lease had ended by then; tell whether it has none."""
        leases = self._tables.leases
        if worker in leases and leases[worker].until <= now:
            del leases[worker]
        return worker not in leases

    async def lapsed(self, now: Instant) -> Sequence[WorkerId]:
        """List workers that hold runs without a lease, then those whose lease had ended."""
        leases = self._tables.leases
        holders = {machine.holder(run) for run in self._tables.runs.values()}
        lost = [worker for worker in holders if worker is not None and worker not in leases]
        found = [(NEVER, worker) for worker in lost]
        found += [(lease.until, worker) for worker, lease in leases.items() if lease.until <= now]
        return [worker for _, worker in sorted(found)]

    async def extend(self, until: Instant) -> None:
        """Give every worker known at least until then."""
        for worker, lease in self._tables.leases.items():
            self._tables.leases[worker] = Lease(max(lease.until, until), lease.seat)


class MemoryCatalog:
    """The `Catalog` port."""

    def __init__(self) -> None:
        self._latest: dict[EnvId, str] = {}
        self._codes: dict[tuple[EnvId, str], Code] = {}
        self._declared: dict[tuple[EnvId, str], str] = {}
        """The version that declared a task last."""
        self._tasks: dict[tuple[EnvId, str], TaskSpec] = {}
        self._streams: dict[tuple[EnvId, str], StreamSpec] = {}

    async def register(self, env: EnvId, registration: Registration, now: Instant) -> None:  # noqa: ARG002 - others keep it
        """Keep a version's tasks and streams; the latest registration of a name counts."""
        version = self._latest[env] = registration.version
        code = Code(version, registration.python, registration.functions)
        self._codes[env, version] = code
        self._declared.update({(env, task.id): version for task in registration.tasks})
        self._tasks.update({(env, task.id): task for task in registration.tasks})
        self._streams.update({(env, one.name): one for one in registration.streams})

    async def task(self, env: EnvId, task_id: TaskId) -> TaskSpec | None:
        """Return the task's latest declaration by any version."""
        return self._tasks.get((env, task_id))

    async def stream(self, env: EnvId, name: str) -> StreamSpec | None:
        """Return the stream's latest declaration by any version."""
        return self._streams.get((env, name))

    async def listing(self, env: EnvId) -> Registration | None:
        """Return everything known, by name, under the latest version."""
        if env not in self._latest:
            return None
        tasks = sorted(key for key in self._tasks if key[0] == env)
        streams = sorted(key for key in self._streams if key[0] == env)
        return Registration(
            version=self._latest[env],
            tasks=tuple(self._tasks[key] for key in tasks),
            streams=tuple(self._streams[key] for key in streams),
        )

    async def code(self, env: EnvId, task_id: TaskId) -> Code | None:
        """Return what the version is made of that declared the task last."""
        version = self._declared.get((env, task_id))
        return None if version is None else self._codes[env, version]


class MemoryBlobs:
    """The `Blobs` port."""

    def __init__(self, tables: Tables) -> None:
        self._values = tables.blobs

    async def put(self, key: str, value: bytes, until: Instant = NEVER) -> None:
        """Store the value; the same key again replaces it."""
        self._values[key] = until, value

    async def first(self, key: str, value: bytes) -> bytes:
        """Store the value if the key has none; return the one that it has now."""
        return self._values.setdefault(key, (NEVER, value))[1]

    async def get(self, key: str) -> bytes | None:
        """Return the value."""
        return self._values.get(key, (NEVER, None))[1]

    async def drop(self, key: str) -> None:
        """Forget the value."""
        self._values.pop(key, None)

    async def purge(self, now: Instant, limit: int) -> int:
        """Forget up to `limit` values whose time was over at `now`; say how many."""
        ended = [(until, key) for key, (until, _) in self._values.items() if NEVER < until <= now]
        over = sorted(ended)[:limit]
        for _, key in over:
            del self._values[key]
        return len(over)
