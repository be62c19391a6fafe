"""A waitpoint <-> its row."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal, TypeAlias, cast

import msgspec

from headrace.backends.rows import Row
from headrace.kernel.model import EnvId, Instant, RunId, StreamId, WaitpointId
from headrace.ports import RecordAt, Retried, Waitpoint, WaitpointFilter

WaitpointRow: TypeAlias = tuple[
    WaitpointId,
    EnvId,
    Instant,  # created
    Instant | None,  # deadline
    bytes,  # callback
    str | None,  # tags
    str | None,  # key
    Instant,  # key_until
    Instant | None,  # completed
    bytes | None,  # output
    RunId | None,
    StreamId | None,
    int | None,  # seq
    Instant | None,  # came
]
KeyRow: TypeAlias = tuple[Literal["request", "caller"], bytes, Instant]
_encode = msgspec.json.Encoder().encode
_tags = msgspec.json.Decoder(tuple[str, ...]).decode


def waitpoint_values(one: Waitpoint) -> Row:
    """Return what `insert_waitpoint` takes."""
    return (
        one.id,
        one.env,
        one.created,
        one.deadline,
        one.callback,
        _json(one.tags),
        one.key or None,
        one.key_until,
        *_record(one.awaits),
    )


def _record(awaits: RecordAt | None) -> Row:
    return (None, None, None) if awaits is None else (awaits.run, awaits.stream, awaits.seq)


def waitpoint_from(row: Row) -> Waitpoint:
    """Return the waitpoint that a row holds."""
    (
        id_, env, created, deadline, callback, tags, key, until, completed, output,
        run, stream, seq, came,
    ) = cast("WaitpointRow", row)  # fmt: skip
    return Waitpoint(
        id=id_,
        env=env,
        created=created,
        deadline=deadline,
        callback=callback,
        tags=() if tags is None else _tags(tags),
        key=key or "",
        key_until=until,
        completed=completed,
        output=output or b"",
        awaits=None if run is None or stream is None or seq is None else RecordAt(run, stream, seq),
        came=came,
    )


def waitpoint_keys(one: Waitpoint, retried: Retried | None) -> list[KeyRow]:
    """Return the keys under which it shall stand, by space and hash; that of a retry first."""
    found: list[KeyRow] = []
    if retried is not None:
        found.append(("request", _hash(retried.key), retried.until))
    if one.key:
        found.append(("caller", _hash(one.key, one.awaits), one.key_until))
    return found


def find_values(query: WaitpointFilter) -> Row:
    """Return what `find_waitpoints` and `find_waitpoints_before` take."""
    return (
        query.env,
        query.after,
        query.before,
        _json(query.states),
        query.now,
        _json(query.tags),
        query.key or None,
        query.since,
        query.until,
        query.size,
    )


def _json(texts: tuple[str, ...]) -> str | None:
    return _encode(texts).decode() if texts else None


def _hash(key: str, awaits: RecordAt | None = None) -> bytes:
    """Return what stands for a key; those of a stream are apart from all others."""
    place = b""
    if awaits is not None:
        place = blake2b(f"{awaits.run}\0{awaits.stream}".encode(), digest_size=16).digest()
    return blake2b(key.encode(), digest_size=16, salt=place).digest()
