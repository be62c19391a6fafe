"""Which code objects are transformed, and what is known of each.

Owns: the units (an outermost transformed function with all that is nested in it), and finding a
code object again in another process. Must never know: how a function is transformed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import CodeType
from typing import Final, NamedTuple, cast

from headrace.frames.functions import MARK, Made
from headrace.frames.nodes import SITE
from headrace.frames.sources import Origin

FOREIGN: Final = -1
"""Stands for `nth` where the code is no part of a transformed function."""


class Ref(NamedTuple):
    """A code object in words: which function of which module, and which of the codes in it."""

    module: str
    qualname: str
    nth: int
    part: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A function that was transformed, and the codes in it: its own first.

    One that was not has no fingerprint: each of its codes has a hash of its own.
    """

    module: str
    qualname: str
    nth: int
    fingerprint: str
    codes: tuple[CodeType, ...]
    origin: Origin


@dataclass(frozen=True)
class Plan:
    """What is known of one code object of a unit."""

    code: CodeType
    unit: Unit
    ref: Ref
    made: Made | None
    names: frozenset[str] = field(default=frozenset())
    slots: tuple[str, ...] = ()
    """All variables that a snapshot may hold: it has their numbers here, not their names."""

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """The number of each."""
        return {name: number for number, name in enumerate(self.slots)}


_plans: Final[dict[int, Plan]] = {}
_units: Final[dict[tuple[str, str, int], Unit]] = {}


def register(unit: Unit, made: Sequence[Made], *, is_past: bool = False) -> None:
    """Know the codes of a unit from now on; one of the past is not found by its name."""
    if not is_past:
        _units[unit.module, unit.qualname, unit.nth] = unit
    for index, code in enumerate(unit.codes):
        digest = unit.fingerprint or digest_of(code)
        ref = Ref(unit.module, unit.qualname, unit.nth, index, digest)
        number = mark_of(code)
        one = None if number is None else made[number]
        names = frozenset(one.names) if one else frozenset[str]()
        hidden = {name for site in one.sites for name in site} if one else set[str]()
        slots = (SITE, *sorted(names), *sorted(hidden - names))
        _plans[id(code)] = Plan(code, unit, ref, one, names, slots)


def mark_of(code: CodeType) -> int | None:
    """Return the number that the prelude of a transformed function has in its constants."""
    for constant in code.co_consts:
        if isinstance(constant, str) and constant.startswith(MARK):
            return int(constant.removeprefix(MARK))
    return None


def plan_of(code: CodeType) -> Plan | None:
    """Return what is known of a code object."""
    return _plans.get(id(code))


def known_unit(module: str, qualname: str, nth: int) -> Unit | None:
    """Return a unit that this process has met."""
    return _units.get((module, qualname, nth))


def fingerprints() -> dict[tuple[str, str, int], str]:
    """Return those of all functions that this process has met, by module, name and number.

    The number counts the functions of the same name before it.
    """
    units = tuple(_units.items())  # at once: another thread may import meanwhile
    return {place: unit.fingerprint for place, unit in units}


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and all that are nested in it, in the order of their source."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_in(constant)


def digest_of(code: CodeType) -> str:
    """Return a hash of what code does that was not transformed."""
    told = repr((code.co_names, code.co_varnames, [*map(_told, code.co_consts)]))
    return hashlib.blake2b(code.co_code + told.encode(), digest_size=12).hexdigest()


def _told(constant: object) -> str:
    """Tell a constant the same in every process: the order of a set differs."""
    if isinstance(constant, CodeType):
        return digest_of(constant)
    if isinstance(constant, frozenset):
        return f"set {sorted(map(_told, cast('frozenset[object]', constant)))}"
    if isinstance(constant, tuple):
        return f"tuple {[*map(_told, cast('tuple[object, ...]', constant))]}"
    return repr(constant)
