"""A store that can be held up at a read, or made to fail at a write, whenever a test says so.

Must never know: engines.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import TypeVar

from headrace.errors import Unavailable
from headrace.kernel.commands import Change, Claim
from headrace.kernel.model import (
    Entry,
    EnvId,
    Instant,
    Record,
    Run,
    RunId,
    StreamId,
    TaskId,
    WorkerId,
)
from headrace.ports import Created, Delivering, Order, Runs, Stores, Ticket, Wakeups
from headrace.testing.faults import (
    Bug,
    FailingBlobs,
    FailingCatalog,
    FailingDelivery,
    FailingLeases,
    FailingRuns,
    FailingStreams,
    Fault,
    Faults,
)
from headrace.testing.faults_beside import FailingNotebook, FailingPostponing

T = TypeVar("T")


class Gates(Faults):
    """Lets everything through, until it is told otherwise."""

    def __init__(self) -> None:
        super().__init__(Fault(at=0))
        self.may_write = _open()
        self.may_know = _open()
        self.held_up = 0
        """Writes that stand before the closed gate."""
        self.may_claim = _open()
        self.claiming = self.claims = self.dues = 0
        self.limits = list[int]()
        self.may_list = _open()
        self.listing = 0
        """Questions what a worker holds that stand before the closed gate."""
        self.may_create = _open()
        self.creating = 0
        self.may_commit = _open()
        self.committing = 0
        self.commits_fail = self.orders_fail = self.journals_fail = False
        self.failed_orders = 0
        self.broken = self.broken_journal = RunId("")
        """A run that cannot be written, or read, by a bug."""
        self.hints_fail = False

    def fail_next(self, *, landed: bool = False, bug: bool = False, spared: int = 0) -> None:
        """Answer the next write but the `spared` with `Unavailable` (or by a bug), done or not."""
        self.fault = Fault(at=self.writes + 1 + spared, landed=landed, bug=bug)

    async def write(self, call: Callable[[], Awaitable[T]]) -> T:
        """Do the write once it may be done."""
        self.held_up += 1
        await self.may_write.wait()
        self.held_up -= 1
        return await super().write(call)


class GatedRuns(FailingRuns):
    """Runs that count claims, and whose orders may be unreadable."""

    def __init__(self, inner: Runs, gates: Gates) -> None:
        super().__init__(inner, gates)
        self._gates = gates

    async def order(self, run_id: RunId, *, most: int | None = None) -> Order | None:
        """Return what the run was started with, or fail."""
        if self._gates.orders_fail:
            self._gates.failed_orders += 1
            raise Unavailable("a read was made to fail")
        return await super().order(run_id, most=most)

    async def create(
        self, run: Run, order: Order, *, free: RunId | None = None, ticket: Ticket | None = None
    ) -> Created:
        """Add a run once that may be done."""
        self._gates.creating += 1
        await self._gates.may_create.wait()
        self._gates.creating -= 1
        return await super().create(run, order, free=free, ticket=ticket)

    async def journal(self, run_id: RunId, start: int = 0) -> Sequence[Entry]:
        """Return the entries, or fail."""
        if self._gates.journals_fail:
            raise Unavailable("a read was made to fail")
        if run_id == self._gates.broken_journal:
            raise Bug("this journal cannot be read")
        return await super().journal(run_id, start)

    async def due(self, now: Instant, limit: int) -> Sequence[tuple[Instant, RunId]]:
        """List runs that are due, and count how often that is asked."""
        self._gates.dues += 1
        return await super().due(now, limit)

    async def held(self, worker: WorkerId) -> Sequence[RunId]:
        """List what a worker holds once that may be done."""
        self._gates.listing += 1
        await self._gates.may_list.wait()
        self._gates.listing -= 1
        return await super().held(worker)

    async def commit(self, change: Change) -> None:
        """Apply `change` once that may be done, or fail."""
        self._gates.committing += 1
        await self._gates.may_commit.wait()
        self._gates.committing -= 1
        if self._gates.commits_fail:
            raise Unavailable("a commit was made to fail")
        if change.before.id == self._gates.broken:
            raise Bug("this run cannot be written")
        await super().commit(change)

    async def claim(
        self, command: Claim, env: EnvId, tasks: Sequence[TaskId], now: Instant, limit: int
    ) -> Sequence[Run]:
        """Apply `command` to queued runs once that may be done."""
        self._gates.claiming += 1
        await self._gates.may_claim.wait()
        self._gates.claiming -= 1
        claimed = await super().claim(command, env, tasks, now, limit)
        self._gates.claims += len(claimed)
        self._gates.limits.append(limit)
        return claimed


class GatedStreams(FailingDelivery):
    """Streams whose look-up of a key can be held up."""

    def __init__(self, stores: Stores, gates: Gates) -> None:
        assert isinstance(stores.streams, Delivering)
        super().__init__(stores.streams, stores.streams, gates)
        self._gates = gates

    async def known(self, run_id: RunId, stream: StreamId, key: bytes) -> Record | None:
        """Return the record under `key`, as it was when this was asked."""
        found = await super().known(run_id, stream, key)
        await self._gates.may_know.wait()
        return found


class GatedWakeups:
    """Hints that may not get through."""

    def __init__(self, inner: Wakeups, gates: Gates) -> None:
        self._inner, self._gates = inner, gates

    async def announce(self, run_id: RunId, by: str = "") -> None:
        """Give a hint, or fail."""
        if self._gates.hints_fail:
            raise Unavailable("a hint was made to fail")
        await self._inner.announce(run_id, by)

    def listen(self, but: str = "") -> AbstractAsyncContextManager[AsyncIterator[RunId]]:
        """Hear hints."""
        return self._inner.listen(but)


def gated(stores: Stores) -> tuple[Stores, Gates]:
    """Return `stores` behind gates."""
    gates = Gates()
    return behind(stores, gates), gates


def behind(stores: Stores, gates: Gates, *, delivers: bool = True) -> Stores:
    """Return `stores` behind these gates, able to append and commit at once or not."""
    streams = stores.streams
    return replace(
        stores,
        runs=GatedRuns(stores.runs, gates),
        notebook=FailingNotebook(stores.notebook, gates),
        postponing=FailingPostponing(stores.postponing, gates),
        streams=GatedStreams(stores, gates) if delivers else FailingStreams(streams, gates),
        leases=FailingLeases(stores.leases, gates),
        catalog=FailingCatalog(stores.catalog, gates),
        wakeups=GatedWakeups(stores.wakeups, gates),
        blobs=FailingBlobs(stores.blobs, gates),
    )


def _open() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event
