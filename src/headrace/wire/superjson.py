"""SuperJSON, as far as JSON can say it: what the official JavaScript client sends as a payload.

Owns: `{"json": V, "meta": {"values": ...}}` to plain JSON. Dates stay ISO text, a bigint becomes a
number, a set an array, a map with text keys an object; undefined members go away.
Must never know: what the value is for.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from headrace.errors import BadRequest
from headrace.wire.jsontext import DIGITS, Json


class Nothing:
    """JavaScript's undefined, which JSON cannot say."""


NOTHING: Final = Nothing()
Found: TypeAlias = "Json | Nothing"
_BIGINT = re.compile(r"-?[0-9]+")


def plain(packet: Json) -> Found:
    """Return the value that `packet` stands for."""
    if not isinstance(packet, dict) or "json" not in packet:
        raise BadRequest('a super+json payload must be an object with the member "json"')
    value, meta = packet["json"], packet.get("meta")
    if meta is None:
        return value
    if not isinstance(meta, dict):
        raise BadRequest('"meta" of a super+json payload must be an object')
    escaped = meta.get("v") == 1
    return _annotated(value, meta.get("values"), escaped=escaped)


def _annotated(value: Found, tree: Json, *, escaped: bool) -> Found:
    """Apply the notes of `tree` to `value`, innermost first."""
    match tree:
        case None:
            return value
        case dict():
            return _each(value, tree, escaped=escaped)
        case [kind]:
            return _restored(value, kind)
        case [kind, dict() as children]:
            return _restored(_each(value, children, escaped=escaped), kind)
        case _:
            raise BadRequest('"meta.values" of a super+json payload is malformed')


def _each(value: Found, children: dict[str, Json], *, escaped: bool) -> Found:
    for path, tree in children.items():
        value = _at(value, _steps(path, escaped=escaped), tree, escaped=escaped)
    return value


def _at(value: Found, steps: list[str], tree: Json, *, escaped: bool) -> Found:
    if not steps:
        return _annotated(value, tree, escaped=escaped)
    step, rest = steps[0], steps[1:]
    match value:
        case dict() if step in value:
            child = _at(value[step], rest, tree, escaped=escaped)
            if isinstance(child, Nothing):
                return {name: member for name, member in value.items() if name != step}
            return {**value, step: child}
        case list() if step.isdecimal() and int(step) < len(value):
            at = int(step)
            child = _at(value[at], rest, tree, escaped=escaped)
            value[at] = None if isinstance(child, Nothing) else child
            return value
        case _:
            raise BadRequest(f'"meta.values" of a super+json payload names no value: {step[:80]}')


def _restored(value: Found, kind: Json) -> Found:
    match kind, value:
        case "undefined", _:
            return NOTHING
        case "bigint", str() if len(value) <= DIGITS and _BIGINT.fullmatch(value):
            return int(value)
        case "number", "-0":
            return 0
        case "number", _:
            raise BadRequest(f"a payload cannot hold the number {value}")
        case "map", list():
            return _object(value)
        case _:
            return value


def _object(pairs: list[Json]) -> Json:
    """Make an object of a map's pairs where every key is text; else leave the pairs."""
    found: dict[str, Json] = {}
    for pair in pairs:
        match pair:
            case [str() as key, member]:
                found[key] = member
            case _:
                return pairs
    return found if len(found) == len(pairs) else pairs


def _steps(path: str, *, escaped: bool) -> list[str]:
    r"""Split at dots; `\.` is a dot, and since version 1 `\\` is a backslash."""
    steps, step, at = list[str](), "", 0
    while at < len(path):
        char, following = path[at], path[at + 1 : at + 2]
        if char == "\\" and (following == "." or (escaped and following == "\\")):
            step += following
            at += 1
        elif char == ".":
            steps.append(step)
            step = ""
        else:
            step += char
        at += 1
    return [*steps, step]
