"""Brings the schema of a server's database up to the present, by itself.

Owns: which database that is. Must never know: servers, commands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import anyio

from headrace.app.home import Home
from headrace.app.settings import Settings, database_path, is_shared
from headrace.backends.sqlite import migrate_sqlite


@dataclass(frozen=True, slots=True)
class Migrated:
    """Which database it was, without its secrets, and from which version to which it came."""

    database: str
    before: int
    after: int


async def migrate(setting: Settings, home: Home, told: Callable[[int, int], None]) -> Migrated:
    """Migrate; `told` hears which version was reached, and how many there are."""
    if is_shared(setting.database):
        # Loaded only here: who keeps a file need not have the driver.
        from headrace.backends.postgres import migrate_postgres, shown  # noqa: PLC0415

        done = await migrate_postgres(setting.database, told)
        return Migrated(shown(setting.database), done.before, done.after)
    path = database_path(setting.database, home.path)
    if path.parent == home.path:
        await anyio.to_thread.run_sync(home.make)
    done = await migrate_sqlite(path, told)
    return Migrated(str(path), done.before, done.after)
