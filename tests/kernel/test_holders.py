"""Who holds a run, and what losing, failing, parking and cancelling leave of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headrace.kernel import commands as c
from headrace.kernel.commands import Change, Fenced
from headrace.kernel.effects import durable, lasting
from headrace.kernel.machine import decide, holds, outcome_of
from headrace.kernel.model import (
    Canceled,
    Crashed,
    Failed,
    Limits,
    Queued,
    Retry,
    Stop,
    Waiting,
    inward,
    later,
    outward,
)
from tests.kernel.samples import (
    CAUSE,
    COMMANDS,
    EPOCH,
    ME,
    NEXT,
    NOW,
    RUNS,
    STANDING,
    THEN,
)

HELD_BY_ME = (
    "running",
    "warm",
    "saved",
    "saved-warm",
    "frail",
    "stopping",
    "too-long",
    "stopping-frail",
    "too-long-frail",
)
WORKERS = [name for name, command in COMMANDS.items() if hasattr(command, "epoch")]


# --- fencing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("epoch", [0, EPOCH - 1, EPOCH + 1])
@pytest.mark.parametrize("command", WORKERS)
@pytest.mark.parametrize("state", RUNS)
def test_another_epoch_can_do_nothing(state: str, command: str, epoch: int) -> None:
    run = replace(RUNS[state], epoch=epoch)
    with pytest.raises(Fenced, match=f"run run is .* at epoch {epoch}"):
        decide(run, COMMANDS[command], NOW)


@pytest.mark.parametrize("state", RUNS)
def test_the_holder_is_known_by_its_epoch(state: str) -> None:
    run = RUNS[state]
    assert holds(run, run.epoch) == (state in HELD_BY_ME)
    assert not holds(run, run.epoch - 1)


# --- parking ------------------------------------------------------------------------------------


def test_parking_makes_every_wait_durable() -> None:
    run = replace(RUNS["running"], waits=(STANDING, NEXT))
    after = decide(run, c.Park(EPOCH, seen=3), NOW).after
    assert after.state == Waiting(ME)
    assert [wait.held for wait in after.waits] == [True, True]


def test_a_run_without_a_wait_is_not_parked() -> None:
    """Its wait was refused, or answered: nothing would ever wake it."""
    run = replace(RUNS["running"], waits=())
    assert decide(run, c.Park(EPOCH, seen=3), NOW).after is run


# --- workers and attempts -----------------------------------------------------------------------


def test_the_third_lost_worker_in_a_row_is_a_crash() -> None:
    after = decide(replace(RUNS["running"], lost=2), c.Lose(ME), NOW).after
    outcome = outcome_of(after)
    assert isinstance(outcome, Crashed)
    assert "3 workers" in outcome.cause.message


@pytest.mark.parametrize("command", ["deliver", "remember", "leave"])
def test_news_start_the_count_of_lost_workers_anew(command: str) -> None:
    run = replace(RUNS["running"], lost=2)
    assert decide(run, COMMANDS[command], NOW).after.lost == 0


def test_a_warm_run_may_lose_any_number_of_workers() -> None:
    after = decide(replace(RUNS["warm"], lost=2), c.Lose(ME), NOW).after
    assert (after.state, after.lost) == (Waiting(None), 2)


def test_what_stood_in_a_lost_workers_memory_is_gone() -> None:
    run = replace(RUNS["running"], waits=(STANDING, NEXT))
    assert decide(run, c.Lose(ME), NOW).after.waits == (STANDING,)


@pytest.mark.parametrize(("failures", "most", "over"), [(0, 1, True), (1, 3, False), (2, 3, True)])
def test_the_last_attempt_that_raises_ends_the_run(failures: int, most: int, *, over: bool) -> None:
    run = replace(RUNS["running"], failures=failures, limits=Limits(max_attempts=most))
    after = decide(run, COMMANDS["fail"], NOW).after
    assert after.failures == failures + 1
    assert outcome_of(after) == (Failed(CAUSE) if over else None)


def test_a_claim_after_a_failure_is_the_next_attempt() -> None:
    run = replace(RUNS["resumed"], failures=2, attempt=2)
    after = decide(run, c.Claim(ME), NOW).after
    assert (after.attempt, after.epoch, after.started) == (3, EPOCH + 1, THEN)


# --- failures that are tried again --------------------------------------------------------------


@pytest.mark.parametrize(
    ("undone", "seen", "dropped"), [(1, 3, 1), (3, 3, 3), (1, 2, None), (None, 3, None), (9, 3, 3)]
)
def test_entries_are_undone_only_by_who_has_seen_them_all(
    undone: int | None, seen: int, dropped: int | None
) -> None:
    command = c.Fail(EPOCH, CAUSE, Retry(), 0.5, undone=undone, seen=seen)
    change = decide(RUNS["running"], command, NOW)
    assert change.undone == dropped
    assert change.after.entries == (3 if dropped is None else dropped)


def test_a_run_that_is_over_keeps_its_journal() -> None:
    command = c.Fail(EPOCH, CAUSE, Retry(), 0.5, again=False, undone=1, seen=3)
    change = decide(RUNS["running"], command, NOW)
    assert (change.undone, change.after.entries) == (None, 3)


# --- cancelling ---------------------------------------------------------------------------------


def test_a_cancelled_run_that_never_began_is_over_at_once() -> None:
    tried = replace(RUNS["queued"], attempt=1, failures=1, epoch=1)
    for run in (RUNS["queued"], tried):
        assert outcome_of(decide(run, c.Cancel(500), NOW).after) == Canceled()


def test_the_grace_is_that_of_the_command() -> None:
    after = decide(RUNS["cold"], c.Cancel(500), NOW).after
    assert (after.state, after.stop) == (Queued(NOW), Stop(later(NOW, 500), Canceled()))


# --- what a store keeps -------------------------------------------------------------------------


def test_a_store_keeps_all_but_what_stands_in_memory() -> None:
    run = replace(RUNS["running"], waits=(STANDING, NEXT))
    assert durable(run) == replace(run, waits=(STANDING,))
    assert durable(RUNS["running"]) is RUNS["running"]


def test_what_lasts_is_an_entry_or_a_durable_difference() -> None:
    run = replace(RUNS["running"], waits=(STANDING, NEXT))
    assert not lasting(Change(run, run))
    assert not lasting(Change(run, durable(run)))
    assert lasting(Change(run, replace(run, lost=1)))


@pytest.mark.parametrize("state", RUNS)
def test_an_outcome_is_told_of_what_is_over(state: str) -> None:
    assert outcome_of(RUNS[state]) == (Canceled() if state == "over" else None)


def test_a_stream_is_named_with_its_direction() -> None:
    assert (inward("tokens"), outward("tokens")) == ("<tokens", ">tokens")
