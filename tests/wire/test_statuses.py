"""Statuses: every state has a name, and the booleans agree with it."""

from typing import get_args

import pytest

from headrace.kernel.model import (
    EPOCH,
    Blocked,
    Canceled,
    Cause,
    Completed,
    Crashed,
    Delayed,
    Expired,
    Failed,
    Over,
    Queued,
    Retrying,
    Running,
    State,
    TimedOut,
    Waiting,
    WorkerId,
)
from headrace.wire.statuses import flags_of, states_of, status_of
from headrace.wire.views import FINAL, Status

CAUSE = Cause("why")
STATES: list[tuple[State, Status]] = [
    (Delayed(EPOCH), "DELAYED"),
    (Queued(EPOCH), "QUEUED"),
    (Retrying(EPOCH), "EXECUTING"),
    (Running(WorkerId("w")), "EXECUTING"),
    (Waiting(None), "WAITING"),
    (Waiting(WorkerId("w")), "WAITING"),
    (Blocked(CAUSE), "PENDING_VERSION"),
    (Over(Completed(b""), EPOCH), "COMPLETED"),
    (Over(Failed(CAUSE), EPOCH), "FAILED"),
    (Over(Canceled(), EPOCH), "CANCELED"),
    (Over(Crashed(CAUSE), EPOCH), "CRASHED"),
    (Over(Expired(), EPOCH), "EXPIRED"),
    (Over(TimedOut(), EPOCH), "TIMED_OUT"),
]


@pytest.mark.parametrize(("state", "status"), STATES)
def test_every_state_has_its_name(state: State, status: Status) -> None:
    named = type(state.outcome).__name__ if isinstance(state, Over) else type(state).__name__

    assert status_of(state) == status
    assert named in states_of(status)


def test_every_kind_of_state_is_asked() -> None:
    kinds = {type(state) for state, _ in STATES}

    assert kinds == set(get_args(State))
    assert {type(state.outcome) for state, _ in STATES if isinstance(state, Over)} == {
        Completed, Failed, Canceled, Crashed, Expired, TimedOut,
    }  # fmt: skip


@pytest.mark.parametrize("status", get_args(Status))
def test_exactly_one_of_the_four_phases_holds(status: Status) -> None:
    flags = flags_of(status)
    phases = (flags.is_queued, flags.is_executing, flags.is_waiting, flags.is_completed)

    assert sum(phases) == 1
    assert flags.is_completed == (status in FINAL)
    assert sum((flags.is_success, flags.is_failed, flags.is_cancelled)) == (status in FINAL)


def test_a_cancelled_run_has_not_failed() -> None:
    assert flags_of("CANCELED").is_cancelled
    assert not flags_of("CANCELED").is_failed
    assert flags_of("EXPIRED").is_failed
    assert flags_of("TIMED_OUT").is_failed
