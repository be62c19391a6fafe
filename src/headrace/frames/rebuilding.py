"""What a snapshot calls to make functions, generators and coroutines again.

Owns: code objects in words, both ways. The names here stand in snapshots: they must not change.
Must never know: frames that are live.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from types import AsyncGeneratorType, CellType, CodeType, FunctionType
from typing import Any, Final, TypeAlias, cast

from headrace.frames.decorating import prepare
from headrace.frames.errors import NotRestored, SourceChanged
from headrace.frames.registry import Ref, codes_in, plan_of
from headrace.frames.units import unit_of

Cells: TypeAlias = tuple[CellType, ...]
Find: TypeAlias = Callable[[Ref], CodeType]
FOREIGN: Final = -1
"""Stands for `nth` where the code is no part of a transformed function."""


def code_at(ref: Ref) -> CodeType:
    """Return the code that a reference means, if its source is still the same."""
    code, digest = _foreign(ref) if ref.nth == FOREIGN else _known(ref)
    if digest != ref.fingerprint:
        raise SourceChanged(ref.qualname, ref.module)
    return code


def _known(ref: Ref) -> tuple[CodeType, str]:
    unit = unit_of(ref.module, ref.qualname, ref.nth)
    if ref.part >= len(unit.codes):
        return unit.codes[0], ""
    return unit.codes[ref.part], unit.fingerprint


def _foreign(ref: Ref) -> tuple[CodeType, str]:
    module = importlib.import_module(ref.module)
    host = _host(module, ref.qualname)
    if host is None:
        raise NotRestored(f"{ref.qualname}() is not in {ref.module} any more")
    codes = list(codes_in(host.__code__))
    if ref.part >= len(codes):
        return host.__code__, ""
    return codes[ref.part], _digest(codes[ref.part])


def _host(found: object, qualname: str) -> FunctionType | None:
    """Return the function of this qualified name, however it is decorated."""
    for part in qualname.split("."):
        found = inspect.getattr_static(found, part, None)
    while found is not None:
        if isinstance(found, FunctionType) and found.__code__.co_qualname == qualname:
            return found
        found = getattr(found, "__wrapped__", None) or getattr(found, "__func__", None)
    return None


def _digest(code: CodeType) -> str:
    constants = [one for one in code.co_consts if not isinstance(one, CodeType)]
    parts = (code.co_names, code.co_varnames, constants)
    return hashlib.blake2b(code.co_code + repr(parts).encode(), digest_size=12).hexdigest()


def ref_of(function: FunctionType) -> Ref | None:
    """Say in words which code a function has; None where another process would not find it."""
    code = function.__code__
    plan = plan_of(code)
    if plan is not None:
        return plan.ref
    name = function.__globals__.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    host_name, inside, _ = code.co_qualname.partition(".<locals>")
    host = _host(module, host_name) if module is not None and inside else None
    if host is None or name is None:
        return None
    for index, each in enumerate(codes_in(host.__code__)):
        if each is code:
            return Ref(name, host_name, FOREIGN, index, _digest(code))
    return None


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


def unbegun(
    ref: Ref, closure: Cells, variables: Mapping[str, Any], find: Find = code_at
) -> object:
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
