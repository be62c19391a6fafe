"""A disk that a test can fill, break, slow down and watch: a layer over SQLite's own files.

Owns: what happened to the files, and the faults. Must never know: what is stored.
"""

import ctypes
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Literal, TypeAlias

import apsw


@dataclass(frozen=True, slots=True)
class Wrote:
    """Bytes that the disk may still lose."""

    path: str
    offset: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """A file's new length, which the disk may still forget."""

    path: str
    length: int


@dataclass(frozen=True, slots=True)
class Synced:
    """From here on, the file is safe as it is."""

    path: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """The file is gone."""

    path: str


Event: TypeAlias = Wrote | Cut | Synced | Deleted


@dataclass(slots=True)
class Disk:
    """The faults, and the log of what was done to the files."""

    name: str
    is_full: bool = False
    largest_write_at: int | None = None
    """The offset in the log beyond which there is no room."""
    fails_to: set[Literal["write", "sync"]] = field(default_factory=set[Literal["write", "sync"]])
    sync_s: float = 0.0
    watched: bool = False
    events: list[Event] = field(default_factory=list[Event])
    threads: list[int] = field(default_factory=list[int])

    def write(self, path: str, offset: int, body: bytes) -> None:
        beyond = self.largest_write_at is not None and offset > self.largest_write_at
        if self.is_full or (beyond and path.endswith("-wal")):
            raise apsw.FullError("the disk is full")
        if "write" in self.fails_to:
            raise apsw.IOError("the disk fails")
        if self.watched:
            self.events.append(Wrote(path, offset, bytes(body)))

    def sync(self, path: str) -> None:
        self.threads.append(threading.get_ident())
        if self.sync_s:
            _usleep(round(self.sync_s * 1_000_000))
        if "sync" in self.fails_to:
            raise apsw.IOError("the disk fails to sync")
        if self.watched:
            self.events.append(Synced(path))


class _File(apsw.VFSFile):
    def __init__(
        self, disk: Disk, base: str, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        super().__init__(base, name, flags)
        self._disk = disk
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else name or ""

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - apsw's name
        self._disk.write(self._path, offset, data)
        super().xWrite(data, offset)  # pyright: ignore[reportUnknownMemberType] - Buffer is 3.12's

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        if self._disk.watched:
            self._disk.events.append(Cut(self._path, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.sync(self._path)
        super().xSync(flags)


class _Files(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        super().__init__(disk.name, "unix")
        self._disk = disk

    def xOpen(  # noqa: N802
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> apsw.VFSFile:
        return _File(self._disk, "unix", name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: FBT001, N802
        if self._disk.watched:
            self._disk.events.append(Deleted(filename))
        super().xDelete(filename, syncdir)


_numbers = count()
_usleep = ctypes.CDLL(None).usleep  # as a slow disk does: blocks, and lets other threads run


@contextmanager
def disk() -> Generator[Disk]:
    """Yield a disk that SQLite knows by its name."""
    made = Disk(f"test-disk-{next(_numbers)}")
    files = _Files(made)
    try:
        yield made
    finally:
        files.unregister()
