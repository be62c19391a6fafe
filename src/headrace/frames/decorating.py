"""`@resumable`: gives a function its transformed code.

Owns: function objects. Must never know: trees, snapshots.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any, Final, TypeVar, cast

from headrace.frames import runtime
from headrace.frames.errors import NotResumable
from headrace.frames.nodes import PENDING, RUNTIME
from headrace.frames.registry import Unit, plan_of
from headrace.frames.sources import source_of
from headrace.frames.units import INSTEAD, NO_SOURCE, compiled

F = TypeVar("F", bound=Callable[..., Any])
ASYNC: Final = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_done: Final[dict[int, tuple[CodeType, Unit]]] = {}


def resumable(function: F) -> F:
    """Return the async function made resumable: same name, signature, file and lines.

    Its coroutines can be saved at every await, and so can those of the async functions nested in
    it. Raises NotResumable, which says what to write instead.
    """
    if not isinstance(function, FunctionType):
        name, kind = getattr(function, "__qualname__", repr(function)), type(function).__name__
        advice = "decorate the function itself, below other decorators"
        raise NotResumable(f"it is a {kind}", name, "?", 0, advice)
    code = function.__code__
    if plan_of(code) is not None:
        prepare(function.__globals__)
        return cast("F", function)
    if not code.co_flags & ASYNC:
        advice = "make it an `async def`"
        raise NotResumable("it is not async", code.co_qualname, *_line(code), advice)
    return cast("F", _remade(function, _unit(function)))


def is_resumable(function: Callable[..., object]) -> bool:
    """Tell whether a function is resumable, by decorator or by import hook."""
    code = getattr(inspect.unwrap(function, stop=_is_known), "__code__", None)
    return isinstance(code, CodeType) and plan_of(code) is not None


def fingerprint(function: Callable[..., object]) -> str:
    """Return a hash of what a resumable function does, that comments and layout do not change."""
    code = getattr(inspect.unwrap(function, stop=_is_known), "__code__", None)
    plan = plan_of(code) if isinstance(code, CodeType) else None
    if plan is None:
        raise ValueError(f"{function!r} is not resumable")
    return plan.unit.fingerprint


def prepare(module_globals: dict[str, Any]) -> None:
    """Give a module what its transformed functions call."""
    module_globals[PENDING] = runtime.pending
    module_globals[RUNTIME] = runtime


def _is_known(function: Callable[..., object]) -> bool:
    return isinstance(function, FunctionType) and plan_of(function.__code__) is not None


def _line(code: CodeType) -> tuple[str, int]:
    return code.co_filename, code.co_firstlineno


def _unit(function: FunctionType) -> Unit:
    """Compile it once, also where it is decorated each time its maker runs."""
    code = function.__code__
    known = _done.get(id(code))
    if known is not None:
        return known[1]
    source = source_of(code.co_filename, function.__globals__)
    place = source.of_code(code) if source else None
    if source is None or place is None:
        raise NotResumable(NO_SOURCE, code.co_qualname, *_line(code), INSTEAD)
    unit = compiled(source, place, function.__globals__.get("__name__", "?"), code.co_flags)
    _done[id(code)] = code, unit
    return unit


def _remade(function: FunctionType, unit: Unit) -> FunctionType:
    code = unit.codes[0]
    prepare(function.__globals__)
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    closure = tuple(cells[name] for name in code.co_freevars)
    made = FunctionType(
        code, function.__globals__, function.__name__, function.__defaults__, closure
    )
    made.__qualname__, made.__module__ = function.__qualname__, function.__module__
    made.__kwdefaults__, made.__doc__ = function.__kwdefaults__, function.__doc__
    lazy = "__annotate__" if hasattr(function, "__annotate__") else "__annotations__"
    setattr(made, lazy, getattr(function, lazy))
    if hasattr(function, "__type_params__"):
        setattr(made, "__type_params__", getattr(function, "__type_params__"))  # noqa: B009, B010
    made.__dict__.update(function.__dict__)
    return made
