"""Why a run did not complete, in the closed vocabulary that the official clients read.

Owns: outcome to fault. Must never know: where it is shown.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, assert_never

import msgspec

from headrace.kernel.model import (
    Canceled,
    Cause,
    Completed,
    Crashed,
    Expired,
    Failed,
    Outcome,
    TimedOut,
)
from headrace.wire.views import Wire

Code: TypeAlias = Literal["TASK_RUN_CANCELLED", "TASK_RUN_CRASHED", "MAX_DURATION_EXCEEDED"]


class Raised(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """The task's own exception."""

    type: Literal["BUILT_IN_ERROR"] = "BUILT_IN_ERROR"
    name: str
    message: str
    stack_trace: str


class Ended(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """Something else ended the run."""

    type: Literal["INTERNAL_ERROR"] = "INTERNAL_ERROR"
    code: Code
    message: str
    stack_trace: str


class Said(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """Something else ended the run, for which there is no code."""

    type: Literal["STRING_ERROR"] = "STRING_ERROR"
    raw: str


Fault: TypeAlias = Raised | Ended | Said
_encode = msgspec.json.Encoder().encode


def fault_of(outcome: Outcome) -> Fault | None:
    """Say why the run did not complete; nothing if it did."""
    match outcome:
        case Completed():
            return None
        case Failed(cause=cause):
            return Raised(name=cause.name, message=cause.message, stack_trace=cause.trace)
        case Crashed(cause=cause):
            return _ended("TASK_RUN_CRASHED", cause)
        case Canceled():
            return _ended("TASK_RUN_CANCELLED", Cause("the run was cancelled"))
        case Expired():
            return Said(raw="the run was not started within its time to live")
        case TimedOut():
            return _ended("MAX_DURATION_EXCEEDED", Cause("the run executed for too long"))
        case _:
            assert_never(outcome)


def fault_text(outcome: Outcome) -> bytes:
    """Return the fault as JSON text, empty for none."""
    fault = fault_of(outcome)
    return b"" if fault is None else _encode(fault)


def _ended(code: Code, cause: Cause) -> Ended:
    return Ended(code=code, message=cause.message, stack_trace=cause.trace)
