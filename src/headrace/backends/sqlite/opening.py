"""Opens the file and puts the ports together.

Owns: files and their modes, the clock's start, the life of the writer.
Must never know: what is stored.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast

import anyio
import anyio.to_thread

from headrace.backends.beside import beside
from headrace.backends.broadcast import Broadcast
from headrace.backends.clocks import CarriedClock
from headrace.backends.sqlite.around import SqliteBlobs, SqliteCatalog, SqliteLeases
from headrace.backends.sqlite.database import Database, Settings
from headrace.backends.sqlite.keys import SqliteCredentials
from headrace.backends.sqlite.migrations import load, migrate
from headrace.backends.sqlite.notes import SqliteNotebook, SqliteTaken
from headrace.backends.sqlite.postponing import SqlitePostponing
from headrace.backends.sqlite.queries import SQL
from headrace.backends.sqlite.reader import Reader
from headrace.backends.sqlite.revisions import SqliteRevisions
from headrace.backends.sqlite.runs import SqliteRuns, SqliteSnapshots
from headrace.backends.sqlite.streams import SqliteStreams
from headrace.backends.sqlite.upgrading import make, meant
from headrace.backends.sqlite.waitpoints import SqliteWaitpoints
from headrace.backends.sqlite.wakeups import SqliteWakeups
from headrace.backends.sqlite.writer import Writer
from headrace.kernel.model import Instant
from headrace.ports import ANYTHING, Clock, Stores

WRITER_CACHE_KIB = 65_536
READER_CACHE_KIB = 16_384


@asynccontextmanager
async def open_sqlite(
    path: str | Path, *, clock: Clock | None = None, settings: Settings | None = None
) -> AsyncGenerator[Stores]:
    """Open the store in the file at `path`, which is made if it is not there."""
    file, settings = Path(path), settings or Settings()
    carried, broadcast = CarriedClock(), Broadcast()
    time = carried if clock is None else clock

    def stamp(db: Database) -> None:
        at = db.rows(SQL["stamp_meta"], (time.now(),))[0][0]
        carried.lift(cast("Instant", at))  # another process may be ahead

    def follow(db: Database) -> None:
        carried.lift(cast("Instant", db.rows(SQL["select_last"])[0][0]))
        broadcast.tell(ANYTHING)

    async with _opened(file, settings) as (reader, connect, start):
        carried.lift(start)
        writer = Writer(connect, stamp=stamp, foreign=follow, settings=settings)
        reader.at_rest = writer.at_rest
        wakeups = SqliteWakeups(broadcast, writer)
        async with beside(writer.run, wakeups.watch):
            yield Stores(
                runs=SqliteRuns(reader, writer),
                revisions=SqliteRevisions(reader),
                notebook=SqliteNotebook(reader, writer),
                taken=SqliteTaken(reader, writer),
                postponing=SqlitePostponing(writer),
                snapshots=SqliteSnapshots(reader),
                streams=SqliteStreams(reader, writer),
                waitpoints=SqliteWaitpoints(reader, writer, time),
                leases=SqliteLeases(reader, writer),
                catalog=SqliteCatalog(reader, writer),
                wakeups=wakeups,
                blobs=SqliteBlobs(reader, writer),
                credentials=SqliteCredentials(reader, writer),
                clock=time,
            )


@asynccontextmanager
async def _opened(
    file: Path, settings: Settings
) -> AsyncGenerator[tuple[Reader, Callable[[], Database], Instant]]:
    """Yield the readers, what connects a writer, and where time starts."""

    def connect() -> Database:
        db = Database(file, settings, cache_kib=WRITER_CACHE_KIB)
        db.do_not_wait()
        return db

    with meant(file):
        reader, start = await anyio.to_thread.run_sync(_prepare, file, settings)
    try:
        yield reader, connect, start
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(reader.close)


def _prepare(file: Path, settings: Settings) -> tuple[Reader, Instant]:
    """Make, migrate and pre-size the file; return its readers and where time starts."""
    make(file)
    db = Database(file, settings, cache_kib=READER_CACHE_KIB)
    migrate(db, load())
    _presize(db, file, settings)
    start = cast("Instant", db.rows(SQL["select_start"])[0][0])
    readers = db, Database(file, settings, cache_kib=READER_CACHE_KIB)
    for one in readers:
        one.read_only()
    db.do_not_wait()
    return Reader(*readers, settings.patience_s), start


def _presize(db: Database, file: Path, settings: Settings) -> None:
    """Let the log have its full length from the start: growing costs a commit twice its time."""
    wal = Path(f"{file}-wal")
    page = cast("int", db.rows("PRAGMA page_size")[0][0])
    length = settings.wal_pages * (page + 24) + 32
    db.run("BEGIN IMMEDIATE")  # nobody else may append to the log meanwhile
    try:
        # Without room for it the log grows as it goes, or says that the disk is full.
        with suppress(OSError):
            _extend(wal, length)
    finally:
        db.run("ROLLBACK")


def _extend(wal: Path, length: int) -> None:
    missing = length - wal.stat().st_size
    if missing > 0:
        with wal.open("ab") as log:
            log.write(bytes(missing))
            log.flush()
            os.fsync(log.fileno())
