"""Makes the file and brings its schema up to the present, or says that somebody has to.

Owns: the file's mode, what is said of a file that cannot be opened.
Must never know: what is stored.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, TypeVar

import anyio.to_thread

from headrace.backends.sqlite.database import TROUBLE, Database, Settings, unavailable
from headrace.backends.sqlite.migrations import checked, load, migrate
from headrace.backends.statements import Migrated, Told, nobody
from headrace.errors import Mistake, Unavailable

T = TypeVar("T")
CACHE_KIB: Final = 16_384


async def migrate_sqlite(path: str | Path, told: Told = nobody) -> Migrated:
    """Make the file if it is not there, and bring its schema up to the present."""

    def work(db: Database) -> Migrated:
        scripts = load()
        return Migrated(migrate(db, scripts, told), len(scripts))

    file = Path(path)
    with meant(file):
        await anyio.to_thread.run_sync(make, file)
    return await anyio.to_thread.run_sync(_with, file, work)


async def demand_present(path: str | Path) -> None:
    """Refuse a file that would have to be made, or changed."""
    file, hint = Path(path), "Run `headrace db migrate`."
    if not await anyio.to_thread.run_sync(file.exists):
        raise Mistake(f"there is no database {file}, and none may be made", hint=hint)
    scripts = load()
    before = await anyio.to_thread.run_sync(_with, file, lambda db: checked(db, len(scripts)))
    if before < len(scripts):
        why = f"the schema of {file} is {before}, this headrace needs {len(scripts)}"
        raise Mistake(why, hint=hint)


def _with(file: Path, work: Callable[[Database], T]) -> T:
    with meant(file), closing(Database(file, Settings(), cache_kib=CACHE_KIB)) as db:
        return work(db)


@contextmanager
def meant(file: Path) -> Generator[None]:
    """Say in our own words what is wrong with a file."""
    try:
        yield
    except TROUBLE as error:
        raise unavailable(error, str(file)) from error
    except OSError as error:
        why = f"the database {file} cannot be opened: {error.strerror}"
        raise Unavailable(why, hint="Check the path, and who may write there.") from error


def make(file: Path) -> None:
    """Make the file, closed to others, if it is not there."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))  # -wal and -shm take over its mode
    _sync_folder(file.parent)


def _sync_folder(folder: Path) -> None:
    """Let a power cut not take the new file's name with it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
