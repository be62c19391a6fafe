"""An order <-> its columns, and what `find` asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Literal, TypeAlias, cast

import msgspec

from headrace.backends.rows import Row
from headrace.backends.rows.runs import run_columns
from headrace.kernel.model import Instant, Run, RunId
from headrace.ports import NEVER, Filter, Order

SMALL = 1_024
"""Bytes of a body that stay in the row of the run."""

Space: TypeAlias = Literal["request", "caller"]


class StoredKeys(msgspec.Struct, frozen=True, array_like=True):
    """What few orders have: idempotency keys and the text of a time to live."""

    key: str
    key_until: Instant
    request_key: str
    request_until: Instant
    ttl: str
    named: str = ""


_NO_KEYS = StoredKeys("", NEVER, "", NEVER, "")
_keys = msgspec.msgpack.Decoder(StoredKeys).decode
_tags = msgspec.json.Decoder(tuple[str, ...]).decode
_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode


def insert_values(run: Run, order: Order, task: int, code: int | None) -> Row:
    """Return what `insert_run` takes; `task` and `code` are their numbers."""
    limits = run.limits
    return (
        run.id,
        task,
        run.created,
        limits.max_attempts,
        limits.ttl_ms,
        limits.max_duration_ms,
        _json(order.tags).decode() if order.tags else None,
        order.parent,
        _packed_keys(order),
        order.test,
        order.payload if 0 < len(order.payload) <= SMALL else None,
        order.metadata if 0 < len(order.metadata) <= SMALL else None,
        *run_columns(run, code),
    )


def large_parts(order: Order) -> list[tuple[str, bytes]]:
    """Return what of the order goes to the table `large`."""
    parts = [("payload", order.payload), ("metadata", order.metadata)]
    return [(part, body) for part, body in parts if len(body) > SMALL]


def _packed_keys(order: Order) -> bytes | None:
    keys = StoredKeys(
        order.key,
        order.key_until,
        order.request_key,
        order.request_until,
        order.ttl,
        order.named,
    )
    return None if keys == _NO_KEYS else _pack(keys)


def order_from(row: Row) -> Order:
    """Return the order that a row of `select_order` holds."""
    payload, metadata, tags, parent, packed, test, is_large = cast(
        "tuple[bytes, bytes, str | None, RunId | None, bytes | None, int, int]", row
    )
    keys = _NO_KEYS if packed is None else _keys(packed)
    return Order(
        payload=payload,
        metadata=metadata,
        tags=() if tags is None else _tags(tags),
        key=keys.key,
        key_until=keys.key_until,
        request_key=keys.request_key,
        request_until=keys.request_until,
        parent=parent,
        ttl=keys.ttl,
        named=keys.named,
        test=bool(test),
        is_large=bool(is_large),
    )


def tags_from(column: str) -> Sequence[str]:
    """Return the tags that a column holds."""
    return _tags(column)


def taken_keys(order: Order) -> list[tuple[Space, bytes, Instant]]:
    """Return the idempotency keys of an order, by space and hash, and when each is free again."""
    found: list[tuple[Space, bytes, Instant]] = []
    if order.request_key:
        found.append(("request", _hash(order.request_key), order.request_until))
    if order.key:
        found.append(("caller", _hash(order.key), order.key_until))
    return found


def debounce_key(order: Order) -> bytes | None:
    """Return the hash under which the run is delayed, if it is under any."""
    return None if order.debounce is None else _hash(order.debounce.key)


def caller_key(key: str) -> bytes:
    """Return the hash under which a caller's key is taken."""
    return _hash(key)


def _hash(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=16).digest()


_STATE_NAMES: Mapping[str, str] = {
    "Delayed": "delayed",
    "Queued": "queued",
    "Retrying": "retrying",
    "Running": "running",
    "Waiting": "waiting",
    "Blocked": "blocked",
    "Over": "over",
    "Completed": "completed",
    "Failed": "failed",
    "Canceled": "canceled",
    "Crashed": "crashed",
    "Expired": "expired",
    "TimedOut": "timed_out",
}


def find_values(query: Filter) -> Row:
    """Return what `find_newest` and `find_before` take."""
    states = [_STATE_NAMES.get(name, "") for name in query.states]
    return (
        query.env,
        query.after,
        query.before,
        _json(states).decode() if states else None,
        _json(query.tasks).decode() if query.tasks else None,
        _json(query.tags).decode() if query.tags else None,
        query.waiting,
        query.size,
        _json(query.versions).decode() if query.versions else None,
        query.since,
        query.until,
        query.test,
    )
