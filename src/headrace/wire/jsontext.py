"""Strict JSON text: what may be stored, and the one form in which it is.

Owns: what is refused (anything but UTF-8, NaN, numbers that no double holds, duplicate keys, lone
surrogates, depth over 64) and the compact form, in which equal texts are equal bytes.
Must never know: what a value means.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from hashlib import blake2b
from typing import TypeAlias

import msgspec

from headrace.errors import BadRequest

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

MAX_DATA = 1_048_576
"""The most bytes that one value may have, as compact text."""
MAX_DEPTH = 64
DIGITS = 4_300

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|[A-Za-z]+', re.DOTALL)
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
_CONSTANTS = frozenset({b"NaN", b"Infinity", b"nan", b"inf"})


def check(raw: bytes) -> bytes:
    """Return `raw` as compact JSON text, or raise `BadRequest` saying what is wrong and where."""
    return parse(raw)[1]


def parse(raw: bytes, *, depth: int = MAX_DEPTH) -> tuple[Json, bytes]:
    """Return the value and its compact text; `check` with more to tell."""
    try:
        value: Json = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(_diagnose(raw, error)) from None
    if raw.count(b"[") + raw.count(b"{") > depth and _deeper(value, depth):
        raise BadRequest(f"the JSON is nested deeper than {depth} levels")
    compact = _encode(value)
    # Every string of `raw` has its quotes in `compact` too, unless it stood under a key that came
    # again. Only a quote written as an escape of digits could hide that.
    if raw.count(b'"') != compact.count(b'"') or b"\\u0022" in raw:
        json.loads(raw, object_pairs_hook=_without_duplicates)
    return value, compact


def encode(value: Json) -> bytes:
    """Return the compact text of a value that `parse` gave."""
    return _encode(value)


def digest(body: bytes) -> bytes:
    """Return 16 bytes that tell one body from another."""
    return blake2b(body, digest_size=16).digest()


def _deeper(value: Json, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = [
            child
            for node in level
            for child in (
                node.values() if type(node) is dict else node if type(node) is list else ()
            )
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return False
    return True


def _without_duplicates(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise BadRequest(f"the JSON has the key {json.dumps(twice)} twice in one object")
    return found


def _diagnose(raw: bytes, error: Exception) -> str:
    match error:
        case UnicodeDecodeError():
            return f"the JSON is not UTF-8: {error.reason}"
        case RecursionError():
            return f"the JSON is nested deeper than {MAX_DEPTH} levels"
        case _:
            return _odd_token(raw) or _malformed(raw, str(error))


def _odd_token(raw: bytes) -> str:
    """Name the first thing that other parsers accept and this one does not."""
    for found in _TOKEN.finditer(raw):
        token, at = found.group(), f"(byte {found.start()})"
        if token in _CONSTANTS:
            return f"the JSON holds {token.decode()}, which is no JSON value {at}"
        if token[:1] in b"-0123456789" and (why := _too_big(token)):
            return f"the JSON holds a number {why} {at}"
    return ""


def _too_big(token: bytes) -> str:
    if token.lstrip(b"-").isdigit():
        return f"of more than {DIGITS} digits" if len(token) > DIGITS else ""
    try:
        return "out of range" if math.isinf(float(token)) else ""
    except ValueError:
        return ""


def _malformed(raw: bytes, words: str) -> str:
    if "surrogate" in words or ("truncated" in words and _HALF.search(raw)):
        where = words[words.find("(byte") :] if "(byte" in words else f"(byte {len(raw) - 1})"
        return f"the JSON holds half of a surrogate pair {where}"
    if not raw.strip():
        return "the JSON is empty"
    return words.replace("Input data was truncated", "the JSON ends too early").replace(
        "JSON is malformed", "the JSON is malformed"
    )
