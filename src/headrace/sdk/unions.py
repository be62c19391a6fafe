"""Unions that a format cannot tell apart by itself: `A | B` of two dataclasses, for example.

Each member reads for itself; what fits best is the value. Must never know: any library.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, cast

import msgspec

from headrace.sdk.faults import Fault, first_fault
from headrace.sdk.formats import Format, Unfit

_parse = msgspec.json.Decoder().decode


class Choice:
    """One of several formats. The first of those that fit equally well counts."""

    def __init__(self, members: Sequence[Format]) -> None:
        self._members = members

    def dump(self, value: object) -> bytes:
        """Return JSON text in the first format that gives the same type back."""
        refusals: list[Fault] = []
        for member in self._members:
            try:
                raw = member.dump(value)
                back = member.load(raw)
            except (TypeError, ValueError, RecursionError) as error:
                refusals.append(Fault((), str(error)))
            except Unfit as unfit:
                refusals.extend(unfit.faults)
            else:
                if type(back) is type(value):
                    return self._told_apart(raw, value)
        if fault := self.fault(value):
            raise Unfit((fault,))
        raise Unfit((*refusals, Fault((), "fits no member of the union"))[:1])

    def _told_apart(self, raw: bytes, value: object) -> bytes:
        back = self.load(raw)
        if type(back) is not type(value):
            sent, got = type(value).__name__, type(back).__name__
            raise Unfit((Fault((), f"this {sent} would come back as a {got}: JSON cannot tell"),))
        return raw

    def load(self, raw: bytes) -> object:
        """Return the value whose type has most nearly the names of the text, or raise `Unfit`."""
        fits: list[tuple[int, object]] = []
        refusals: list[Fault] = []
        for member, names in zip(self._members, self._member_names, strict=True):
            try:
                value = member.load(raw)
            except Unfit as unfit:
                refusals.extend(unfit.faults)
            else:
                fits.append((_unsaid(_parse(raw), names), value))
        if not fits:
            raise Unfit(tuple(refusals))
        return min(fits, key=lambda fit: fit[0])[1]

    @cached_property
    def _member_names(self) -> tuple[frozenset[str] | None, ...]:
        return tuple(_names(member.schema()) for member in self._members)

    def fault(self, value: object) -> Fault | None:
        """Find what JSON does not carry."""
        return first_fault(value, strict=False)

    @property
    def needs_look(self) -> bool:
        """Tell whether only `fault` can say if a value is fit."""
        return any(member.needs_look for member in self._members)

    def schema(self) -> dict[str, Any]:
        """Return JSON Schema: any of the members'."""
        choices: list[Any] = []
        shared: dict[str, Any] = {}
        for index, member in enumerate(self._members):
            one = cast("dict[str, Any]", _renamed(member.schema(), f"{index}."))
            shared |= {f"{index}.{name}": part for name, part in one.pop("$defs", {}).items()}
            choices.append(one)
        return {"anyOf": choices} | ({"$defs": shared} if shared else {})


def _names(schema: dict[str, Any]) -> frozenset[str] | None:
    """Return the names that an object of this schema has; None where it is no such object."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        schema = schema.get("$defs", {}).get(name, {})
    return frozenset(schema["properties"]) if "properties" in schema else None


def _unsaid(value: object, names: frozenset[str] | None) -> int:
    """Count the names that only the text has, or only the type."""
    if names is None or not isinstance(value, dict):
        return 0
    return len(cast("dict[str, object]", value).keys() ^ names)


def _renamed(node: object, prefix: str) -> object:
    """Put `prefix` before every definition's name that the schema refers to."""
    match node:
        case dict():
            parts = cast("dict[str, object]", node)
            return {
                key: part.replace("#/$defs/", f"#/$defs/{prefix}")
                if key == "$ref" and isinstance(part, str)
                else _renamed(part, prefix)
                for key, part in parts.items()
            }
        case list():
            return [_renamed(part, prefix) for part in cast("list[object]", node)]
        case _:
            return node
