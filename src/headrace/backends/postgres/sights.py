"""What a row of `select_sight` holds. Must never know: who asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from headrace.backends.rows import Row
from headrace.backends.rows.records import entry_from
from headrace.backends.rows.runs import RunRow, run_from
from headrace.kernel.model import Entry, StreamId
from headrace.ports import Backlog, Sight

ENTRIES: Final = 50
"""That are read along; of a longer story nothing is."""
_RUN: Final = len(RunRow._fields)
_ENDS: Final = _RUN + 3


def sight_from(row: Row, start: int | None) -> Sight:
    """Return what was seen."""
    entries = _entries(row[_ENDS:])
    if start is None or len(entries) > ENTRIES:
        return Sight(run_from(row[:_RUN]), _ends(row[_RUN:_ENDS]))
    return Sight(run_from(row[:_RUN]), _ends(row[_RUN:_ENDS]), entries, start)


def _ends(columns: Row) -> dict[StreamId, Backlog]:
    rows = cast("Sequence[tuple[StreamId, int, int]]", _rows(columns))
    return {stream: Backlog(tail, tail, total) for stream, tail, total in rows}


def _entries(columns: Row) -> Sequence[Entry]:
    return [entry_from(row) for row in _rows(columns)]


def _rows(columns: Row) -> Sequence[Row]:
    """Turn columns into rows; of no rows, the columns are NULL."""
    return (
        list(zip(*cast("Sequence[Sequence[object]]", columns), strict=True)) if columns[0] else []
    )
