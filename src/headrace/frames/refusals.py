"""Why a coroutine cannot be saved, in words that name what is in the way, and where.

Must never know: how anything is saved.
"""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from types import CodeType
from typing import Final

from headrace.frames.errors import NotSaved
from headrace.frames.modules import Untransformed, untransformed
from headrace.frames.suspended import Suspended
from headrace.frames.values import CannotSave

_HIDDEN: Final = {
    "@it": "the iterator of a loop",
    "@cm": "the manager of a `with`",
    "@err": "the exception being handled",
    "@subject": "the subject of a `match`",
}


def _where(one: Suspended) -> tuple[str, str, int]:
    code = one.plan.code
    return code.co_qualname, code.co_filename, one.frame.f_lineno


def not_saved(error: CannotSave, one: Suspended) -> NotSaved:
    function, file, line = _where(one)
    name = error.variable
    kind = next((text for start, text in _HIDDEN.items() if name.startswith(start)), "")
    if name.startswith(("@", ".")):
        named = kind or "a value that the expression needs"
    else:
        named = f"local {name!r}"
    path = "" if error.path == name else f": {error.path} ({error.kind})"
    instead = f"; {error.instead}" if error.instead else ""
    message = (
        f"{named} ({error.holder}) in {function}(), {file}:{line}, cannot be saved{path}: "
        f"{error.reason}{instead}"
    )
    return NotSaved(
        message,
        variable=name,
        type=error.kind,
        function=function,
        file=file,
        line=line,
        reason=error.reason,
    )


def unknown(coroutine: object, chain: list[Suspended], awaited: object) -> NotSaved:
    """Say that what is awaited is neither resumable nor known to the leaf."""
    kind = type(coroutine if not chain else awaited).__qualname__
    if not chain:
        name = getattr(coroutine, "__qualname__", repr(coroutine))
        message = f"{name}() cannot be saved: {_why_not(coroutine)}"
        return NotSaved(
            message, variable="", type=kind, function=name, file="", line=0, reason=message
        )
    function, file, line = _where(chain[-1])
    reason = _why_not(awaited)
    message = f"{function}(), {file}:{line}, cannot be saved where it waits: {reason}"
    return NotSaved(
        message, variable="", type=kind, function=function, file=file, line=line, reason=reason
    )


def _why_not(awaited: object) -> str:
    if awaited is None:
        return "it is not suspended"
    code = getattr(awaited, "cr_code", None) or getattr(awaited, "gi_code", None)
    if not isinstance(code, CodeType):
        return f"{_named(awaited)} is a wait of this process only"
    where = f"{code.co_qualname}() ({code.co_filename}:{code.co_firstlineno})"
    if "asyncio" in Path(code.co_filename).parts:
        return f"{where} is a wait of this process only; await its tasks before, or one by one"
    left = next((one for one in untransformed() if _is_of(one, code)), None)
    if left is not None:
        return f"{where} was left as it is: {left.why}"
    return (
        f"{where} is not resumable; put @resumable on it, or let the import hook select its module"
    )


def _is_of(left: Untransformed, code: CodeType) -> bool:
    return left.file == code.co_filename and left.name.endswith(f".{code.co_qualname}")


def _named(awaited: object) -> str:
    """Name what is awaited; a future's iterator stands for its future, and so for a gather."""
    behind = [one for one in gc.get_referents(awaited) if asyncio.isfuture(one)]
    return type(behind[0] if behind else awaited).__qualname__.lstrip("_")
