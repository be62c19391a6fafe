"""The only writer: everything that waits to be written goes into one transaction.

Owns: grouping, the commit and where it runs, retries while the file is busy, checkpoints.
Must never know: what is written.

Rule 1: an answer is given after COMMIT, never before.
Rule 2: a write that fails leaves nothing behind and takes nobody with it.
Rule 3: no timers: a group is what was queued while the last one was committed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any, Final, Generic, TypeVar

import anyio
import anyio.to_thread

from headrace.backends.sqlite.database import BUSY, TROUBLE, Database, Settings, unavailable
from headrace.backends.sqlite.names import Names
from headrace.errors import Unavailable

T = TypeVar("T")
SLOW_S: Final = 0.001
"""A commit that takes longer would hold up the event loop; it goes to a thread."""
ALONE_AT_MOST: Final = 3
"""After so many failures of single writes in a row, the rest of a group is not tried."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """What a write may use."""

    db: Database
    names: Names


@dataclass(slots=True)
class _Write(Generic[T]):
    work: Callable[[Transaction], T]
    answer: asyncio.Future[T]
    value: T | None = None
    failure: Exception | None = None

    def settle(self) -> None:
        if self.answer.done():  # whoever asked has gone
            return
        if self.failure is not None:
            self.answer.set_exception(self.failure)
        else:
            self.answer.set_result(self.value)  # type: ignore[arg-type]  # T may be None


class _Pace:
    """How long commits take, wherever they are made."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=9)

    @property
    def is_slow(self) -> bool:
        """Tell whether the next commit would hold up the event loop."""
        return len(self._seconds) > 0 and median(self._seconds) > SLOW_S

    def measured(self, seconds: float) -> None:
        """Note what a commit has taken."""
        self._seconds.append(seconds)


class Writer:
    """Made by `open_sqlite`, which runs `run` as long as the store is open."""

    def __init__(
        self,
        connect: Callable[[], Database],
        *,
        stamp: Callable[[Database], None],
        foreign: Callable[[Database], None],
        settings: Settings,
    ) -> None:
        self._connect, self._stamp, self._foreign = connect, stamp, foreign
        self._patience_s = settings.patience_s
        self._wal_limit = self._wal_due = settings.wal_pages
        self._wal = [0]
        self._names = Names()
        self._pace = _Pace()
        self._queue: list[_Write[Any]] = []
        self._filled = asyncio.Event()
        self._closed = self._is_busy = False
        self.groups = 0
        self._changes = self._version = 0
        self._db = self._opened()

    def _opened(self) -> Database:
        db = self._connect()
        db.count_wal(self._wal)
        self._version = db.data_version
        return db

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Do `work` in a transaction; return its value once that is on disk."""
        if self._closed:
            raise Unavailable("the store is closed", hint="Open it again.")
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append(_Write(work, answer))
        self._filled.set()
        return await answer

    def at_rest(self) -> Database | None:
        """Give the connection for a read that ends before anything else happens."""
        return None if self._closed or self._is_busy else self._db

    def look(self) -> None:
        """Notice what other processes have committed, unless the next write does so anyway."""
        if not (self._closed or self._is_busy):
            try:
                self._notice()
            except TROUBLE:
                return  # whoever reads or writes next will be told

    def _notice(self) -> None:
        version = self._db.data_version  # moves with commits of other connections only
        if version != self._version:
            self._version = version
            self._foreign(self._db)

    async def run(self) -> None:
        """Write whatever is queued, until cancelled."""
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                while self._queue:
                    self._is_busy = True
                    await self._next_group()
                    await self._checkpoint()
                self._is_busy = False
        finally:
            self._closed = True
            self._fail(self._taken(), Unavailable("the store was closed", hint="Open it again."))
            self._db.close()

    def _taken(self) -> list[_Write[Any]]:
        group = [write for write in self._queue if not write.answer.cancelled()]
        self._queue.clear()
        return group

    def _fail(self, group: Sequence[_Write[Any]], error: Exception) -> None:
        for write in group:
            write.failure = write.failure or error
            write.settle()

    async def _next_group(self) -> None:
        try:
            await self._begin()
        except Unavailable as error:
            self._fail(self._taken(), error)
            return
        group = self._taken()
        try:
            await self._land(group)
        except Unavailable as error:
            self._fail(group, error)
        except BaseException as error:
            self._fail(group, Unavailable(f"the store was closed: {type(error).__name__}"))
            raise
        for write in group:
            write.settle()

    async def _begin(self) -> None:
        """Take the write lock; another process may hold it for a while."""
        end, pause = perf_counter() + self._patience_s, 0.000_5
        while True:
            try:
                self._db.run("BEGIN IMMEDIATE")
                self._notice()
            except BUSY as error:
                if perf_counter() > end:
                    raise unavailable(error, self._db.path) from error
            except TROUBLE as error:
                raise unavailable(error, self._db.path) from error
            else:
                self._changes = self._db.total_changes
                return
            await anyio.sleep(pause)
            pause = min(pause * 2, 0.008)

    async def _land(self, group: list[_Write[Any]]) -> None:
        """Commit the group in the transaction that has begun, without those that fail in it."""
        while True:
            try:
                guilty = self._work_through(group)
                if guilty is None:
                    await self._commit()
                    return
            except TROUBLE as error:
                self._roll_back()
                await self._alone(group, unavailable(error, self._db.path))
                return
            self._roll_back()
            group = [write for write in group if write is not guilty]
            await self._begin()

    def _work_through(self, group: list[_Write[Any]]) -> _Write[Any] | None:
        """Do every write; stop at one that failed after it had written something."""
        transaction = Transaction(self._db, self._names)
        for write in group:
            before = self._db.total_changes
            try:
                write.value, write.failure = write.work(transaction), None
            except TROUBLE:
                raise
            except Exception as error:  # noqa: BLE001 - it is the answer to whoever asked
                write.failure = error
                if self._db.total_changes != before:
                    return write
        return None

    async def _alone(self, group: list[_Write[Any]], error: Unavailable) -> None:
        """Try each by itself: perhaps only one of them asks for too much."""
        if len(group) == 1:
            group[0].failure = error
            return
        failed = 0
        for write in group:
            if failed >= ALONE_AT_MOST:
                write.failure = error
                continue
            try:
                await self._begin()
                await self._land([write])
            except Unavailable as again:
                write.failure = again
            failed = failed + 1 if isinstance(write.failure, Unavailable) else 0

    async def _commit(self) -> None:
        if self._db.total_changes != self._changes:
            self._stamp(self._db)
        if self._pace.is_slow:
            seconds = await anyio.to_thread.run_sync(self._timed_commit)
        else:
            seconds = self._timed_commit()
        self._pace.measured(seconds)
        self._names.landed()
        self.groups += 1

    def _timed_commit(self) -> float:
        start = perf_counter()
        self._db.run("COMMIT")
        return perf_counter() - start

    def _roll_back(self) -> None:
        self._names.undone()
        try:
            if self._db.in_transaction:  # some errors end it by themselves
                self._db.run("ROLLBACK")
        except TROUBLE:
            self._db.close()
            self._db = self._opened()

    async def _checkpoint(self) -> None:
        """Keep the log short, so that its pages are used again."""
        if self._wal[0] < self._wal_limit:
            self._wal_due = self._wal_limit
        if self._wal[0] < self._wal_due:
            return
        # A reader may hold the log's end: come back when it has grown by half its limit.
        self._wal_due = self._wal[0] + self._wal_limit // 2
        try:
            await anyio.to_thread.run_sync(self._db.checkpoint)
        except TROUBLE:
            return  # the log keeps everything; a later checkpoint will do
