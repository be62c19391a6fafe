"""Exceptions: saved whole, and made again without `__init__`, which may ask for anything.

Owns: arguments, attributes, notes, cause, context, groups; a traceback stays behind.
Must never know: hooks, any exception but Python's own.
"""

from __future__ import annotations

from functools import lru_cache
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, Final, cast

from headrace.frames.values_own import Own, Reduction

# `obj` is for the interpreter's "did you mean", and may be anything; the rest cannot be written.
_LEFT: Final = frozenset({"obj", "message", "exceptions"})
_UNSET: Final = object()
_CHAIN: Final = ("__cause__", "__context__")


def exception(error: BaseException, _: Own) -> Any:
    """As the class says, if it says so itself; else bare, and then filled."""
    if _says_how(type(error)):
        return _as_it_says(error)
    state = (_fields(error), dict(vars(error)))
    made: Reduction = (_bare, (type(error),))
    if issubclass(type(error), BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        made = (_group, (type(group), group.message, list(group.exceptions)))
    return (*made, state, None, None, _fill)


def _fields(error: BaseException) -> dict[str, object]:
    kind: Any = type(error)
    names = _names(kind).items()
    found = {name: value for name, no in names if (value := getattr(error, name, no)) is not no}
    return {**found, "args": error.args, **_chain(error)}


def _chain(error: BaseException) -> dict[str, object]:
    found: dict[str, object] = {
        name: getattr(error, name) for name in _CHAIN if getattr(error, name) is not None
    }
    return found | ({"__suppress_context__": True} if error.__suppress_context__ else {})


def _native(kind: type) -> type[BaseException]:
    """Return the exception of Python's own that a class is made from."""
    return next(
        it for it in kind.__mro__ if it.__module__ == "builtins" and issubclass(it, BaseException)
    )


@lru_cache(maxsize=1_024)
def _names(kind: type) -> dict[str, object]:
    """Return the fields outside `__dict__`, and what stands for none: of C, and `__slots__`."""
    return {
        name: None if it.__module__ == "builtins" else _UNSET
        for it in kind.__mro__
        if it is not BaseException and it is not object
        for name, field in vars(it).items()
        if isinstance(field, MemberDescriptorType | GetSetDescriptorType)
        and not name.startswith("__")
        and name not in _LEFT
    }


def _says_how(kind: type) -> bool:
    own = kind.__mro__[: kind.__mro__.index(_native(kind))]
    return any(name in vars(it) for it in own for name in ("__reduce__", "__reduce_ex__"))


def _as_it_says(error: BaseException) -> Any:
    said: Any = error.__reduce_ex__(5)
    if isinstance(said, str):
        return said
    kept = _chain(error)
    if notes := getattr(error, "__notes__", None):
        kept["__notes__"] = notes
    state = said[2] if len(said) > 2 else None  # noqa: PLR2004 - callable, arguments, state
    return (said[0], said[1], (kept, state), None, None, _fill_as_it_says)


def _bare(kind: type[BaseException]) -> BaseException:
    return _native(kind).__new__(kind)


def _group(
    kind: type[BaseExceptionGroup[BaseException]], message: str, errors: list[BaseException]
) -> BaseException:
    return BaseExceptionGroup.__new__(kind, message, errors)


def _set(error: BaseException, fields: dict[str, object]) -> None:
    # In order: setting the cause sets the flag, which therefore stands last.
    write = _native(type(error)).__setattr__
    if "__cause__" in fields and "__suppress_context__" not in fields:
        fields["__suppress_context__"] = False
    for name, value in fields.items():
        write(error, name, value)


def _fill(error: BaseException, state: tuple[dict[str, object], dict[str, object]]) -> None:
    fields, attributes = state
    _set(error, fields)
    vars(error).update(attributes)


def _fill_as_it_says(error: BaseException, state: tuple[dict[str, object], Any]) -> None:
    fields, said = state
    if said is not None:
        error.__setstate__(said)
    _set(error, fields)
