"""Leases, catalog and blobs in memory."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.backends.memory.tables import Tables
from headrace.kernel.model import EnvId, Instant, TaskId, WorkerId, later
from headrace.ports import NEVER, Code, Unseated
from headrace.wire.registration import Registration, StreamSpec, TaskSpec


class MemoryLeases:
    """The `Leases` port."""

    def __init__(self) -> None:
        self._ends: dict[WorkerId, Instant] = {}
        self._seats: dict[WorkerId, int] = {}

    async def sit(self, worker: WorkerId, until: Instant) -> int:
        """Seat the worker, with a lease until then; return the number of its seat."""
        self._ends[worker] = max(until, self._ends.get(worker, until))
        seat = self._seats[worker] = max(self._seats.get(worker, 0) + 1, until)
        return seat

    async def renew(self, worker: WorkerId, until: Instant, seat: int) -> None:
        """Set the end of the worker's lease, never to an earlier instant."""
        if self._seats.get(worker) != seat:
            raise Unseated
        self._ends[worker] = max(until, self._ends[worker])

    async def drop(self, worker: WorkerId, now: Instant) -> None:
        """Forget the worker, if its lease had ended by then."""
        if self._ends.get(worker, later(now, 1)) <= now:
            del self._ends[worker], self._seats[worker]

    async def lapsed(self, now: Instant) -> Sequence[WorkerId]:
        """List workers whose lease ended at or before `now`, longest ago first."""
        ended = [(end, worker) for worker, end in self._ends.items() if end <= now]
        return [worker for _, worker in sorted(ended)]

    async def extend(self, until: Instant) -> None:
        """Give every worker known at least until then."""
        self._ends = {worker: max(end, until) for worker, end in self._ends.items()}


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
