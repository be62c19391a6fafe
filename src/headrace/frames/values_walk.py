"""Finds which variable cannot be saved, and where in it: only after a failure.

Owns: the walk, in the order in which pickle goes, and the path (`client.pool[0]`).
Must never know: why something cannot be saved; it asks whoever reduces it.
"""

from __future__ import annotations

import copyreg
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import FunctionType, MethodType
from typing import Any, Final, TypeAlias, cast

from headrace.frames.resources import lent
from headrace.frames.values_errors import CannotSave, Refused
from headrace.frames.values_own import Own
from headrace.frames.values_table import TABLE

_PLAIN: Final = frozenset(
    {bool, bytearray, bytes, complex, float, int, str, type(...), type(None), type(NotImplemented)}
)
_PARTS: Final = ("__self__", "func", "args", "keywords")
_LENT: Final = (
    "it is what a resource has opened in this process",
    "keep the handle across the wait, and call its get() where it is used",
)
_DEEP: Final = "it is nested too deeply, deeper than Python follows"
Child: TypeAlias = "tuple[str, object]"
_Path: TypeAlias = "tuple[_Path | None, str]"


def culprit(
    values: Mapping[str, object],
    own: Own,
    error: Exception,
    alone: Callable[[object], Exception | None],
) -> CannotSave:
    """Return the error that names the first variable that cannot be saved, and what is in it."""
    seen = dict[int, object]()
    for name, value in values.items():
        found = _search(name, value, own, seen)
        if found is not None:
            path, obj, why = found
            return _named(name, value, path, obj, why)
    return _unplaced(values, error, alone)


def _search(
    name: str, value: object, own: Own, seen: dict[int, object]
) -> tuple[str, object, Exception] | None:
    """Go through everything that a value leads to; `seen` keeps it, so that ids stay unique."""
    waiting: list[tuple[_Path, object]] = [((None, name), value)]
    opened = lent()
    while waiting:
        path, obj = waiting.pop()
        if opened.get(id(obj)) is obj and type(obj) not in _PLAIN:
            return _text(path), obj, Refused(*_LENT)
        if type(obj) in _PLAIN or id(obj) in seen:
            continue
        seen[id(obj)] = obj
        try:
            children = list(_children(obj, own))
        except Exception as error:  # noqa: BLE001 - whatever a user's `__getstate__` raises
            return _text(path), obj, error.with_traceback(None)  # which leads back here
        waiting += [((path, step), child) for step, child in reversed(children)]
    return None


def _text(path: _Path | None) -> str:
    steps = list[str]()
    while path is not None:
        path, step = path
        steps.append(step)
    return "".join(reversed(steps))


def _children(obj: object, own: Own) -> Iterator[Child]:
    if type(obj) is dict:
        yield from _pairs(cast("dict[object, object]", obj).items())
    elif type(obj) in {list, tuple}:
        yield from _items(cast("Iterable[object]", obj))
    elif type(obj) in {set, frozenset}:
        yield from (("{}", each) for each in cast("Iterable[object]", obj))
    else:
        yield from _reduced(obj, _reduce(obj, own))


def _reduce(obj: object, own: Own) -> Any:
    reduce = TABLE[type(obj)]
    found = NotImplemented if reduce is None else reduce(obj, own)
    if found is not NotImplemented:
        return found
    if issubclass(type(obj), type | FunctionType):  # not isinstance: a proxy would deny itself
        return ""
    known = copyreg.dispatch_table.get(type(obj))
    return known(obj) if known else obj.__reduce_ex__(5)


def _reduced(obj: object, reduction: Any) -> Iterator[Child]:
    if isinstance(reduction, str):
        return
    make, arguments, state, items, pairs = (*reduction, None, None, None)[:5]
    yield from _variables(obj)
    yield "", make
    yield from ((_step(obj, each), each) for each in arguments or ())
    yield from _state(obj, state)
    yield from _items(items or ())
    yield from _pairs(pairs or ())


def _variables(obj: object) -> Iterator[Child]:
    """Name what a function has in its cells as its source does."""
    if isinstance(obj, FunctionType):
        cells = zip(obj.__code__.co_freevars, obj.__closure__ or (), strict=True)
        yield from ((f".{name}", cell) for name, cell in cells)


def _step(obj: object, part: object) -> str:
    if type(obj) in {MethodType, partial}:
        return next((f".{name}" for name in _PARTS if getattr(obj, name, None) is part), "")
    held: dict[str, object] = getattr(obj, "__dict__", None) or {}
    return next((f".{name}" for name, value in held.items() if value is part), "")


def _state(obj: object, state: object) -> Iterator[Child]:
    """Take a dict for attributes, and a pair of dicts too: `__dict__` and what is beside it."""
    parts = cast("tuple[object, ...]", state) if type(state) is tuple else (state,)
    for part in parts:
        if type(part) is dict:
            attributes = cast("dict[object, object]", part)
            yield from ((f".{name}", value) for name, value in attributes.items())
        elif part is not None:
            yield _step(obj, part), part


def _items(items: Iterable[object]) -> Iterator[Child]:
    return ((f"[{at}]", each) for at, each in enumerate(items))


def _pairs(pairs: Iterable[tuple[object, object]]) -> Iterator[Child]:
    for key, value in pairs:
        yield "{}", key
        yield f"[{reprlib.repr(key)}]", value


def _named(name: str, value: object, path: str, obj: object, why: Exception) -> CannotSave:
    reason, instead = str(why) or type(why).__name__, ""
    if isinstance(why, Refused):
        reason, instead = why.reason, why.instead
    if isinstance(why, RecursionError):
        reason = _DEEP
    instead = instead or f"make it after the wait, or with resource({_kind(value)})"
    return CannotSave(
        name, path, kind=_kind(obj), holder=_kind(value), reason=reason, instead=instead
    )


def _unplaced(
    values: Mapping[str, object], error: Exception, alone: Callable[[object], Exception | None]
) -> CannotSave:
    """Name what all the same does not go alone: nested too deeply, or a broken `__reduce__`."""
    for name, value in values.items():
        if (why := alone(value)) is not None:
            return _named(name, value, name, value, why)
    return _named("*", values, "*", values, error)


def _kind(obj: object) -> str:
    kind = cast("type", obj) if issubclass(type(obj), type) else type(obj)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
