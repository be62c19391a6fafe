"""Payloads as they travel: a bare JSON value, or the text of a packet and its type.

Owns: every packet type to JSON text.
Must never know: the task.
"""

from __future__ import annotations

import msgspec

from headrace.errors import BadRequest
from headrace.wire import jsontext, superjson
from headrace.wire.views import TriggerOrder

JSON = "application/json"
SUPER_JSON = "application/super+json"
STORE = "application/store"


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
            raise BadRequest(
                "payloads in an object store are not supported", hint="send the payload itself"
            )
        case _, str():
            return text
        case _:
            raise BadRequest(f"a payload of type {kind} must be a string, the text of the packet")


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
