"""Where in a value the trouble is, and how a place in a value reads.

Owns: paths, and the search for what is no JSON.
Must never know: which type the value was meant to have.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping, Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias, cast

import msgspec

from headrace.wire.jsontext import MAX_DEPTH

Step: TypeAlias = str | int
Path: TypeAlias = tuple[Step, ...]

SHOWN_STEPS = 8
_SURROGATE = re.compile("[\ud800-\udfff]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_JSON = frozenset({type(None), bool, int, float, str})
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
_leaf = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where."""

    path: Path
    words: str


def place(what: str, path: Path) -> str:
    """Write a place as Python would reach it: `payload.items[3].when`."""
    steps = [
        f".{step}" if isinstance(step, str) and _NAME.fullmatch(step) else f"[{step!r}]"
        for step in path[:SHOWN_STEPS]
    ]
    return what + "".join(steps) + ("..." if len(path) > SHOWN_STEPS else "")


def pointer(path: Path) -> str:
    """Write a place as a JSON pointer: `/items/3/when`."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def first_fault(value: object, *, strict: bool, path: Path = ()) -> Fault | None:
    """Find what is no JSON in `value`.

    Strictly, only what JSON itself has will do. Otherwise sets, dataclasses and other types that
    have a JSON form are looked through, and objects of unknown types are taken as fit.
    """
    within = _json_children if strict else _children
    level: list[tuple[Path, object]] = [(path, value)]
    while level:
        where, node = level.pop()
        if fault := _own_fault(where, node, strict=strict):
            return fault
        children = [((*where, step), child) for step, child in within(node)]
        if len(where) >= MAX_DEPTH and (children or isinstance(node, dict | list)):
            return Fault(where, _TOO_DEEP)
        level.extend(reversed(children))
    return None


def formless(value: object) -> Fault | None:
    """Find the first object that has no JSON form."""
    level: list[tuple[Path, object]] = [((), value)]
    while level:
        where, node = level.pop()
        children = [((*where, step), child) for step, child in _children(node)]
        if isinstance(node, Mapping):
            keys = cast("Mapping[object, object]", node)
            if odd := [key for key in keys if not _has_form({key: None})]:
                return Fault(where, f"the key {odd[0]!r} is not a string")
        elif not children and not _has_form(node):
            return Fault(where, _not_json(node))
        if len(where) > MAX_DEPTH:
            return Fault(where, _TOO_DEEP)
        level.extend(reversed(children))
    return None


def _has_form(node: object) -> bool:
    try:
        _leaf(node)
    except (TypeError, ValueError):
        return False
    return True


def _own_fault(where: Path, node: object, *, strict: bool) -> Fault | None:
    match node:
        case float() if not math.isfinite(node):
            return Fault(where, f"{_number(node)} is not JSON")
        case str() if found := _SURROGATE.search(node):
            return Fault(where, f"the lone surrogate {found.group()!a} is not JSON")
        case Mapping():
            return _key_fault(where, cast("Mapping[object, object]", node), strict=strict)
        case _ if strict and type(node) not in _JSON and not isinstance(node, list | tuple):
            return Fault(where, _not_json(node))
        case _:
            return None


def _key_fault(where: Path, node: Mapping[object, object], *, strict: bool) -> Fault | None:
    if strict and not isinstance(node, dict):
        return Fault(where, _not_json(node))
    for key in node:
        if not isinstance(key, str):
            if strict:
                return Fault(where, f"the key {key!r} is not a string")
        elif found := _SURROGATE.search(key):
            return Fault(where, f"the lone surrogate {found.group()!a} in a key is not JSON")
    return None


def _not_json(node: object) -> str:
    return f"{type(node).__name__} is not JSON"


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _json_children(node: object) -> Iterator[tuple[Step, object]]:
    match node:
        case dict():
            yield from cast("dict[str, object]", node).items()
        case list() | tuple():
            yield from enumerate(cast("list[object]", node))
        case _:
            return


def _children(node: object) -> Iterator[tuple[Step, object]]:
    match node:
        case Mapping():
            items = cast("Mapping[object, object]", node).items()
            yield from ((key if isinstance(key, str) else str(key), value) for key, value in items)
        case list() | tuple() | AbstractSet():
            yield from enumerate(cast("list[object]", node))
        case _:
            for name in _attributes(node):
                yield name, getattr(node, name, None)


def _attributes(node: object) -> tuple[str, ...]:
    """Name the fields of a dataclass, a Struct or a model."""
    if isinstance(node, msgspec.Struct):
        return node.__struct_fields__
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        return tuple(field.name for field in dataclasses.fields(node))
    fields: object = getattr(type(node), "model_fields", None)
    return tuple(cast("dict[str, object]", fields)) if isinstance(fields, dict) else ()
