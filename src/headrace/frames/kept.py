"""The sources that a snapshot takes along, and the code that is compiled from them later.

Owns: their bytes, and the code of functions as they were, beside today's and never in its place.
Must never know: frames, values, files of today.

A source is the whole statement at the top of its module that a function stands in. It says which
names are local to what; all others are looked up in the module as it is when the code runs.
"""

from __future__ import annotations

import json
import linecache
import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from types import CodeType
from typing import Final, NamedTuple, TypeAlias

from headrace.frames.errors import NotRestored, NotResumable
from headrace.frames.foreign import codes_of
from headrace.frames.nodes import FUTURES
from headrace.frames.registry import FOREIGN, Ref, Unit, digest_of, register
from headrace.frames.sources import Origin, Source
from headrace.frames.units import compiled

Tells: TypeAlias = Callable[[str, str], object]
"""Is told the name and the module of a function that goes on as it was saved."""


class Statement(NamedTuple):
    """A statement at the top of a module, as it was."""

    module: str
    file: str
    line: int
    flags: int
    text: str

    @property
    def shown(self) -> str:
        """Return the name that its code has for a file: today's file has other lines."""
        digest = blake2b(repr(tuple(self)).encode(), digest_size=3).hexdigest()
        return f"{self.file} (as it was saved, {digest})"

    def source(self) -> Source:
        """Return it with all lines where they were; tracebacks show them."""
        text = "\n" * (self.line - 1) + self.text + "\n"
        lines = [f"{line}\n" for line in text.split("\n")]
        linecache.cache[self.shown] = len(text), None, lines, self.shown
        return Source(text, self.shown, self.file)


class Spot(NamedTuple):
    """Which function of a statement: where it begins, and what today's would have to be."""

    qualname: str
    nth: int
    line: int
    fingerprint: str


_past: Final[dict[tuple[Statement, Spot], Unit]] = {}
_spots: Final[dict[int, tuple[Unit, tuple[Statement, Spot]]]] = {}
"""By the id of a unit, which is held so that its id stays its own."""


def kept_of(units: Iterable[Unit]) -> bytes:
    """Return the sources of these units."""
    return _written(tuple(sorted({_spot(unit) for unit in units})))


def _spot(unit: Unit) -> tuple[Statement, Spot]:
    if id(unit) not in _spots:
        _spots[id(unit)] = unit, _found(unit)
    return _spots[id(unit)][1]


def _found(unit: Unit) -> tuple[Statement, Spot]:
    origin = unit.origin
    flags = unit.codes[0].co_flags & FUTURES
    statement = Statement(unit.module, origin.file, origin.first, flags, origin.statement)
    return statement, Spot(unit.qualname, unit.nth, origin.line, unit.fingerprint)


@lru_cache(maxsize=64)
def _written(found: tuple[tuple[Statement, Spot], ...]) -> bytes:
    """A loop says the same at every turn."""
    spots = dict[Statement, list[Spot]]()
    for statement, spot in found:
        spots.setdefault(statement, []).append(spot)
    text = json.dumps([[*one, each] for one, each in spots.items()], separators=(",", ":"))
    return zlib.compress(text.encode(), 9)


@lru_cache(maxsize=64)
def _read(section: bytes) -> tuple[tuple[Statement, Spot], ...]:
    """Read what `_written` gave."""
    return tuple(
        (Statement(module, file, line, flags, text), Spot(*spot))
        for module, file, line, flags, text, spots in json.loads(zlib.decompress(section))
        for spot in spots
    )


class Kept:
    """What a snapshot has taken along; nothing is read before it is needed."""

    def __init__(self, section: bytes, tells: Tells | None = None) -> None:
        self._section, self._tells = section, tells
        self._told = set[tuple[str, str]]()

    def code(self, ref: Ref) -> CodeType | None:
        """Return the code that a reference means, if its source was taken along."""
        for statement, spot in _read(self._section):
            named = (statement.module, spot.qualname, spot.nth)
            if named == ref[:3] and spot.fingerprint in {ref.fingerprint, ""}:
                unit = _unit(statement, spot)
                if unit.fingerprint or digest_of(unit.codes[ref.part]) == ref.fingerprint:
                    self._tell(unit)
                    return unit.codes[ref.part]
        return None

    def _tell(self, unit: Unit) -> None:
        named = unit.qualname, unit.module
        if self._tells is not None and named not in self._told:
            self._told.add(named)
            self._tells(*named)


def _unit(statement: Statement, spot: Spot) -> Unit:
    unit = _past.get((statement, spot))
    if unit is None:
        unit = _past[statement, spot] = _again(statement, spot)
    elif unit.codes[0].co_filename not in linecache.cache:
        statement.source()  # somebody has cleared it
    return unit


def _again(statement: Statement, spot: Spot) -> Unit:
    source = statement.source()
    if spot.nth == FOREIGN:
        return _plain(source, statement, spot)
    for place in source.places:
        if (place.qualname, place.first_line) == (spot.qualname, spot.line):
            try:
                known = replace(place, nth=spot.nth)
                unit = compiled(source, known, statement.module, statement.flags, is_past=True)
            except NotResumable as error:
                raise NotRestored(str(error)) from error
            if unit.fingerprint == spot.fingerprint:
                return unit
    raise NotRestored(f"the source that was saved of {spot.qualname}() is not whole")


def _plain(source: Source, statement: Statement, spot: Spot) -> Unit:
    """Compile a function that was not transformed."""
    last = statement.line + statement.text.count("\n")
    origin = Origin(source.text, statement.file, statement.line, last, spot.line)
    codes = codes_of(source, spot.qualname, origin, statement.flags)
    unit = Unit(statement.module, spot.qualname, FOREIGN, "", codes, origin)
    register(unit, (), is_past=True)
    return unit
