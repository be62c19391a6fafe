"""Snapshots: what they stand for is never undone, and they live as long as the run."""

from dataclasses import replace

import pytest

from headrace.kernel import commands as c
from headrace.kernel.machine import decide
from headrace.kernel.model import Blocked, Queued, Retrying, Run, Running, Waiting, later
from tests.kernel.samples import (
    APPROVAL,
    BODY,
    CAUSE,
    EPOCH,
    FIRST,
    ME,
    NOW,
    OTHER,
    RETRY,
    RUNS,
    STANDING,
)

COLD = replace(RUNS["saved-warm"], state=Waiting(None))


def fail(run: Run, undone: int, seen: int = 3) -> c.Change:
    command = c.Fail(EPOCH, CAUSE, RETRY, jitter=0.5, undone=undone, seen=seen)
    return decide(run, command, NOW)


@pytest.mark.parametrize(("undone", "kept"), [(0, 2), (1, 2), (2, 2), (3, 3), (4, 3)])
def test_a_failed_attempt_undoes_nothing_that_a_snapshot_stands_for(undone: int, kept: int) -> None:
    change = fail(RUNS["saved"], undone)
    assert (change.undone, change.after.entries, change.after.saved) == (kept, kept, 2)
    assert isinstance(change.after.state, Retrying)


def test_without_a_snapshot_failures_are_undone_from_the_first() -> None:
    change = fail(RUNS["running"], 0)
    assert (change.undone, change.after.entries) == (0, 0)


def test_a_snapshot_is_replaced_by_the_next() -> None:
    run = replace(RUNS["saved"], entries=9)
    change = decide(run, c.Save(EPOCH, 9, BODY), NOW)
    assert (change.after.saved, change.after.base, change.saved) == (9, 1, BODY)


def test_the_same_number_again_is_a_change_since_the_code_has_moved() -> None:
    change = decide(RUNS["saved"], c.Save(EPOCH, 3, BODY), NOW)
    again = decide(change.after, c.Save(EPOCH, 3, b"another"), NOW)
    assert again.saved == b"another"
    assert again.after.version == change.after.version + 1


def test_a_run_that_was_left_is_taken_up_by_anybody_and_its_snapshot_stays() -> None:
    left = decide(RUNS["saved-warm"], c.Save(EPOCH, 3, BODY, leaves=True), NOW).after
    assert (left.state, left.saved, left.waits) == (Waiting(None), 3, (STANDING,))
    woken = decide(left, c.Deliver(APPROVAL, (FIRST,)), NOW).after
    assert isinstance(woken.state, Queued)
    again = decide(woken, c.Claim(OTHER), NOW).after
    assert (again.saved, again.entries, again.epoch) == (3, 4, EPOCH + 1)


def test_who_left_can_leave_no_second_time() -> None:
    command = c.Save(EPOCH, 3, BODY, leaves=True)
    left = decide(RUNS["saved-warm"], command, NOW).after
    with pytest.raises(c.Fenced):
        decide(left, command, NOW)


@pytest.mark.parametrize(
    "command",
    [c.Lose(ME), c.Release(EPOCH), c.Block(EPOCH, CAUSE), c.Park(EPOCH, 3), c.Cancel(30_000)],
)
def test_what_is_no_end_keeps_the_snapshot(command: c.Command) -> None:
    after = decide(RUNS["saved"], command, NOW).after
    assert (after.saved, after.base) == (2, 1)


def test_a_blocked_run_goes_on_with_its_snapshot() -> None:
    run = replace(COLD, state=Blocked(CAUSE))
    assert decide(run, c.Unblock(), NOW).after.saved == 2


def test_a_run_that_is_begun_again_has_no_snapshot_and_new_code() -> None:
    run = replace(RUNS["saved-warm"], state=Blocked(CAUSE), code="v1")
    change = decide(run, c.Restart(), NOW)
    after = change.after
    assert (change.undone, after.saved, after.base, after.entries) == (0, None, 0, 0)
    claimed = decide(after, c.Claim(ME, "v2"), NOW).after
    assert (claimed.code, claimed.attempt, claimed.failures) == ("v2", 1, 0)


def test_the_code_is_that_of_the_first_claim() -> None:
    first = decide(RUNS["queued"], c.Claim(ME, "v1"), NOW).after
    assert isinstance(first.state, Running)
    queued = decide(first, c.Release(first.epoch), later(NOW, 1)).after
    assert decide(queued, c.Claim(OTHER, "v2"), later(NOW, 2)).after.code == "v1"


def test_of_a_run_that_had_begun_the_code_stays_unknown() -> None:
    assert decide(RUNS["resumed"], c.Claim(OTHER, "v2"), NOW).after.code == ""
