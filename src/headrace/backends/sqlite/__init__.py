"""One file, one writer that commits in groups, readers beside it."""

from headrace.backends.sqlite.database import Settings
from headrace.backends.sqlite.opening import open_sqlite

__all__ = ["Settings", "open_sqlite"]
