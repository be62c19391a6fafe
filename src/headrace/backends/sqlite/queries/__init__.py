"""The statements of SQLite, by name."""

from headrace.backends.statements import load, statements

__all__ = ["SQL", "statements"]

SQL = load(__package__ or "")
