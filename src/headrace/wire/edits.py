"""Changes of metadata, applied: pure functions from JSON text to JSON text.

Owns: what each kind of edit does, names and paths, the limit of what metadata may hold.
Must never know: whose metadata it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final, TypeAlias, TypeGuard

from msgspec import UNSET, UnsetType

from headrace.errors import BadRequest, Mistake, TooLarge
from headrace.wire import jsontext
from headrace.wire.changes import Edit
from headrace.wire.jsontext import Json

MOST: Final = 256 * 1_024
"""Bytes of metadata."""
_DEPTH: Final = jsontext.MAX_DEPTH + 1
_EXACT: Final = 2**63 - 1
EDITS: Final = 1_000
"""Edits at once."""
_PART: Final = re.compile(r"\.([^.\[\]]+)|\[([0-9]{1,6})\]|\[(?:'([^']+)'|\"([^\"]+)\")\]")
_FORBIDDEN: Final = frozenset({"__proto__", "constructor", "prototype"})
Object: TypeAlias = "dict[str, Json]"
Place: TypeAlias = "tuple[str | int, ...]"


def checked(text: bytes) -> bytes:
    """Return metadata as compact text; `BadRequest` for no object, `TooLarge` for too much."""
    value = jsontext.parse(text, depth=_DEPTH)[1]
    if not value.startswith(b"{"):
        raise BadRequest("metadata is a JSON object")
    if len(value) > MOST:
        raise TooLarge(f"metadata holds at most {MOST} bytes, this has {len(value)}")
    return value


def edited(metadata: bytes, edits: Sequence[Edit], *, names_only: bool = False) -> bytes:
    """Return the metadata after all of the edits, or raise and none of them counts.

    With `names_only` every key is a name, whatever it begins with.
    """
    if len(edits) > EDITS:
        raise BadRequest(f"{len(edits)} operations are asked for at once; the most is {EDITS}")
    found = _object(jsontext.parse(metadata or b"{}", depth=_DEPTH)[0], "metadata is a JSON object")
    for edit in edits:
        found = _applied(found, edit, names_only=names_only)
    return checked(jsontext.encode(found))


def _applied(found: Object, edit: Edit, *, names_only: bool) -> Object:
    if edit.type == "update":
        return _object(_value(edit), "an update of metadata takes an object")
    place: Place = (edit.key,) if names_only else _place(edit.key)
    now = _read(found, place)
    match edit.type:
        case "set":
            _write(found, place, _value(edit))
        case "delete":
            _delete(found, place)
        case "append":
            _write(found, place, [*_listed(now), _value(edit)])
        case "remove":
            if isinstance(now, list):
                value = _value(edit)
                _write(found, place, [one for one in now if not _same(one, value)])
        case "increment":
            _write(found, place, _sum(now, _value(edit), edit.key))
    return found


def _object(value: Json, words: str) -> Object:
    match value:
        case dict():
            return value
        case _:
            raise BadRequest(words)


def _value(edit: Edit) -> Json:
    if isinstance(edit.value, UnsetType) or not bytes(edit.value):
        raise BadRequest(f"the operation {edit.type} on {edit.key!r} needs a value")
    return jsontext.parse(bytes(edit.value))[0]


def _listed(now: Json | UnsetType) -> list[Json]:
    match now:
        case UnsetType():
            return []
        case list():
            return now
        case _:
            return [now]


def _sum(now: Json | UnsetType, by: Json, key: str) -> int | float:
    start = 0 if isinstance(now, UnsetType) else now
    if not _is_number(by):
        raise BadRequest(f"increment of {key!r} takes a number")
    if not _is_number(start):
        raise Mistake(f"{key!r} holds no number that could be incremented")
    total = start + by
    if abs(total) > _EXACT:
        total = float(total)  # as the same text is read: beyond this no integer is exact
    if math.isinf(total):
        raise Mistake(f"{key!r} would be a number that is out of range")
    return total


def _is_number(value: Json) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(one: Json, other: Json) -> bool:
    """Tell whether both are the same JSON: to Python, True would be 1."""
    return one == other and _sorted(one) == _sorted(other)


def _sorted(value: Json) -> str:
    match value:
        case dict():
            return f"{{{','.join(f'{k!r}:{_sorted(value[k])}' for k in sorted(value))}}}"
        case list():
            return f"[{','.join(map(_sorted, value))}]"
        case int() | float() if not isinstance(value, bool):
            return str(float(value))
        case _:
            return repr(value)


# --- where ----------------------------------------------------------------------------------------


def _place(key: str) -> Place:
    """Return the way to what `key` names."""
    if not key.startswith("$."):
        return (_safe(key),)
    parts: list[str | int] = []
    at = 1
    while at < len(key):
        found = _PART.match(key, at)
        if found is None:
            raise BadRequest(f"{key[:80]!r} is no path; one looks like $.steps[0].name")
        name, number, *quoted = found.groups()
        text = name or quoted[0] or quoted[1]
        parts.append(int(number) if number is not None else _safe(text))
        at = found.end()
    if not parts or len(parts) >= jsontext.MAX_DEPTH:
        raise BadRequest(f"{key[:80]!r} is no path into metadata")
    return tuple(parts)


def _safe(name: str) -> str:
    if not name or name in _FORBIDDEN:
        raise BadRequest(f"{name!r} cannot name metadata")
    return name


def _read(found: Object, place: Place) -> Json | UnsetType:
    node: Json | UnsetType = found
    for part in place:
        node = _child(node, part)
    return node


def _child(node: Json | UnsetType, part: str | int) -> Json | UnsetType:
    match node, part:
        case dict(), str() if part in node:
            return node[part]
        case list(), int() if part < len(node):
            return node[part]
        case _:
            return UNSET


def _write(found: Object, place: Place, value: Json) -> None:
    """Put the value there; objects on the way to it are made."""
    node: Json = found
    for part, after in zip(place, (*place[1:], None), strict=True):
        child = _child(node, part)
        if after is None:
            _put(node, part, value)
        elif isinstance(child, UnsetType) or child is None:
            made: Json = [] if isinstance(after, int) else {}
            _put(node, part, made)
            node = made
        else:
            node = child


def _put(node: Json, part: str | int, value: Json) -> None:
    match node, part:
        case dict(), str():
            node[part] = value
        case list(), int() if part < len(node):
            node[part] = value
        case list(), int() if part == len(node):
            node.append(value)
        case _:
            raise Mistake(f"there is no place {part!r} in what the metadata holds there")


def _delete(found: Object, place: Place) -> None:
    node = _read(found, place[:-1])
    match node, place[-1]:
        case dict(), str() as name:
            node.pop(name, None)
        case list(), int() as number if number < len(node):
            del node[number]
        case _:
            return
