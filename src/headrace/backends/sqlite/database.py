"""One connection, typed, and what its failures mean.

Owns: how a file is opened and set up; which errors are the world's. Must never know: any query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol, cast

import apsw

from headrace.backends.rows import Row
from headrace.errors import Unavailable

BUSY: Final = (apsw.BusyError, apsw.LockedError, apsw.ProtocolError)
"""Another process is at it; in a moment it is over."""
TROUBLE: Final = (
    *BUSY,
    apsw.AuthError,
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.FullError,
    apsw.IOError,
    apsw.InterruptError,
    apsw.NoLFSError,
    apsw.NoMemError,
    apsw.NotADBError,
    apsw.PermissionsError,
    apsw.ReadOnlyError,
)
"""The world's errors: nobody's request is to blame."""


def unavailable(error: Exception, path: str) -> Unavailable:
    """Say what is wrong with the file, and that trying again may help."""
    hint = "Try again."
    if isinstance(error, apsw.FullError):
        hint = "The disk is full. Make room, then try again; nothing has to be restarted."
    elif isinstance(error, BUSY):
        hint = "Another process writes to the same file without a pause. Try again."
    elif isinstance(error, apsw.CorruptError | apsw.NotADBError):
        hint = "The file is damaged. Stop, keep a copy, and restore it from a backup."
    return Unavailable(f"the database {path} cannot be used: {error}", hint=hint)


def is_taken(error: apsw.ConstraintError) -> bool:
    """Tell whether a key was there already; any other broken constraint is a bug of ours."""
    return getattr(error, "extendedresult", 0) in {
        apsw.SQLITE_CONSTRAINT_PRIMARYKEY,
        apsw.SQLITE_CONSTRAINT_UNIQUE,
    }


class _Cursor(Protocol):
    """What is used of apsw's, whose own types name a class that Python 3.11 has not."""

    def execute(self, statements: str, bindings: Sequence[object] = ..., /) -> _Cursor: ...
    def fetchall(self) -> list[Row]: ...


@dataclass(frozen=True, slots=True)
class Settings:
    """How a file is used. Only tests need another than the default."""

    synchronous: Literal["FULL", "NORMAL"] = "FULL"
    wal_pages: int = 4_000
    """The write-ahead log is made this long at first, and copied into the file at this length."""
    patience_s: float = 5.0
    """How long the file may be busy before its users are told."""
    vfs: str = ""


class Database:
    """One connection and its cursor; used by one thread at a time."""

    def __init__(self, path: Path, settings: Settings, *, cache_kib: int) -> None:
        self.path = str(path)
        self._raw = apsw.Connection(self.path, vfs=settings.vfs or None, statementcachesize=200)
        self._cursor = cast("_Cursor", self._raw.cursor())
        # Else a statement with a range or a limit is compiled anew whenever its values change.
        self._raw.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        self._raw.set_busy_timeout(int(settings.patience_s * 1_000))
        for pragma in (
            f"cache_size = -{cache_kib}",
            f"synchronous = {settings.synchronous}",
            "fullfsync = ON",  # macOS: without it the disk may still hold the data in its cache
            "checkpoint_fullfsync = ON",
            "temp_store = MEMORY",
            "wal_autocheckpoint = 0",  # the writer's business alone
        ):
            self.script(f"PRAGMA {pragma}")

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Run one statement to its end; return its rows. No read transaction stays open."""
        return self._cursor.execute(sql, values).fetchall()

    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run one statement that returns no rows; tell how many it changed."""
        self._cursor.execute(sql, values)
        return self._raw.changes()

    def script(self, sql: str) -> None:
        """Run any number of statements."""
        self._cursor.execute(sql).fetchall()

    @property
    def total_changes(self) -> int:
        """Return the number of rows changed so far."""
        return self._raw.total_changes()

    @property
    def data_version(self) -> int:
        """Return a number that changes when another connection has committed."""
        return cast("int", self.rows("PRAGMA data_version")[0][0])

    @property
    def in_transaction(self) -> bool:
        """Tell whether a transaction is open."""
        return not self._raw.getautocommit()

    def do_not_wait(self) -> None:
        """From now on a busy file is an error at once: the event loop waits, not the thread."""
        self._raw.set_busy_timeout(0)

    def read_only(self) -> None:
        """Refuse every statement that writes."""
        self.script("PRAGMA query_only = ON")

    def count_wal(self, pages: list[int]) -> None:
        """Keep in `pages[0]` how long the write-ahead log is after each commit."""

        def count(_: apsw.Connection, _name: str, length: int) -> int:
            pages[0] = length
            return apsw.SQLITE_OK

        self._raw.set_wal_hook(count)

    def checkpoint(self) -> None:
        """Copy what the log holds into the file, as far as readers allow."""
        self._raw.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def close(self) -> None:
        """Give the file back."""
        self._raw.close()
