"""Feeds in the shape protocol of Electric, as the official clients read it, and back.

Owns: the columns and their types, rows as text, the control messages, the names of headers.
Must never know: requests, or when something has changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Final, TypeAlias, cast

import msgspec

from headrace.errors import Unavailable
from headrace.kernel.model import Instant, TaskId
from headrace.wire.durations import iso, moment
from headrace.wire.feeds import FeedPage, FeedRow, Place, RawStatus
from headrace.wire.packets import STORE
from headrace.wire.views import Large

HANDLE: Final = "electric-handle"
OFFSET: Final = "electric-offset"
CURSOR: Final = "electric-cursor"
SCHEMA: Final = "electric-schema"
UP_TO_DATE: Final = "electric-up-to-date"
BEGINNING: Final = "-1"
"""The offset of whoever has nothing yet."""
MUST_REFETCH: Final = b'[{"headers":{"control":"must-refetch"}}]'
KEPT: Final = frozenset(
    {"id", "taskIdentifier", "friendlyId", "status", "createdAt", "updatedAt", "number", "isTest"}
)
"""Columns that no reader can do without; the rest may be skipped."""

Text: TypeAlias = str | None
Column: TypeAlias = tuple[Mapping[str, str | int], Callable[[FeedRow], Text]]
_JSON: Final = "application/json"
_TEXT: Final[Mapping[str, str | int]] = {"type": "text"}
_TEXTS: Final[Mapping[str, str | int]] = {"type": "text", "dims": 1}
_WHEN: Final[Mapping[str, str | int]] = {"type": "timestamp"}
_WHOLE: Final[Mapping[str, str | int]] = {"type": "int4"}
_REAL: Final[Mapping[str, str | int]] = {"type": "float8"}

COLUMNS: Final[Mapping[str, Column]] = {
    "id": (_TEXT, lambda row: row.id),
    "friendlyId": (_TEXT, lambda row: row.id),
    "taskIdentifier": (_TEXT, lambda row: row.task),
    "status": (_TEXT, lambda row: row.status),
    "number": (_WHOLE, lambda _: "0"),
    "isTest": ({"type": "bool"}, lambda _: "f"),
    "createdAt": (_WHEN, lambda row: _when(row.created)),
    "updatedAt": (_WHEN, lambda row: _when(row.updated)),
    "startedAt": (_WHEN, lambda row: _when(row.started)),
    "delayUntil": (_WHEN, lambda row: _when(row.delayed_until)),
    "queuedAt": (_WHEN, lambda row: _when(row.queued)),
    "expiredAt": (_WHEN, lambda row: _when(row.expired)),
    "completedAt": (_WHEN, lambda row: _when(row.ended)),
    "usageDurationMs": (_WHOLE, lambda row: str(min(row.ran_ms, 2**31 - 1))),
    "costInCents": (_REAL, lambda _: "0"),
    "baseCostInCents": (_REAL, lambda _: "0"),
    "ttl": (_TEXT, lambda row: row.ttl or None),
    "payload": (_TEXT, lambda row: _body(row, "payload", row.payload)),
    "payloadType": (_TEXT, lambda row: _kind(row, "payload")),
    "metadata": (_TEXT, lambda row: row.metadata.decode() or None),
    "metadataType": (_TEXT, lambda _: _JSON),
    "output": (_TEXT, lambda row: _body(row, "output", row.output)),
    "outputType": (_TEXT, lambda row: _kind(row, "output")),
    "runTags": (_TEXTS, lambda row: _array(row.tags)),
    "error": ({"type": "jsonb"}, lambda row: row.error.decode() or None),
    "realtimeStreams": (_TEXTS, lambda row: _array(row.streams)),
}
"""What a column is called, its type, and what stands in it."""

_encode: Final = msgspec.json.Encoder().encode


class Headers(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a message is: `insert` or `update`, or `up-to-date` or `must-refetch`."""

    operation: str = ""
    control: str = ""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """A row's columns as text under the row's key, or a control message."""

    headers: Headers
    key: str = ""
    value: dict[str, str | None] = {}


_messages: Final = msgspec.json.Decoder(list[Message]).decode


def skipped(names: Iterable[str]) -> frozenset[str]:
    """Return those of the names that are columns which may be left out."""
    return frozenset(names) & COLUMNS.keys() - KEPT


def schema(skip: Collection[str] = ()) -> str:
    """Return the value of the header that says the columns' types."""
    types = {name: kind for name, (kind, _) in COLUMNS.items() if name not in skip}
    return _encode(types).decode()


def body(page: FeedPage, skip: Collection[str] = ()) -> bytes:
    """Write the page: a message for each row, and one that says whether it is all."""
    messages = [_change(page, row, skip) for row in page.rows]
    if not page.more:
        messages.append(Message(Headers(control="up-to-date")))
    return _encode(messages)


def page_of(text: bytes, headers: Mapping[str, str]) -> FeedPage:
    """Read a page, its header names in lower case, or say that it is none."""
    try:
        messages = _messages(text)
        changes = [one for one in messages if one.headers.operation]
        known = {one.value["id"] or "" for one in changes if one.headers.operation == "update"}
        return FeedPage(
            Place(headers[HANDLE], headers[OFFSET]),
            tuple(_row(one.value) for one in changes),
            frozenset(known),
            more=not any(one.headers.control == "up-to-date" for one in messages),
        )
    except (msgspec.MsgspecError, KeyError, ValueError) as error:
        message = f"the answer is not that of a Headrace server: {error}"
        raise Unavailable(message, hint="Is HEADRACE_URL right?") from None


def _change(page: FeedPage, row: FeedRow, skip: Collection[str]) -> Message:
    value = {name: show(row) for name, (_, show) in COLUMNS.items() if name not in skip}
    operation = "update" if row.id in page.known else "insert"
    return Message(Headers(operation), f'"public"."TaskRun"/"{row.id}"', value)


def _body(row: FeedRow, name: Large, body: bytes) -> Text:
    """Return the text, or by what it is known: the clients ask for that by run and name."""
    return f"runs/{row.id}/{name}" if name in row.large else body.decode() or None


def _kind(row: FeedRow, name: Large) -> str:
    return STORE if name in row.large else _JSON


def _when(instant: Instant | None) -> Text:
    return None if instant is None else iso(instant).removesuffix("Z")


def _array(texts: Iterable[str]) -> str:
    """Write an array as Postgres does."""
    return "{" + ",".join('"' + re.sub(r'(["\\])', r"\\\1", text) + '"' for text in texts) + "}"


_ITEM: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)


def _texts(array: Text) -> tuple[str, ...]:
    found = cast("list[str]", _ITEM.findall(array or ""))
    return tuple(re.sub(r"\\(.)", r"\1", item, flags=re.DOTALL) for item in found)


def _instant(text: Text) -> Instant | None:
    return moment(datetime.fromisoformat(text + "Z")) if text else None


def _large(value: Mapping[str, Text]) -> tuple[Large, ...]:
    names: tuple[Large, ...] = ("payload", "output")
    return tuple(name for name in names if value.get(f"{name}Type") == STORE)


def _row(value: Mapping[str, Text]) -> FeedRow:
    large = _large(value)
    created, updated = _instant(value["createdAt"]), _instant(value["updatedAt"])
    if created is None or updated is None:
        raise ValueError("a row without its moments")
    return FeedRow(
        id=value["friendlyId"] or "",
        task=TaskId(value["taskIdentifier"] or ""),
        status=cast("RawStatus", value["status"]),
        created=created,
        updated=updated,
        tags=_texts(value.get("runTags")),
        streams=_texts(value.get("realtimeStreams")),
        started=_instant(value.get("startedAt")),
        delayed_until=_instant(value.get("delayUntil")),
        queued=_instant(value.get("queuedAt")),
        expired=_instant(value.get("expiredAt")),
        ended=_instant(value.get("completedAt")),
        ran_ms=int(value.get("usageDurationMs") or 0),
        ttl=value.get("ttl") or "",
        payload=b"" if "payload" in large else _bytes(value.get("payload")),
        metadata=_bytes(value.get("metadata")),
        output=b"" if "output" in large else _bytes(value.get("output")),
        error=_bytes(value.get("error")),
        large=large,
    )


def _bytes(text: Text) -> bytes:
    return (text or "").encode()
