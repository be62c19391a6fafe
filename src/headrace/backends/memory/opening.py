"""Puts the memory backend's ports together."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from headrace.backends.broadcast import Broadcast
from headrace.backends.clocks import CarriedClock
from headrace.backends.memory.around import MemoryBlobs, MemoryCatalog, MemoryLeases
from headrace.backends.memory.keys import MemoryCredentials
from headrace.backends.memory.notes import MemoryNotebook, MemoryTaken
from headrace.backends.memory.postponing import MemoryPostponing
from headrace.backends.memory.revisions import MemoryRevisions
from headrace.backends.memory.runs import MemoryRuns, MemorySnapshots
from headrace.backends.memory.streams import MemoryStreams
from headrace.backends.memory.tables import Tables
from headrace.backends.memory.waitpoints import MemoryWaitpoints
from headrace.ports import Clock, Stores


@asynccontextmanager
async def open_memory(clock: Clock | None = None) -> AsyncGenerator[Stores]:
    """Open an empty store. Without a `clock` its time begins at 1970, since it asks nobody."""
    tables = Tables()
    time = CarriedClock() if clock is None else clock
    yield Stores(
        runs=MemoryRuns(tables),
        revisions=MemoryRevisions(tables),
        notebook=MemoryNotebook(tables),
        taken=MemoryTaken(tables),
        postponing=MemoryPostponing(tables),
        snapshots=MemorySnapshots(tables),
        streams=MemoryStreams(tables),
        waitpoints=MemoryWaitpoints(tables, time),
        leases=MemoryLeases(tables),
        catalog=MemoryCatalog(),
        wakeups=Broadcast(),
        blobs=MemoryBlobs(tables),
        credentials=MemoryCredentials(),
        clock=time,
    )
