"""A worker by script: it posts operations and reads what is pushed, and executes nothing.

Must never know: what a task is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from headrace.engine.seats import Seat
from headrace.kernel.model import EPOCH, Cause, Ending, Entry, Key, Kind, Retry
from headrace.ports import Channel
from headrace.testing.contracts.puppet import Puppet
from headrace.wire import channel as ch
from headrace.wire.channel import Assigned, Hello, Holding, Push, Told
from tests.engine.house import House

P = TypeVar("P", bound=Push)
CAUSE = Cause("why", "ValueError")
POLICY = Retry(first_ms=1_000, jitter=False)


class Job:
    """One run in a worker's hands."""

    def __init__(self, worker: Worker, assigned: Assigned) -> None:
        self.worker, self.assigned = worker, assigned
        self.run, self.epoch = assigned.run, assigned.epoch
        self.start = assigned.saved if assigned.snapshot else assigned.base
        """The number of the first entry that was handed over."""
        self.entries = list(assigned.entries)
        self.next_n = self.start + len(self.entries)
        """The number of the entry that it expects next."""
        self.again: list[Entry] = []
        """Entries that were told a second time."""
        self._fresh: deque[Entry] = deque()

    @property
    def holding(self) -> Holding:
        """Return what a worker says of the run when it comes back."""
        return Holding(self.run, self.epoch, self.next_n)

    def moves_to(self, worker: Worker) -> None:
        """Go on in another attachment of the worker."""
        self.worker = worker

    async def told(self) -> Entry:
        """Wait for the next entry."""
        while not self._fresh:
            told = await self.worker.pushed(Told, self.run)
            assert told.epoch == self.epoch
            self._hear(told.entries)
        return self._fresh.popleft()

    def _hear(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            assert entry.n <= self.next_n, "an entry was left out"
            if entry.n < self.next_n:
                self.again.append(entry)
            else:
                self.next_n += 1
                self.entries.append(entry)
                self._fresh.append(entry)

    def post(self, *operations: ch.Operation) -> None:
        """Hand operations over, in one go."""
        self.worker.post(*operations)

    def stand(
        self,
        stream: str = "notes",
        key: str = "/q#0",
        *,
        timeout_ms: int = -1,
        until: int = 0,
        held: bool = False,
    ) -> None:
        """Wait for a record of `stream`, or ("") for the time."""
        self.post(
            ch.Standing(self.run, self.epoch, key, stream, timeout_ms, until=until, held=held)
        )

    def park(self) -> None:
        """Say that every branch stands in a wait."""
        self.post(ch.Parked(self.run, self.epoch, self.next_n))

    def leave(self, key: str = "/q#0") -> None:
        """Give up a wait."""
        self.post(ch.Left(self.run, self.epoch, key))

    def step(
        self, key: str, body: bytes = b"1", ending: Ending = "value", kind: Kind = "step"
    ) -> None:
        """Tell a result."""
        entry = Entry(0, Key(key), kind, ending, body, EPOCH)
        self.post(ch.Remembered(self.run, self.epoch, entry))

    def complete(self, output: bytes = b'"out"') -> None:
        """Return."""
        self.post(ch.Completed(self.run, self.epoch, output))

    def fail(
        self,
        *,
        again: bool = True,
        undone: int | None = None,
        revived: Mapping[str, int] | None = None,
    ) -> None:
        """Raise."""
        raised = ch.Raised(
            self.run,
            self.epoch,
            CAUSE,
            POLICY,
            again,
            undone,
            self.next_n,
            dict(revived or {}),
        )
        self.post(raised)

    def release(self) -> None:
        """Give the run back."""
        self.post(ch.Released(self.run, self.epoch))

    async def heard(self, kind: type[P]) -> P:
        """Wait to be told something else of the run, in this epoch."""
        push = await self.worker.pushed(kind, self.run)
        assert push.epoch == self.epoch
        return push


class Worker(Puppet):
    """One attached worker."""

    def __init__(self, name: str, channel: Channel) -> None:
        super().__init__(channel)
        self.name, self.channel = name, channel

    async def job(self, run: str) -> Job:
        """Wait for the run to be given to this worker."""
        return Job(self, await self.assigned(run))

    def unread(self, run: str = "") -> list[Push]:
        """Return what has been pushed (about the run) and not asked for yet."""
        assert isinstance(self.channel, Seat)
        out = self.channel._out  # pyright: ignore[reportPrivateUsage]  # a test may look inside
        return [push for push in (*self._seen, *out.values()) if push.run == (run or push.run)]


@asynccontextmanager
async def attached(
    house: House,
    *holdings: Holding,
    name: str = "worker",
    tasks: Sequence[str] = ("work", "short"),
    slots: int = 8,
    lasts: bool = True,
    version: str = "1",
) -> AsyncGenerator[Worker]:
    """Attach a worker; its lease lasts for ever, unless the test is about it."""
    hello = Hello(
        worker=name, version=version, tasks=tuple(tasks), slots=slots, holdings=tuple(holdings)
    )
    async with house.api.attach(hello) as channel:
        if lasts:
            await house.keep(name)
        yield Worker(name, channel)


async def parked(house: House, job: Job, stream: str = "notes", key: str = "/q#0") -> Job:
    """Stand durably in one wait, and park; return once that is on disk."""
    job.stand(stream, key, held=True)
    job.park()
    await house.rest()
    assert await house.status(job.run) == "WAITING"
    return job


def emitted(job: Job, key: str, body: bytes = b"1", stream: str = "tokens") -> ch.Emitted:
    """Return the operation that appends to an output stream."""
    return ch.Emitted(job.run, job.epoch, stream, key, body)


def sent(job: Job, key: str, target: str, body: bytes = b"1") -> ch.Sent:
    """Return the operation that sends to a run."""
    return ch.Sent(job.run, job.epoch, key, target, "notes", body)


def started(job: Job, key: str, task: str = "work", order: bytes = b"{}") -> ch.Started:
    """Return the operation that starts a run."""
    return ch.Started(job.run, job.epoch, key, task, order)
