"""Which type is saved in which way: the table that is asked for every object but plain data.

Must never know: how any of them is saved.

A class is looked up once and remembered, except local ones: they come and go.
"""

from __future__ import annotations

import io
from contextvars import ContextVar
from enum import Enum
from re import Match
from types import AsyncGeneratorType, CellType, CoroutineType, TracebackType
from typing import Any, Final

from headrace.frames import values_made as made
from headrace.frames.resources import Resource
from headrace.frames.values_errored import exception
from headrace.frames.values_files import file
from headrace.frames.values_names import NAMED, class_, contextvar
from headrace.frames.values_own import Own, Reducer, ask
from headrace.frames.values_refused import refuse, why_not
from headrace.frames.values_steps import STEPS

_SAYS_HOW: Final = frozenset({"__reduce__", "__reduce_ex__"})


def _of_frames(obj: object, own: Own) -> Any:
    return ask(own, obj) or refuse(obj, own)


def _resource(it: Resource[Any], own: Own) -> Any:
    """A hook may want to know what is open, for example to close it afterwards."""
    return ask(own, it) or NotImplemented


_EXACT: Final[dict[type, Reducer]] = {
    **NAMED,
    **STEPS,
    AsyncGeneratorType: _of_frames,
    CellType: made.cell,
    ContextVar: contextvar,
    CoroutineType: _of_frames,
    Match: made.match,
    Resource: _resource,
    TracebackType: _of_frames,
}
_FAMILIES: Final[dict[type, Reducer]] = {
    BaseException: exception,
    Enum: made.member,
    type: class_,
}


def _reducer(kind: type) -> Reducer | None:
    if kind in _EXACT:
        return _EXACT[kind]
    for family, reducer in _FAMILIES.items():
        if issubclass(kind, family):
            return reducer
    return _inherited(kind)


def _inherited(kind: type) -> Reducer | None:
    """What a class says itself counts; what it does not say may be refused by one of its bases."""
    for base in kind.__mro__:
        if why_not(base) is not None:
            return file if issubclass(kind, io.IOBase) and base.__module__ == "_io" else refuse
        if base.__module__ != "_io" and not vars(base).keys().isdisjoint(_SAYS_HOW):
            break
    return made.struct if made.is_struct(kind) else None


class _Table(dict[type, "Reducer | None"]):
    """Filled by the types that are met; None leaves a type to pickle."""

    def __missing__(self, kind: type) -> Reducer | None:
        found = _reducer(kind)
        if "<locals>" not in kind.__qualname__:
            self[kind] = found
        return found


TABLE: Final = _Table()
