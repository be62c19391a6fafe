"""What is read from a server's database while it runs, or once it does not.

Must never know: what for.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from headrace.backends.sqlite.database import Database, Settings


def counted(database: Path, question: str) -> int:
    """Ask for one number, by a connection of its own."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        return int(db.execute(question).fetchone()[0])


def size(database: Path) -> int:
    """Return the size of the file once the log has been copied into it."""
    db = Database(database, Settings(), cache_kib=16_384)
    db.script("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    beside = Path(f"{database}-wal")
    return database.stat().st_size + (beside.stat().st_size if beside.exists() else 0)
