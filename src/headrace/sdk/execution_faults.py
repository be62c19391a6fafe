"""Failures as the journal keeps them, and as a run shows them.

Owns: the form of a failure's JSON text, the text of a traceback. Must never know: who failed.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from functools import lru_cache
from pathlib import Path
from typing import Final, cast

import msgspec

from headrace import errors
from headrace.errors import BadValue, HeadraceError, StepFailed
from headrace.kernel.model import Cause

TRACE_AT_MOST: Final = 65_536
MESSAGE_AT_MOST: Final = 8_192
_CUT: Final = "\n  ... cut ...\n"
_OWN: Final = str(Path(__file__).parents[1])
_LOOP: Final = str(Path(asyncio.__file__).parent)

_KINDS: Final = tuple(cast("type[HeadraceError]", getattr(errors, name)) for name in errors.__all__)
BY_CODE: Final = {kind.code: kind for kind in _KINDS}


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """A failure in the journal. `code` is that of our own errors."""

    message: str
    name: str = "Error"
    module: str = ""
    code: str = ""


_decode = msgspec.json.Decoder(Fault).decode


def words_of(error: BaseException) -> str:
    """Return what an error says, fit to be stored."""
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001 - an error whose `__str__` fails is still an error
        text = f"(its text cannot be shown: {type(broken).__name__})"
    return _storable(text, MESSAGE_AT_MOST)


def _storable(text: str, most: int) -> str:
    """Cut out the middle of what is too long; a lone surrogate is written out."""
    sound = text.encode("utf-8", "backslashreplace").decode()
    if len(sound) <= most:
        return sound
    head = most // 4
    return sound[:head] + _CUT + sound[len(sound) - (most - head - len(_CUT)) :]


def fault_of(error: BaseException) -> bytes:
    """Return the JSON text by which the journal keeps `error`."""
    kind = type(error)
    code = error.code if isinstance(error, HeadraceError) else ""
    return msgspec.json.encode(Fault(words_of(error), kind.__qualname__, kind.__module__, code))


def step_failure(body: bytes, step: str) -> BaseException:
    """Return what a step raised in an earlier life: `StepFailed` that is also of the same type.

    So `except` takes the same way on replay. Only what has been imported already is looked up;
    the attributes of the original are gone.
    """
    fault = _decode(body)
    if fault.name == "CancelledError":
        return asyncio.CancelledError(fault.message)
    try:
        kind = _both(fault.module, fault.name)
        error = cast("StepFailed", kind.__new__(kind, fault.message))
    except Exception:  # noqa: BLE001 - a type that cannot be made anew, for whatever reason
        error = StepFailed.__new__(StepFailed, fault.message)
    # Not by `__init__`: that of the original may want what is not known any more.
    error.args = (fault.message,)
    error.message, error.hint = fault.message, ""
    error.facts = dict[str, str | float | None](step=step, name=fault.name)
    return error


@lru_cache(maxsize=256)
def _both(module: str, name: str) -> type[Exception]:
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if isinstance(found, type) and issubclass(found, Exception):
        return cast("type[Exception]", type(found.__name__, (StepFailed, found), {}))
    return StepFailed


def own_error(body: bytes) -> HeadraceError:
    """Return what the server refused in an earlier life, or has just refused."""
    fault = _decode(body)
    return error_of(fault.code, fault.message)


def bad_value(body: bytes) -> BadValue:
    """Return why a value was rejected in an earlier life."""
    return BadValue(_decode(body).message)


def error_of(code: str, message: str) -> HeadraceError:
    """Return the error that goes by `code`."""
    return BY_CODE.get(code, errors.Mistake)(message)


def cause_of(error: BaseException) -> Cause:
    """Return what a run shows of the error that ended its task. It reads source files."""
    return Cause(words_of(error), type(error).__name__, trace_of(error))


def trace_of(error: BaseException) -> str:
    """Return the traceback, the user's frames only, cut in the middle if it is too long."""
    try:
        told = traceback.TracebackException.from_exception(error, compact=True)
        _strip(told, 0)
        text = "".join(told.format())
    except Exception as broken:  # noqa: BLE001 - see `words_of`
        text = f"(the traceback cannot be shown: {type(broken).__name__})"
    return _storable(text, TRACE_AT_MOST)


def _strip(told: traceback.TracebackException, depth: int) -> None:
    """Take out the frames that lead from the worker to the user's code."""
    own = (_OWN, _LOOP)
    kept = [frame for frame in told.stack if not frame.filename.startswith(own)]
    if kept:
        told.stack = traceback.StackSummary.from_list(kept)
    if depth < 32:  # noqa: PLR2004 - a chain that long is cut from the text anyway
        inner = [told.__cause__, told.__context__, *(told.exceptions or ())]
        for one in inner:
            if one is not None:
                _strip(one, depth + 1)
