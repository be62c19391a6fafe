"""Attached workers, and which of them takes a run up.

Owns: slots and the pushes to a worker. Must never know: stores, desks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from headrace.kernel.commands import Claim
from headrace.kernel.model import EnvId, Instant, Key, RunId, StreamId, TaskId, WorkerId
from headrace.wire.channel import Hello, Operation, Push, Unread


@dataclass(slots=True)
class Hold:
    """How much a worker has been told of a run that it holds."""

    epoch: int
    next_n: int
    """The number of the entry that it will be told next."""
    is_stopping: bool
    shown: dict[StreamId, int] = field(default_factory=dict[StreamId, int])
    """The newest unread record that it was shown, per stream."""


Receive = Callable[["Seat", Sequence[Operation]], None]
Now = Callable[[], Instant]


class Seat:
    """One attached worker: a `Channel` on its side, a sink of pushes on the engine's."""

    def __init__(
        self, worker: WorkerId, env: EnvId, hello: Hello, receive: Receive, now: Now
    ) -> None:
        self.worker, self.env, self.version = worker, env, hello.version
        self.tasks = frozenset(TaskId(task) for task in hello.tasks)
        self.slots = hello.slots
        self.number = 0
        """Of its seats: the worker may have sat down elsewhere since."""
        self.heard = Instant(0)
        """When it last said that it is there."""
        self.lasts = Instant(0)
        """When its lease ends, as far as is known here."""
        self.running: set[RunId] = set()
        """Runs that it executes, or will as soon as a commit under way has landed."""
        self.reserved = 0
        """Slots for runs that are being claimed."""
        self.known: dict[RunId, Hold] = {}
        """Runs whose assignment, or whose missed entries, have been pushed."""
        self.pending: set[RunId] = set()
        """Runs that the worker says it holds, and that have not been looked at yet."""
        self.unheard: set[RunId] = set()
        """Runs that hold a slot though neither the store nor the worker knew of it a while ago."""
        self.strange: set[RunId] = set()
        """Runs that it holds by the store, and that it had not been told of a while ago."""
        self.answered: dict[RunId, dict[Key, int]] = {}
        """Answers that it may not have heard of, by key: it may post their questions again."""
        self.is_open = True
        self._receive, self._now = receive, now
        self._out: dict[tuple[str, str] | int, Push] = {}
        self._count = 0
        self._news = asyncio.Event()

    @property
    def claim(self) -> Claim:
        """Return the command by which the worker takes a run up."""
        return Claim(self.worker, self.version)

    @property
    def free(self) -> int:
        """Return how many more runs the worker would execute at once; none without a lease."""
        taken = len(self.running) + self.reserved
        return max(0, self.slots - taken) if self.is_open and self.lasts > self._now() else 0

    def takes(self, env: EnvId, task: TaskId) -> bool:
        """Tell whether the worker would take a run of the task up now."""
        return self.env == env and task in self.tasks and self.free > 0

    def drop(self, run_id: RunId) -> None:
        """Forget a run that the worker holds no more."""
        self.known.pop(run_id, None)
        self.answered.pop(run_id, None)
        self.running.discard(run_id)

    def push(self, message: Push) -> None:
        """Send to the worker, after all that was sent before.

        Of the unread records of a stream only the newest counts: one that has not gone out yet
        makes room, so that senders cannot fill this process's memory while a worker is slow.
        Records that a run takes need no bound: there is one for each wait that the worker posted.
        """
        self._count += 1
        if isinstance(message, Unread):
            self._out.pop((message.run, message.stream), None)
            self._out[message.run, message.stream] = message
        else:
            self._out[self._count] = message
        self._news.set()

    def close(self) -> None:
        """End the attachment; what was not sent yet, the next one makes good."""
        self.is_open = False
        self._news.set()

    def post(self, operations: Sequence[Operation]) -> None:
        """Take operations of the worker; those of an ended attachment do not count."""
        if self.is_open:
            self._receive(self, operations)

    @property
    def pushes(self) -> AsyncIterator[Sequence[Push]]:
        """Yield what is pushed, in batches."""
        return self._batches()

    async def _batches(self) -> AsyncIterator[Sequence[Push]]:
        while True:
            await self._news.wait()
            self._news.clear()
            if not self.is_open:
                return
            if self._out:
                batch = tuple(self._out.values())
                self._out.clear()
                yield batch


class Seats:
    """All attached workers of this process, and which tasks have runs queued in the store."""

    def __init__(self) -> None:
        self._seats: dict[WorkerId, Seat] = {}
        self._told: dict[RunId, Seat] = {}
        self._behind: set[tuple[EnvId, TaskId]] = set()

    def all(self) -> Sequence[Seat]:
        """List the attached workers."""
        return tuple(self._seats.values())

    def of(self, worker: WorkerId) -> Seat | None:
        """Return the worker's seat."""
        return self._seats.get(worker)

    def add(self, seat: Seat) -> None:
        """Seat a worker; an older attachment of the same worker ends."""
        if older := self._seats.get(seat.worker):
            self.remove(older)
        self._seats[seat.worker] = seat
        self.all_behind()

    def remove(self, seat: Seat) -> None:
        """Let a worker go."""
        seat.close()
        if self._seats.get(seat.worker) is seat:
            del self._seats[seat.worker]
        for run_id in seat.known:
            if self._told.get(run_id) is seat:
                del self._told[run_id]

    def told(self, run_id: RunId) -> Seat | None:
        """Return the worker that has been told of the run, and not of the end of its hold."""
        return self._told.get(run_id)

    def note(self, seat: Seat, run_id: RunId, hold: Hold) -> None:
        """Remember what the worker has been told of the run."""
        seat.known[run_id] = hold
        self._told[run_id] = seat

    def forget(self, run_id: RunId) -> None:
        """Forget what was told of the run."""
        if seat := self._told.pop(run_id, None):
            seat.drop(run_id)

    def pick(self, env: EnvId, task: TaskId) -> Seat | None:
        """Return the worker with most room for a run of `task`, unless older runs are queued."""
        if (env, task) in self._behind:
            return None
        fitting = (seat for seat in self._seats.values() if seat.takes(env, task))
        return max(fitting, key=lambda seat: seat.free, default=None)

    def fall_behind(self, env: EnvId, task: TaskId) -> None:
        """Note that a run of `task` was left queued in the store."""
        self._behind.add((env, task))

    def all_behind(self) -> None:
        """Assume that runs of every task are queued; the next look into the store tells."""
        for seat in self._seats.values():
            self._behind.update((seat.env, task) for task in seat.tasks)

    def backlog_of(self, seat: Seat) -> tuple[TaskId, ...]:
        """List the tasks of the worker of which runs may be queued in the store."""
        return tuple(task for task in seat.tasks if (seat.env, task) in self._behind)

    def catch_up(self, env: EnvId, tasks: Iterable[TaskId]) -> None:
        """Note that no more runs of these tasks are queued."""
        self._behind.difference_update((env, task) for task in tasks)
