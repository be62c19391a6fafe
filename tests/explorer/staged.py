"""The memory backend as the processes of a play see it: each verb is a move.

Owns: which verbs are moves, and what each touches. These are none: `order`, `metadata` and notes,
which no play changes, and leases, catalog, hints and blobs, which no play is about: no lease
lapses, and every hint is lost, which by law 9 costs time only. Timers run in the process that has
them. Nobody follows runs, so `revisions` are no moves either.
Where all share one process, the answer to a write is a move as well: what is on disk may not be
known yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from headrace.backends.memory.around import MemoryBlobs, MemoryCatalog, MemoryLeases
from headrace.backends.memory.keys import MemoryCredentials
from headrace.backends.memory.notes import MemoryNotebook, MemoryTaken
from headrace.backends.memory.postponing import MemoryPostponing
from headrace.backends.memory.revisions import MemoryRevisions
from headrace.backends.memory.runs import MemoryRuns, MemorySnapshots
from headrace.backends.memory.streams import MemoryStreams
from headrace.backends.memory.waitpoints import MemoryWaitpoints
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
    WaitpointId,
    WorkerId,
)
from headrace.ports import (
    Appended,
    Backlog,
    Created,
    Draft,
    Filter,
    Issued,
    Order,
    Retried,
    Stores,
    Ticket,
    Waitpoint,
    WaitpointFilter,
)
from tests.explorer.laws import breaches
from tests.explorer.stage import LOG, RUN, TOKEN, Fails, Stage

_RUN: Final = frozenset({RUN})
_LOG: Final = frozenset({LOG})
_BOTH: Final = _RUN | _LOG
_TOKEN: Final = frozenset({TOKEN})


@dataclass(frozen=True, slots=True)
class Process:
    """One server of the play."""

    stage: Stage
    name: str
    has_timers: bool = True
    is_alone: bool = False

    async def read(self, verb: str, what: frozenset[str]) -> None:
        await self.stage.turn(self.name, verb, reads=what)

    async def write(self, verb: str, what: frozenset[str], fails: Fails | None = None) -> None:
        await self.stage.turn(self.name, verb, reads=what, writes=what, fails=fails)

    async def answered(self, verb: str) -> None:
        if self.is_alone:
            await self.stage.turn(self.name, f"{verb} is known")


class StagedRuns:
    """The `Runs` port, move by move."""

    def __init__(self, process: Process, *, delivering: bool) -> None:
        self._process, self._delivering = process, delivering
        self._runs = MemoryRuns(process.stage.tables)

    async def create(
        self, run: Run, order: Order, *, free: RunId | None = None, ticket: Ticket | None = None
    ) -> Created:
        await self._process.write("create", _RUN)
        return await self._runs.create(run, order, free=free, ticket=ticket)

    async def load(self, run_id: RunId) -> Run | None:
        await self._process.read("load", _RUN)
        return await self._runs.load(run_id)

    async def order(self, run_id: RunId, *, most: int | None = None) -> Order | None:
        return await self._runs.order(run_id, most=most)

    async def commit(self, change: Change) -> None:
        stage, before = self._process.stage, change.before
        # Versions only grow: who comes too late will not come in time later on.
        is_late: Fails = lambda: stage.tables.runs[before.id].version > before.version  # noqa: E731
        await self._process.write("commit", _RUN, is_late)
        dropped = _about_to_drop(stage, change)
        await self._runs.commit(change)
        stage.dropped += dropped
        stage.wrong += breaches(stage.tables, change, stage.now, atomic=self._delivering)
        await self._process.answered("commit")

    async def claim(
        self, command: Claim, env: EnvId, tasks: Sequence[TaskId], now: Instant, limit: int
    ) -> Sequence[Run]:
        await self._process.write("claim", _RUN)
        claimed = await self._runs.claim(command, env, tasks, now, limit)
        await self._process.answered("claim")
        return claimed

    async def journal(self, run_id: RunId, start: int = 0) -> Sequence[Entry]:
        await self._process.read("journal", _RUN)
        return await self._runs.journal(run_id, start)

    async def due(self, now: Instant, limit: int) -> Sequence[tuple[Instant, RunId]]:
        if not self._process.has_timers:
            return ()
        await self._process.read("due", _RUN)
        return await self._runs.due(now, limit)

    async def held(self, worker: WorkerId) -> Sequence[RunId]:
        await self._process.read("held", _RUN)
        return await self._runs.held(worker)

    async def find(self, query: Filter) -> Sequence[Run]:
        await self._process.read("find", _RUN)
        return await self._runs.find(query)

    async def metadata(self, run_id: RunId, value: bytes | None = None) -> bytes:
        return await self._runs.metadata(run_id, value)


class StagedSnapshots:
    """The `Snapshots` port, move by move."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._snapshots = MemorySnapshots(process.stage.tables)

    async def read(self, run_id: RunId, saved: int) -> bytes | None:
        await self._process.read("snapshot", _RUN)
        return await self._snapshots.read(run_id, saved)

    async def footing(self, run_id: RunId, saved: int) -> Footing | None:
        return await self._snapshots.footing(run_id, saved)


class StagedStreams:
    """The `Streams` port, move by move: a log that is not in the database of the runs."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._streams = MemoryStreams(process.stage.tables)

    async def append(self, draft: Draft) -> Appended:
        await self._process.write("append", _LOG)
        appended = await self._streams.append(draft)
        await self._process.answered("append")
        return appended

    async def read(
        self, run_id: RunId, stream: StreamId, start: int, limit: int
    ) -> Sequence[Record]:
        await self._process.read("read", _LOG)
        return await self._streams.read(run_id, stream, start, limit)

    async def known(self, run_id: RunId, stream: StreamId, key: bytes) -> Record | None:
        await self._process.read("known", _LOG)
        return await self._streams.known(run_id, stream, key)

    async def backlog(self, run_id: RunId, stream: StreamId, start: int) -> Backlog:
        await self._process.read("backlog", _LOG)
        return await self._streams.backlog(run_id, stream, start)

    async def ends(self, run_id: RunId) -> Mapping[StreamId, Backlog]:
        await self._process.read("ends", _LOG)
        return await self._streams.ends(run_id)


class StagedDelivering(StagedStreams):
    """The same with the capability `Delivering`: log and runs in one database."""

    async def deliver(self, drafts: Sequence[Draft], change: Change) -> None:
        await self._process.write("deliver", _BOTH)
        stage = self._process.stage
        dropped = _about_to_drop(stage, change)
        await self._streams.deliver(drafts, change)
        stage.dropped += dropped
        stage.wrong += breaches(stage.tables, change, stage.now, atomic=True, drafts=drafts)
        await self._process.answered("deliver")


class StagedWaitpoints:
    """The `Waitpoints` port, move by move: in the database of the runs.

    A run's change looks at the waitpoint, which is why nobody's completion may be put behind it.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._waitpoints = MemoryWaitpoints(process.stage.tables, StagedClock(process))

    async def create(self, waitpoint: Waitpoint, retried: Retried | None = None) -> Issued:
        return await self._waitpoints.create(waitpoint, retried)

    async def load(self, waitpoint: WaitpointId) -> Waitpoint | None:
        await self._process.read("token", _TOKEN)
        return await self._waitpoints.load(waitpoint)

    async def complete(self, waitpoint: WaitpointId, output: bytes) -> bool:
        await self._move("complete", writes=_TOKEN | _RUN)
        stage = self._process.stage
        before = stage.tables.waitpoints[waitpoint]
        is_done = await self._waitpoints.complete(waitpoint, output)
        if before.completed is not None and stage.tables.waitpoints[waitpoint] != before:
            stage.wrong.append("a token was completed twice")
        await self._process.answered("complete")
        return is_done

    async def settle(self, waitpoint: WaitpointId, came: Instant) -> Instant:
        return await self._waitpoints.settle(waitpoint, came)

    async def _move(self, verb: str, writes: frozenset[str] = frozenset()) -> None:
        """Take a turn also in an actor's own task: what it does here is not decided at a desk."""
        process = self._process
        await process.stage.cue(process.name, verb, reads=_TOKEN | _RUN, writes=writes)

    async def find(self, query: WaitpointFilter) -> Sequence[Waitpoint]:
        return await self._waitpoints.find(query)

    async def waiters(self, waitpoint: WaitpointId) -> Sequence[RunId]:
        await self._move("waiters")
        return await self._waitpoints.waiters(waitpoint)

    async def owed(self, limit: int) -> Sequence[tuple[RunId, WaitpointId]]:
        # No move: it is asked again and again, and finds what a move before has left.
        if not self._process.has_timers:
            return ()
        return await self._waitpoints.owed(limit)


class NoHints:
    """The `Wakeups` port at its worst: everything is lost."""

    async def announce(self, run_id: RunId, by: str = "") -> None:
        """Tell nobody."""

    @asynccontextmanager
    async def listen(
        self,
        but: str = "",  # noqa: ARG002 - the port's
    ) -> AsyncGenerator[AsyncIterator[RunId]]:
        yield _silence()


async def _silence() -> AsyncGenerator[RunId]:
    await asyncio.Event().wait()
    yield RunId("")


class StagedClock:
    """The `Clock` port: time passes when the play says so, and wakes whoever has timers."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def now(self) -> Instant:
        return self._process.stage.now

    async def sleep_until(self, moment: Instant) -> None:
        await self._process.stage.sleep(self._process.name, moment)


class Once:
    """The `Chance` port without chance: each number once, in order."""

    def __init__(self, process: str) -> None:
        self._name, self._count = process.encode(), 0

    def jitter(self) -> float:
        return 0.0

    def unique(self, size: int) -> bytes:
        self._count += 1
        return (self._name + b"%d" % self._count).rjust(size, b"-")[-size:]


class Backstage:
    """What all processes share beside runs and streams; and the store as each of them sees it."""

    def __init__(self) -> None:
        self._catalog, self._credentials = MemoryCatalog(), MemoryCredentials()

    def stores(self, process: Process, *, delivering: bool) -> Stores:
        """Return the store as `process` sees it."""
        return Stores(
            runs=self.runs(process, delivering=delivering),
            revisions=MemoryRevisions(process.stage.tables),
            notebook=MemoryNotebook(process.stage.tables),
            taken=MemoryTaken(process.stage.tables),
            postponing=MemoryPostponing(process.stage.tables),
            snapshots=StagedSnapshots(process),
            streams=self.streams(process, delivering=delivering),
            waitpoints=self.waitpoints(process),
            leases=MemoryLeases(process.stage.tables),
            catalog=self._catalog,
            wakeups=NoHints(),
            blobs=MemoryBlobs(process.stage.tables),
            credentials=self._credentials,
            clock=StagedClock(process),
        )

    def waitpoints(self, process: Process) -> StagedWaitpoints:
        """Return the waitpoints as `process` sees them."""
        return StagedWaitpoints(process)

    def runs(self, process: Process, *, delivering: bool) -> StagedRuns:
        """Return the runs as `process` sees them."""
        return StagedRuns(process, delivering=delivering)

    def streams(self, process: Process, *, delivering: bool) -> StagedStreams:
        """Return the streams as `process` sees them."""
        return StagedDelivering(process) if delivering else StagedStreams(process)


def _about_to_drop(stage: Stage, change: Change) -> list[Entry]:
    """Return the entries that this change lets go of."""
    journal = (*stage.tables.journals[change.before.id], *change.entries)
    return [entry for entry in journal if entry.n < (change.dropped or 0)]
