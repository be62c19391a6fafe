"""What time does to a run, what waits take, and what is due when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headrace.kernel import commands as c
from headrace.kernel.commands import Change, Refused
from headrace.kernel.machine import GRACE_MS, decide, due
from headrace.kernel.model import (
    Canceled,
    Completed,
    Delayed,
    Expired,
    Instant,
    Key,
    Limits,
    Over,
    Queued,
    Record,
    Retry,
    Retrying,
    Run,
    Running,
    Stop,
    StreamId,
    TimedOut,
    Wait,
    WaitpointId,
    at_waitpoint,
    later,
)
from tests.kernel.samples import (
    APPROVAL,
    CAUSE,
    COMMANDS,
    EPOCH,
    FIRST,
    ME,
    NEXT,
    NOTES,
    NOW,
    OTHER,
    RUNS,
    SOON,
    STANDING,
    THEN,
)

SECOND = Wait(Key("/approval#1"), APPROVAL, deadline=SOON)


def _elapse(run: Run, now: Instant = SOON, head: Record | None = None) -> Change:
    return decide(run, c.Elapse({} if head is None else {APPROVAL: head}), now)


# --- what is due --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "moment"),
    [
        (RUNS["delayed"], SOON),
        (RUNS["retrying"], SOON),
        (RUNS["queued"], None),
        (replace(RUNS["queued"], limits=Limits(ttl_ms=70)), later(THEN, 70)),
        (replace(RUNS["resumed"], limits=Limits(ttl_ms=70), waits=()), None),
        (RUNS["resumed"], SOON),
        (RUNS["running"], SOON),
        (replace(RUNS["running"], limits=Limits(max_duration_ms=70)), later(THEN, 20)),
        (replace(RUNS["running"], limits=Limits(max_duration_ms=9_000)), SOON),
        (replace(RUNS["warm"], limits=Limits(max_duration_ms=70)), SOON),
        (replace(RUNS["warm"], waits=(NEXT, SECOND, replace(NEXT, deadline=NOW))), NOW),
        (RUNS["blocked"], None),
        (RUNS["stopping"], SOON),
        (replace(RUNS["stopping"], stop=Stop(NOW, Canceled())), NOW),
        (RUNS["over"], None),
    ],
)
def test_what_is_due_is_the_earliest(run: Run, moment: Instant | None) -> None:
    assert due(run) == moment


@pytest.mark.parametrize("state", RUNS)
def test_nothing_elapses_before_it_is_due(state: str) -> None:
    run = RUNS[state]
    early = later(due(run) or SOON, -1)
    assert decide(run, c.Elapse({APPROVAL: FIRST}), early).after is run


@pytest.mark.parametrize("state", ["delayed", "retrying"])
def test_a_pause_ends_in_the_queue_at_the_place_of_its_moment(state: str) -> None:
    after = _elapse(RUNS[state], later(SOON, 500)).after
    assert (after.state, after.waits, after.epoch) == (Queued(SOON), (), RUNS[state].epoch)


def test_a_run_that_nobody_starts_expires() -> None:
    run = replace(RUNS["queued"], limits=Limits(ttl_ms=1_000))
    assert _elapse(run, later(NOW, -1)).after is run
    assert _elapse(run, NOW).after.state == Over(Expired(), NOW)


def test_a_run_whose_time_to_live_is_over_is_not_started_any_more() -> None:
    run = replace(RUNS["queued"], limits=Limits(ttl_ms=1_000))
    assert decide(run, c.Claim(ME), later(NOW, -1)).after.state == Running(ME)
    with pytest.raises(Refused):
        decide(run, c.Claim(ME), NOW)


def test_a_run_that_has_begun_does_not_expire_in_the_queue() -> None:
    run = replace(RUNS["resumed"], limits=Limits(ttl_ms=1_000), waits=())
    assert _elapse(run, later(NOW, 10**9)).after is run
    assert decide(run, c.Claim(ME), later(NOW, 10**9)).after.state == Running(ME)


@pytest.mark.parametrize("state", ["stopping", "stopping-queued", "too-long"])
def test_the_grace_ends_a_run_as_it_was_told_to(state: str) -> None:
    stop = RUNS[state].stop
    assert stop is not None
    after = _elapse(RUNS[state]).after
    assert (after.state, after.waits, after.stop) == (Over(stop.outcome, SOON), (), None)


# --- deadlines ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "then"),
    [
        ("running", Running(ME)),
        ("warm", Running(ME)),
        ("cold", Queued(SOON)),
        ("resumed", Queued(THEN)),
    ],
)
def test_a_timeout_takes_nothing_and_lets_the_run_go_on(state: str, then: object) -> None:
    change = _elapse(RUNS[state])
    assert [(entry.ending, entry.body, entry.seq) for entry in change.entries] == [
        ("timeout", b"", -1)
    ]
    assert change.after.cursors == RUNS[state].cursors
    assert (change.after.state, change.after.waits) == (then, ())


@pytest.mark.parametrize("state", ["running", "warm", "cold", "resumed"])
def test_what_is_in_the_log_at_the_deadline_wins(state: str) -> None:
    change = _elapse(RUNS[state], SOON, FIRST)
    assert [(entry.ending, entry.body, entry.seq) for entry in change.entries] == [
        ("value", FIRST.body, FIRST.seq)
    ]
    assert change.after.cursors == {APPROVAL: 3}


def test_a_record_before_or_behind_the_cursor_is_none() -> None:
    for seq in (1, 3):
        change = _elapse(RUNS["warm"], SOON, replace(FIRST, seq=seq))
        assert [entry.ending for entry in change.entries] == ["timeout"]


def test_a_later_waiter_takes_nothing_at_its_deadline_that_the_first_waits_for() -> None:
    run = replace(RUNS["warm"], waits=(replace(STANDING, deadline=None), SECOND))
    change = _elapse(run, SOON, FIRST)
    assert [(entry.key, entry.ending) for entry in change.entries] == [(SECOND.key, "timeout")]


def test_of_two_that_are_due_the_first_takes() -> None:
    run = replace(RUNS["warm"], waits=(STANDING, SECOND))
    change = _elapse(run, SOON, FIRST)
    assert [entry.ending for entry in change.entries] == ["value", "timeout"]
    assert [entry.n for entry in change.entries] == [3, 4]


def test_a_timer_ends_with_a_value() -> None:
    timer = Wait(Key("/sleep#0"), None, deadline=SOON)
    change = _elapse(replace(RUNS["warm"], waits=(timer,)), SOON, FIRST)
    assert [(entry.kind, entry.ending) for entry in change.entries] == [("timer", "value")]


def test_a_timer_that_is_left_is_cancelled() -> None:
    timer = Wait(Key("/sleep#0"), None, deadline=SOON)
    change = decide(replace(RUNS["warm"], waits=(timer,)), c.Leave(EPOCH, timer.key), NOW)
    assert [(entry.kind, entry.ending) for entry in change.entries] == [("timer", "cancelled")]


def test_a_wait_whose_deadline_has_passed_looks_once_and_ends() -> None:
    late = replace(NEXT, deadline=NOW)
    run = replace(RUNS["running"], waits=())
    found = decide(run, c.Stand(EPOCH, late, {APPROVAL: FIRST}), NOW)
    assert [entry.ending for entry in found.entries] == ["value"]
    missed = decide(run, c.Stand(EPOCH, late), NOW)
    assert [entry.ending for entry in missed.entries] == ["timeout"]
    assert missed.after.waits == ()


def test_a_deadline_goes_on_through_a_failed_attempt() -> None:
    run = replace(RUNS["running"], waits=(STANDING, NEXT))
    revived = {Key("/gone#0"): Instant(2_500)}
    failed = decide(run, c.Fail(EPOCH, CAUSE, Retry(), 0.5, seen=3, revived=revived), NOW).after
    assert failed.waits == ()
    assert failed.deadlines == {STANDING.key: SOON, Key("/gone#0"): 2_500}
    queued = decide(failed, c.Elapse(), due(failed) or NOW).after
    again = decide(queued, c.Claim(OTHER), NOW).after
    asked = replace(STANDING, deadline=later(SOON, 60_000))
    after = decide(again, c.Stand(EPOCH + 1, asked), NOW).after
    assert [wait.deadline for wait in after.waits] == [SOON]
    assert after.deadlines == {Key("/gone#0"): 2_500}


def test_a_deadline_from_before_makes_the_wait_durable() -> None:
    """Where the new code has no timeout, the store's timer must still see it."""
    run = replace(RUNS["running"], waits=(), deadlines={NEXT.key: SOON})
    after = decide(run, c.Stand(EPOCH, NEXT), NOW).after
    assert [(wait.deadline, wait.held) for wait in after.waits] == [(SOON, True)]


# --- several records, several waiters -----------------------------------------------------------


def test_waiters_are_served_in_the_order_in_which_they_came() -> None:
    waits = (STANDING, replace(NEXT, stream=NOTES, key=Key("/notes#0")), SECOND)
    run = replace(RUNS["warm"], waits=waits)
    records = tuple(Record(2 + n, str(n).encode(), NOW) for n in range(3))
    change = decide(run, c.Deliver(APPROVAL, records), NOW)
    assert [(entry.key, entry.body) for entry in change.entries] == [
        (STANDING.key, b"0"),
        (SECOND.key, b"1"),
    ]
    assert change.after.cursors == {APPROVAL: 4}
    assert [wait.key for wait in change.after.waits] == ["/notes#0"]


def test_a_token_is_for_all_that_wait_and_for_whoever_asks_later() -> None:
    token, value = at_waitpoint(WaitpointId("t")), replace(FIRST, seq=0)
    first, second = replace(STANDING, stream=token), replace(SECOND, stream=token)
    both = replace(RUNS["warm"], waits=(first, second))
    told = decide(both, c.Deliver(token, (value,)), NOW)
    assert [(entry.key, entry.ending) for entry in told.entries] == [
        (first.key, "value"),
        (second.key, "value"),
    ]
    assert _elapsed_with(both, token, value) == ["value", "value"]
    asks = replace(RUNS["running"], waits=(first,))
    asked = decide(asks, c.Stand(EPOCH, replace(NEXT, stream=token), {token: value}), NOW)
    assert [(entry.key, entry.ending) for entry in asked.entries] == [(NEXT.key, "value")]


def _elapsed_with(run: Run, stream: StreamId, head: Record) -> list[str]:
    return [entry.ending for entry in decide(run, c.Elapse({stream: head}), SOON).entries]


@pytest.mark.parametrize("seq", [0, 1, 3, 4])
def test_only_the_record_at_the_cursor_is_taken(seq: int) -> None:
    run = RUNS["warm"]
    assert decide(run, c.Deliver(APPROVAL, (replace(FIRST, seq=seq),)), NOW).after is run


def test_a_wait_takes_what_is_there_when_it_comes() -> None:
    run = replace(RUNS["running"], waits=())
    change = decide(run, c.Stand(EPOCH, NEXT, {APPROVAL: FIRST}), NOW)
    assert [(entry.ending, entry.seq) for entry in change.entries] == [("value", 2)]
    assert (change.after.waits, change.after.cursors) == ((), {APPROVAL: 3})


def test_a_wait_that_is_answered_at_once_makes_a_warm_run_go_on() -> None:
    run = replace(RUNS["warm"], waits=(replace(STANDING, stream=NOTES),))
    after = decide(run, c.Stand(EPOCH, NEXT, {APPROVAL: FIRST}), NOW).after
    assert (after.state, after.resumed) == (Running(ME), NOW)


# --- how long it executes -----------------------------------------------------------------------


def test_executing_too_long_begins_the_grace() -> None:
    run = replace(RUNS["running"], limits=Limits(max_duration_ms=1_050), waits=(NEXT,))
    assert _elapse(run, later(NOW, -1)).after is run
    after = _elapse(run, NOW).after
    assert after.stop == Stop(later(NOW, GRACE_MS), TimedOut())
    assert (after.state, after.waits) == (Running(ME), (NEXT,))


def test_waiting_is_not_executing() -> None:
    run = replace(RUNS["running"], limits=Limits(max_duration_ms=2_000), waits=(NEXT,))
    waiting = decide(run, c.Park(EPOCH, seen=3), NOW).after
    assert (waiting.ran_ms, waiting.resumed, due(waiting)) == (1_050, None, None)
    resumed = decide(waiting, c.Deliver(APPROVAL, (FIRST,)), later(NOW, 10**8)).after
    assert due(resumed) == later(NOW, 10**8 + 950)


def test_a_wait_and_the_duration_may_end_together() -> None:
    waits = (replace(NEXT, deadline=NOW, held=True),)
    run = replace(RUNS["running"], limits=Limits(max_duration_ms=1_050), waits=waits)
    change = _elapse(run, NOW)
    assert [entry.ending for entry in change.entries] == ["timeout"]
    assert change.after.stop is not None


def test_a_delay_ends_in_time_for_its_time_to_live() -> None:
    run = replace(RUNS["delayed"], state=Delayed(SOON), limits=Limits(ttl_ms=100))
    queued = _elapse(run, later(SOON, 50)).after
    assert due(queued) == later(SOON, 100)


def test_a_retry_waits_as_long_as_its_policy_says() -> None:
    after = decide(RUNS["running"], COMMANDS["fail"], NOW).after
    assert after.state == Retrying(later(NOW, 1_000))
    assert decide(RUNS["running"], COMMANDS["complete"], NOW).after.state == Over(
        Completed(b'"out"'), NOW
    )
