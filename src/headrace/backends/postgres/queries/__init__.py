"""The statements of Postgres, by name: the same names as SQLite's where the meaning is the same.

Rule 1: every name of a table is qualified: a connection behind a pooler has no search path of ours.
Rule 2: what a row of an array is looked up by stands in LATERAL (... LIMIT 1): a plan is kept that
        was made for an empty table, and so it can only go by the index.
        Where more than one row is wanted, OFFSET 0 says the same.
Rule 3: a statement changes a table in one place, once; some databases refuse anything else.
"""

from headrace.backends.statements import load

__all__ = ["SQL"]

SQL = load(__package__ or "")
