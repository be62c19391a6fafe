"""Values <-> rows: the only place in Python that knows the columns.

Owns: the order of columns of `run_row` and of the statements that write; the form of the blobs.
Must never know: connections, and when anything is written.
"""

from __future__ import annotations

from typing import TypeAlias

Value: TypeAlias = str | bytes | int | float | None
Row: TypeAlias = tuple[Value, ...]
