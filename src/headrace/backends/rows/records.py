"""Entries and records <-> their rows."""

from __future__ import annotations

from typing import TypeAlias, cast

from headrace.backends.rows import Row
from headrace.kernel.model import Ending, Entry, Instant, Key, Kind, Record, StreamId

EntryRow: TypeAlias = tuple[
    int,  # n
    Key,
    Kind,
    Ending,
    bytes,
    Instant,  # at
    str,  # fingerprint
    str,  # line
    StreamId | None,
    int,  # seq
    Instant | None,  # deadline
]


def entry_values(run: int, entry: Entry) -> Row:
    """Return what `insert_entry` takes."""
    return (
        run,
        entry.key,
        entry.n,
        entry.kind,
        entry.ending,
        entry.body,
        entry.at,
        entry.fingerprint,
        entry.line,
        entry.stream,
        entry.seq,
        entry.deadline,
    )


def entry_from(row: Row) -> Entry:
    """Return the entry that a row of `select_entries` holds."""
    return Entry(*cast("EntryRow", row))


def record_from(row: Row) -> Record:
    """Return the record that a row of `select_records` holds."""
    seq, body, at, key, digest = cast("tuple[int, bytes, Instant, bytes | None, bytes | None]", row)
    return Record(seq, body, at, key or b"", digest or b"")
