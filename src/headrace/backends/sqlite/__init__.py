"""One file, one writer that commits in groups, readers beside it."""

from headrace.backends.sqlite.database import Settings
from headrace.backends.sqlite.opening import open_sqlite
from headrace.backends.sqlite.upgrading import demand_present, migrate_sqlite

__all__ = ["Settings", "demand_present", "migrate_sqlite", "open_sqlite"]
