"""What a run's state is called outside.

Owns: the names, and the booleans that go with them.
Must never know: what makes a state change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from headrace.kernel.model import (
    Blocked,
    Canceled,
    Completed,
    Crashed,
    Delayed,
    Expired,
    Failed,
    Outcome,
    Over,
    Queued,
    Retrying,
    Running,
    State,
    TimedOut,
    Waiting,
)
from headrace.wire.feeds import RawStatus
from headrace.wire.views import FINAL, RunView, Status


@dataclass(frozen=True, slots=True)
class Flags:
    """The questions that clients ask of a status."""

    is_queued: bool
    is_executing: bool
    is_waiting: bool
    is_completed: bool
    is_success: bool
    is_failed: bool
    is_cancelled: bool


def status_of(state: State) -> Status:
    """Name the state."""
    match state:
        case Delayed():
            return "DELAYED"
        case Queued():
            return "QUEUED"
        case Running() | Retrying():
            return "EXECUTING"
        case Waiting():
            return "WAITING"
        case Blocked():
            return "PENDING_VERSION"
        case Over(outcome=outcome):
            return _ended(outcome)
        case _:
            assert_never(state)


def raw_of(state: State) -> RawStatus:
    """Name the state in the vocabulary of the feed."""
    match state:
        case Delayed():
            return "DELAYED"
        case Queued():
            return "PENDING"
        case Running():
            return "EXECUTING"
        case Retrying():
            return "RETRYING_AFTER_FAILURE"
        case Waiting():
            return "WAITING_TO_RESUME"
        case Blocked():
            return "PENDING_VERSION"
        case Over(outcome=outcome):
            return _raw_end(outcome)
        case _:
            assert_never(state)


def flags_of(status: Status) -> Flags:
    """Answer the questions. Every final status is completed; a cancelled run has not failed."""
    final = status in FINAL
    return Flags(
        is_queued=status in {"QUEUED", "DELAYED", "PENDING_VERSION"},
        is_executing=status in {"EXECUTING", "DEQUEUED"},
        is_waiting=status == "WAITING",
        is_completed=final,
        is_success=status == "COMPLETED",
        is_failed=final and status not in {"COMPLETED", "CANCELED"},
        is_cancelled=status == "CANCELED",
    )


def states_of(status: Status) -> tuple[str, ...]:
    """Name the classes of the states, or of the outcomes, that are shown as `status`."""
    return _STATES[status]


def old_words(view: RunView) -> dict[str, object]:
    """Return what a run is called, and the answers, for clients of before 2025-07-16."""
    match view.status:
        case "WAITING":
            return {"status": "FROZEN", "is_waiting": False, "is_executing": True}
        case "DEQUEUED":
            return {"status": "EXECUTING"}
        case "EXECUTING" if view.retrying_until:
            return {"status": "REATTEMPTING"}
        case _:
            return {}


OLD_NAMES: dict[str, Status] = {"FROZEN": "WAITING", "REATTEMPTING": "EXECUTING"}
"""Names that those clients may ask for, and what they are called now."""


def _ended(outcome: Outcome) -> Status:
    match outcome:
        case Completed():
            return "COMPLETED"
        case Failed():
            return "FAILED"
        case Canceled():
            return "CANCELED"
        case Crashed():
            return "CRASHED"
        case Expired():
            return "EXPIRED"
        case TimedOut():
            return "TIMED_OUT"
        case _:
            assert_never(outcome)


def _raw_end(outcome: Outcome) -> RawStatus:
    match outcome:
        case Completed():
            return "COMPLETED_SUCCESSFULLY"
        case Failed():
            return "COMPLETED_WITH_ERRORS"
        case Canceled():
            return "CANCELED"
        case Crashed():
            return "CRASHED"
        case Expired():
            return "EXPIRED"
        case TimedOut():
            return "TIMED_OUT"
        case _:
            assert_never(outcome)


_STATES: dict[Status, tuple[str, ...]] = {
    "DELAYED": ("Delayed",),
    "PENDING_VERSION": ("Blocked",),
    "QUEUED": ("Queued",),
    "DEQUEUED": (),
    "EXECUTING": ("Running", "Retrying"),
    "WAITING": ("Waiting",),
    "COMPLETED": ("Completed",),
    "FAILED": ("Failed",),
    "CANCELED": ("Canceled",),
    "CRASHED": ("Crashed",),
    "SYSTEM_FAILURE": (),
    "EXPIRED": ("Expired",),
    "TIMED_OUT": ("TimedOut",),
}
