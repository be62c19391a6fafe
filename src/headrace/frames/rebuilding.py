"""What a snapshot calls to make functions, generators and coroutines again.

Owns: code objects in words, both ways. The names here stand in snapshots: they must not change.
Must never know: frames that are live.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from types import AsyncGeneratorType, CellType, CodeType, FunctionType
from typing import Any, Final, TypeAlias, cast

from headrace.frames import foreign
from headrace.frames.decorating import prepare
from headrace.frames.errors import SourceChanged
from headrace.frames.registry import FOREIGN, Ref, plan_of
from headrace.frames.units import unit_of

Cells: TypeAlias = tuple[CellType, ...]
Find: TypeAlias = Callable[[Ref], CodeType]


def code_at(ref: Ref) -> CodeType:
    """Return the code that a reference means, if its source is still the same."""
    code, digest = foreign.code_today(ref) if ref.nth == FOREIGN else _known(ref)
    if digest != ref.fingerprint:
        raise SourceChanged(ref.qualname, ref.module)
    return code


def _known(ref: Ref) -> tuple[CodeType, str]:
    unit = unit_of(ref.module, ref.qualname, ref.nth)
    if ref.part >= len(unit.codes):
        return unit.codes[0], ""
    return unit.codes[ref.part], unit.fingerprint


def ref_of(function: FunctionType) -> Ref | None:
    """Say in words which code a function has; None where another process would not find it."""
    plan = plan_of(function.__code__)
    return foreign.ref_of(function) if plan is None else plan.ref


def function(ref: Ref, closure: Cells, find: Find = code_at) -> FunctionType:
    """Make a function again, over its cells."""
    code = find(Ref(*ref))
    around = vars(sys.modules[ref[0]])
    prepare(around)
    return FunctionType(code, around, code.co_name, None, closure)


def decorated(made: FunctionType, state: Mapping[str, Any]) -> None:
    """Give it back what is not in its code."""
    for name, value in state.items():
        if name == "__dict__":
            made.__dict__.update(value)
        else:
            setattr(made, name, value)


def unbegun(ref: Ref, closure: Cells, variables: Mapping[str, Any], find: Find = code_at) -> object:
    """Make a call again that has not begun."""
    made = function(ref, closure, find)
    code = made.__code__
    names = list(code.co_varnames)
    count = code.co_argcount
    only_named = names[count : count + code.co_kwonlyargcount]
    arguments = [variables[name] for name in names[:count]]
    named = {name: variables[name] for name in only_named}
    rest = names[count + code.co_kwonlyargcount :]
    if code.co_flags & inspect.CO_VARARGS:
        arguments += variables[rest.pop(0)]
    if code.co_flags & inspect.CO_VARKEYWORDS:
        named |= variables[rest.pop(0)]
    return cast("Callable[..., object]", made)(*arguments, **named)


def blank(ref: Ref, closure: Cells, find: Find = code_at) -> Any:
    """Make a call whose parameters are to be taken up from a snapshot."""
    code = find(Ref(*ref))
    made = _blanks.get(id(code))
    if made is None or made.__globals__ is not vars(sys.modules[ref[0]]):
        made = function(ref, closure, lambda _: code)
        made.__defaults__ = (None,) * code.co_argcount
        only_named = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        made.__kwdefaults__ = dict.fromkeys(only_named)
        if not closure:
            _blanks[id(code)] = made
    return cast("Callable[[], object]", made)()


MAKERS: Final[Mapping[str, Callable[..., Any]]] = {
    "function": function,
    "unbegun": unbegun,
    "blank": blank,
}
"""What looks for code, and may be told to look elsewhere."""
_blanks: Final[dict[int, FunctionType]] = {}
"""By the code that they hold, so that its id stays its own."""


def over() -> AsyncGeneratorType[Any, Any]:
    """Make a generator that is over."""
    made = cast("AsyncGeneratorType[Any, Any]", _empty())
    try:
        made.asend(None).send(None)
    except StopAsyncIteration:
        return made
    raise AssertionError("an empty generator gave something")


def spent() -> object:
    """Make a coroutine that is over."""
    made = _nothing()
    made.close()
    return made


async def _empty() -> AsyncGenerator[None]:
    return
    yield


async def _nothing() -> None:
    return
