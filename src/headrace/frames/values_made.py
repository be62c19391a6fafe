"""Small things that are made again from their parts: cells, enum members, structs, matches.

Must never know: files, names of functions; msgspec only by the look of its classes.
"""

from __future__ import annotations

from enum import Enum
from re import Match
from types import CellType
from typing import Any, Final, cast

from headrace.frames.values_errors import Refused
from headrace.frames.values_own import Own, Reduction, ask

_HOWS: Final = ("match", "search", "fullmatch")


def cell(it: CellType, own: Own) -> Reduction:
    """As the hook wants, which knows the cells of live frames; else by what it holds."""
    asked = ask(own, it)
    if asked is not None:
        return asked
    try:
        held = (it.cell_contents,)
    except ValueError:  # empty: the variable has no value
        return (CellType, ())
    return (CellType, (), held, None, None, _fill_cell)


def _fill_cell(it: CellType, held: tuple[object]) -> None:
    (it.cell_contents,) = held


def member(it: Enum, _: Own) -> Any:
    """By name, so that a member's value need not be savable; a combination of flags by value."""
    kind, name = type(it), getattr(it, "_name_", None)
    if isinstance(name, str) and kind.__members__.get(name) is it:
        return (getattr, (kind, name))
    return (kind, (it.value,))


def is_struct(kind: type) -> bool:
    """Say whether a class is a msgspec.Struct, without importing msgspec."""
    return type(kind).__name__ == "StructMeta" and type(kind).__module__.startswith("msgspec")


def struct(it: Any, _: Own) -> Any:
    """Empty, and then filled: so a struct may lead back to itself. `__post_init__` needs values."""
    kind = cast("Any", type(it))
    if hasattr(kind, "__post_init__"):
        return NotImplemented
    names: tuple[str, ...] = kind.__struct_fields__
    state = ({name: getattr(it, name) for name in names if hasattr(it, name)}, vars_of(it))
    return (_empty, (kind,), state, None, None, _fill_struct)


def vars_of(it: object) -> dict[str, object] | None:
    return dict(getattr(it, "__dict__", None) or {}) or None


def _empty(kind: Any) -> Any:
    return kind(**dict.fromkeys(kind.__struct_fields__))


def _fill_struct(it: Any, state: tuple[dict[str, object], dict[str, object] | None]) -> None:
    from msgspec.structs import force_setattr  # noqa: PLC0415 - only who has structs needs it

    fields, others = state
    for name, value in fields.items():
        force_setattr(it, name, value)
    if others:
        it.__dict__.update(others)


def match(it: Match[Any], _: Own) -> Reduction:
    """As the search that finds it again; one of `finditer` starts where that one was found."""
    for how in _HOWS:
        for pos in (it.pos, it.start()):
            if _same(_found(it.re, how, it.string, pos, it.endpos), it):
                return (_found, (it.re, how, it.string, pos, it.endpos))
    raise Refused("its search does not find it again", "keep its groups instead of the match")


def _found(pattern: Any, how: str, text: Any, pos: int, end: int) -> Match[Any] | None:
    found: Match[Any] | None = getattr(pattern, how)(text, pos, end)
    return found


def _same(one: Match[Any] | None, other: Match[Any]) -> bool:
    return one is not None and one.regs == other.regs
