"""The past of the schema: `NNNN_what.sql`, applied once each, in order.

Owns: which migrations a file lacks. Must never know: rows. `schema.sql` is what they make together.
"""

from __future__ import annotations

from typing import cast

from headrace.backends.sqlite.database import Database
from headrace.backends.statements import Told, load_numbered, nobody
from headrace.errors import Mistake

APPLICATION = 0x48454144
"""Marks the file as ours ("HEAD")."""


def load() -> list[str]:
    """Return the scripts; the n-th leads to version n."""
    return load_numbered(__package__ or "")


def migrate(db: Database, scripts: list[str], told: Told = nobody) -> int:
    """Bring the file up to the present, in one transaction; another process may do the same.

    Return the version that it had; `told` hears which one it has come to, and how many there are.
    """
    checked(db, len(scripts))  # before anything in somebody else's file is changed
    db.script("PRAGMA journal_mode = WAL")
    if _number(db, "user_version") == len(scripts) and _number(db, "application_id") == APPLICATION:
        return len(scripts)
    db.run("BEGIN IMMEDIATE")
    try:
        version = checked(db, len(scripts))
        for number, script in enumerate(scripts[version:], version + 1):
            db.script(script)
            told(number, len(scripts))
        db.script("INSERT OR IGNORE INTO meta (one, at) VALUES (1, 0)")
        db.script(f"PRAGMA application_id = {APPLICATION}")
        db.script(f"PRAGMA user_version = {len(scripts)}")
        db.run("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.run("ROLLBACK")
        raise
    return version


def checked(db: Database, present: int) -> int:
    """Return the version of the file, if it is one of ours and not too new."""
    version, mark = _number(db, "user_version"), _number(db, "application_id")
    if mark != APPLICATION and (mark or version or _number(db, "schema_version")):
        raise Mistake(
            f"{db.path} is a database of something else",
            hint="Name a file that does not exist yet, or one that headrace made.",
        )
    if version > present:
        raise Mistake(
            f"{db.path} was written by a newer headrace"
            f" (its schema is {version}, this headrace knows {present})",
            hint="Upgrade headrace; nothing in the file was changed.",
        )
    return version


def _number(db: Database, pragma: str) -> int:
    return cast("int", db.rows(f"PRAGMA {pragma}")[0][0])
