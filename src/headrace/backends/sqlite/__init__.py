"""One file, one writer that commits in groups, readers beside it."""

from headrace.backends.sqlite.database import Settings
from headrace.backends.sqlite.opening import open_sqlite
from headrace.backends.sqlite.upgrading import migrate_sqlite, sqlite_version

__all__ = ["Settings", "migrate_sqlite", "open_sqlite", "sqlite_version"]
