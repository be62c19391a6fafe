"""Payloads as they travel: a bare JSON value, or the text of a packet and its type.

Owns: every packet type to JSON text.
Must never know: the task.
"""

from __future__ import annotations

import re

import msgspec

from headrace.errors import BadRequest
from headrace.wire import jsontext, superjson
from headrace.wire.views import TriggerOrder

JSON = "application/json"
SUPER_JSON = "application/super+json"
STORE = "application/store"
KINDS = frozenset({JSON, SUPER_JSON, "text/plain"})
"""Types of packets that may be uploaded."""
MOST = 10 * 1_048_576
"""The most bytes of a payload, which has to be uploaded if it is over 3 MiB."""
INLINE = 131_072
"""The most bytes of a payload or output that is shown with its run, or goes with a trigger."""
LONGEST_KEY = 512
_KEY = re.compile(r"[A-Za-z0-9_.:@~-]+(?:/[A-Za-z0-9_.:@~-]+)*")


def payload_of(order: TriggerOrder) -> bytes:
    """Return the payload as compact JSON text, empty for none."""
    return text_of(bytes(order.payload), order.options.payload_type)


def text_of(raw: bytes, kind: str) -> bytes:
    """Return a value as compact JSON text, whatever its packet type; empty for none."""
    if not raw:
        return b""
    value, text = jsontext.parse(raw)
    match kind, value:
        case "", _:
            return text
        case "application/json", str():
            return jsontext.check(value.encode()) if value else b""
        case "application/json", _:
            return text
        case "application/super+json", str():
            return _plain(value) if value else b""
        case "application/store", _:
            raise BadRequest("a packet in the store cannot be named here")
        case _, str():
            return text
        case _:
            raise BadRequest(f"a payload of type {kind} must be a string, the text of the packet")


def text_in(body: bytes, kind: str) -> bytes:
    """Return the value of an uploaded packet as compact JSON text; empty for none."""
    if not body:
        return b""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"the packet is not UTF-8: {error.reason}") from None
    return text_of(jsontext.encode(text), kind)


def stored_key(raw: bytes) -> str:
    """Return the key that an order names for its payload."""
    value = jsontext.parse(raw)[0] if raw else None
    if not isinstance(value, str) or not value:
        raise BadRequest(f"a payload of type {STORE} is the path that the upload was given")
    return value


def check_key(key: str) -> None:
    """Refuse what is no path of a packet."""
    if len(key) > LONGEST_KEY or not _KEY.fullmatch(key) or ".." in key.split("/"):
        raise BadRequest(
            f"{key[:80]!r} is no path of a packet",
            hint="one looks like trigger/packet_1/payload.json",
        )


def _plain(packet: str) -> bytes:
    parsed, _ = jsontext.parse(packet.encode(), depth=jsontext.MAX_DEPTH + 1)
    value = superjson.plain(parsed)
    if isinstance(value, superjson.Nothing):
        return b""
    # What was checked is the packet; a map that turned into an object is checked here.
    return jsontext.check(jsontext.encode(value))


def bare(text: bytes) -> msgspec.Raw:
    """Return JSON text as the payload of an order that names no packet type."""
    return msgspec.Raw(text)
