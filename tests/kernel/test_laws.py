"""No history breaks a law: lists of commands by chance, every law judged after each of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import event, given, settings, strategies as st

from headrace.kernel import commands as c
from headrace.kernel.effects import durable
from headrace.kernel.machine import LOST_AT_MOST, decide, due, holder
from headrace.kernel.model import (
    Blocked,
    Crashed,
    Delayed,
    Instant,
    Limits,
    Over,
    Queued,
    Retrying,
    Run,
    Running,
    Waiting,
    later,
)
from tests.kernel.moves import CHOICES, Choice, move
from tests.kernel.world import TOKEN, Step, World

FAR = 10**15

# --- the laws, each judged after each change ------------------------------------------------------


def one_version_for_each_lasting_change(step: Step) -> None:
    before, after = step.change.before, step.change.after
    kept = replace(durable(after), version=before.version, updated=before.updated)
    news = step.change.entries or step.change.saved is not None
    lasts = bool(news) or kept != durable(before)
    assert after.version == before.version + lasts
    assert after.updated == (step.now if lasts else before.updated)


def entries_are_numbered_without_gaps(step: Step) -> None:
    change = step.change
    start = change.before.entries if change.undone is None else change.undone
    assert 0 <= start <= change.before.entries
    numbers = [entry.n for entry in change.entries]
    assert numbers == list(range(start, start + len(numbers)))
    assert change.after.entries == start + len(numbers)
    assert all(entry.at == step.now for entry in change.entries)


def a_cursor_moves_with_the_entry_that_took(step: Step) -> None:
    cursors = dict(step.change.before.cursors)
    for entry in step.change.entries:
        if entry.kind == "take" and entry.ending == "value":
            assert entry.stream is not None
            assert entry.seq == cursors.get(entry.stream, 0)
            if entry.stream != TOKEN:
                cursors[entry.stream] = entry.seq + 1
    if isinstance(step.command, c.Restart):
        cursors.clear()
    assert step.change.after.cursors == cursors


def the_first_waiter_takes(step: Step) -> None:
    waits = list(step.change.before.waits)
    if isinstance(step.command, c.Stand):
        waits.append(step.command.wait)
    for entry in step.change.entries:
        ended = [wait for wait in waits if wait.key == entry.key]
        if entry.ending == "value" and entry.kind == "take" and entry.stream != TOKEN:
            first = next(wait for wait in waits if wait.stream == entry.stream)
            assert first.key == entry.key
        waits = [wait for wait in waits if wait not in ended]


def the_value_of_a_token_is_for_all(step: Step) -> None:
    """Nobody goes on waiting for it once it has been offered, or asks for it in vain."""
    after, command = step.change.after, step.command
    if isinstance(command, c.Deliver) and command.stream == TOKEN and after.stop is None:
        assert TOKEN not in {wait.stream for wait in after.waits}
    if isinstance(command, c.Stand) and command.wait.stream == TOKEN and TOKEN in command.heads:
        fresh = command.wait.key not in {wait.key for wait in step.change.before.waits}
        assert bool(step.change.entries) == fresh


def no_timeout_beats_the_value_of_a_token(step: Step) -> None:
    command = step.command
    if isinstance(command, c.Elapse | c.Stand) and TOKEN in command.heads:
        late = [entry for entry in step.change.entries if entry.stream == TOKEN]
        assert {entry.ending for entry in late} <= {"value"}


def waits_keep_their_order(step: Step) -> None:
    before = [wait.key for wait in step.change.before.waits]
    after = [wait.key for wait in step.change.after.waits]
    kept = [key for key in before if key in after]
    assert after[: len(kept)] == kept
    assert len(set(after)) == len(after)


def nothing_is_taken_timed_out_or_parked_while_it_stops(step: Step) -> None:
    before, after = step.change.before, step.change.after
    if before.stop is None:
        return
    endings = {(entry.kind, entry.ending) for entry in step.change.entries}
    assert endings <= {("take", "cancelled"), ("timer", "cancelled")} | {
        ("step", "value"),
        ("step", "failure"),
    }
    assert not isinstance(after.state, Waiting)
    assert len(after.waits) <= len(before.waits)


def what_stops_ends_as_it_was_told_to(step: Step) -> None:
    before, after = step.change.before, step.change.after
    if before.stop is None:
        return
    assert not isinstance(after.state, Blocked | Retrying)
    if isinstance(after.state, Over):
        assert after.state.outcome == before.stop.outcome
    else:
        assert after.stop == before.stop


def what_is_over_stays_so(step: Step) -> None:
    if isinstance(step.change.before.state, Over):
        assert step.change.after == step.change.before
        assert not step.change.entries


def an_end_leaves_nothing_standing(step: Step) -> None:
    after = step.change.after
    if isinstance(after.state, Over):
        assert (after.waits, after.deadlines, after.stop, after.resumed) == ((), {}, None, None)
        assert after.saved is None


def only_a_claim_counts_the_epoch_up(step: Step) -> None:
    claimed = isinstance(step.command, c.Claim)
    assert step.change.after.epoch == step.change.before.epoch + claimed


def only_a_task_that_raised_ends_an_attempt(step: Step) -> None:
    before, after = step.change.before, step.change.after
    raised = isinstance(step.command, c.Fail) and before.stop is None
    fresh = raised and not isinstance(before.state, Over) and after != before
    assert after.failures == before.failures + fresh
    claimed = isinstance(step.command, c.Claim)
    assert after.attempt == (before.failures + 1 if claimed else before.attempt)


def what_waits_is_durable(step: Step) -> None:
    after = step.change.after
    if isinstance(after.state, Waiting):
        assert after.waits
        assert all(wait.held for wait in after.waits)
    assert all(wait.held for wait in after.waits if wait.deadline is not None)
    if not isinstance(after.state, Running):
        assert durable(after) == after


def news_make_a_waiting_run_go_on(step: Step) -> None:
    """Else it would wait with an answer in its journal, and nothing would wake it again."""
    if step.change.entries:
        assert not isinstance(step.change.after.state, Waiting)


def time_is_counted_while_it_executes(step: Step) -> None:
    before, after = step.change.before, step.change.after
    assert (after.resumed is not None) == isinstance(after.state, Running)
    if before.resumed is None:
        assert after.ran_ms == before.ran_ms
    elif after.resumed is None:
        assert after.ran_ms == before.ran_ms + step.now - before.resumed


def something_is_due_only_if_it_can_elapse(step: Step) -> None:
    """A timer that asks at `due` is never told "nothing to do": it would ask for ever."""
    run, moment = step.change.after, due(step.change.after)
    if moment is None:
        assert decide(run, c.Elapse(), Instant(FAR)).after is run
        return
    assert decide(run, c.Elapse(), later(moment, -1)).after is run
    at = max(moment, step.now)
    then = decide(run, c.Elapse(), at).after
    assert then.version == run.version + 1
    # What was answered in time may already have executed too long: that is due at once, once.
    assert due(then) != moment or then.state != run.state


def a_snapshot_is_of_the_whole_journal(step: Step) -> None:
    """It is taken when everything was heard, and stands for all entries before, for good."""
    before, after, change = step.change.before, step.change.after, step.change
    if isinstance(step.command, c.Restart):
        assert (after.saved, after.base, change.saved, change.dropped) == (None, 0, None, None)
        return
    assert 0 <= after.base <= (after.entries if after.saved is None else after.saved)
    assert after.saved is None or after.saved <= after.entries
    if isinstance(step.command, c.Save) and change.saved is not None:
        assert after.saved == after.entries == before.entries == step.command.seen
        assert before.stop is None
        assert isinstance(after.state, Running | Waiting)
    else:
        assert (change.saved, change.dropped) == (None, None)
        assert after.saved in {before.saved, None}
        assert (after.saved == before.saved) or isinstance(after.state, Over)
    assert after.base == (before.base if change.dropped is None else change.dropped)
    assert change.undone is None or change.undone >= (before.saved or 0)


def who_leaves_with_a_snapshot_leaves_a_waiting_run(step: Step) -> None:
    before, after = step.change.before, step.change.after
    if isinstance(step.command, c.Save) and holder(before) != holder(after):
        assert isinstance(before.state, Waiting)
        assert after.state == Waiting(None)
        assert step.change.saved == step.command.body


def the_code_is_that_of_the_first_claim(step: Step) -> None:
    """Of the first since it began, or was made to begin again."""
    before, after = step.change.before, step.change.after
    match step.command:
        case c.Claim(version=version) if not before.code:
            assert before.entries == 0
            assert after.code == version
        case c.Restart():
            assert after.code == ""
        case _:
            assert after.code == before.code


def only_what_is_blocked_is_mended_and_no_attempt_is_burnt(step: Step) -> None:
    before, after = step.change.before, step.change.after
    if isinstance(step.command, c.Unblock | c.Restart | c.Accept):
        assert isinstance(before.state, Blocked)
        assert after.state == Queued(step.now)
        for name in (
            "id",
            "created",
            "limits",
            "epoch",
            "attempt",
            "failures",
            "started",
            "ran_ms",
        ):
            assert getattr(after, name) == getattr(before, name)


def only_what_is_delayed_is_rescheduled_and_stays_so(step: Step) -> None:
    if isinstance(step.command, c.Reschedule):
        assert isinstance(step.change.before.state, Delayed)
        assert step.change.after.state == Delayed(step.command.until)


def a_restart_leaves_nothing_to_go_on_from(step: Step) -> None:
    after, change = step.change.after, step.change
    if isinstance(step.command, c.Restart):
        assert (change.undone, change.entries) == (0, ())
        assert (after.entries, after.waits, after.cursors, after.deadlines) == (0, (), {}, {})


def what_is_accepted_is_added_and_undoes_nothing(step: Step) -> None:
    before, after, change = step.change.before, step.change.after, step.change
    if isinstance(step.command, c.Accept):
        assert change.undone is None
        assert [e.key for e in change.entries] == [e.key for e in step.command.entries]
        assert (after.waits, after.cursors, after.saved) == (
            before.waits,
            before.cursors,
            before.saved,
        )


LAWS = (
    a_snapshot_is_of_the_whole_journal,
    who_leaves_with_a_snapshot_leaves_a_waiting_run,
    the_code_is_that_of_the_first_claim,
    only_what_is_blocked_is_mended_and_no_attempt_is_burnt,
    only_what_is_delayed_is_rescheduled_and_stays_so,
    a_restart_leaves_nothing_to_go_on_from,
    what_is_accepted_is_added_and_undoes_nothing,
    one_version_for_each_lasting_change,
    entries_are_numbered_without_gaps,
    a_cursor_moves_with_the_entry_that_took,
    the_first_waiter_takes,
    the_value_of_a_token_is_for_all,
    no_timeout_beats_the_value_of_a_token,
    waits_keep_their_order,
    nothing_is_taken_timed_out_or_parked_while_it_stops,
    what_stops_ends_as_it_was_told_to,
    what_is_over_stays_so,
    an_end_leaves_nothing_standing,
    only_a_claim_counts_the_epoch_up,
    only_a_task_that_raised_ends_an_attempt,
    what_waits_is_durable,
    news_make_a_waiting_run_go_on,
    time_is_counted_while_it_executes,
    something_is_due_only_if_it_can_elapse,
)


LIMITS = st.builds(
    Limits,
    max_attempts=st.integers(1, 4),
    ttl_ms=st.sampled_from((None, None, 1, 700)),
    max_duration_ms=st.sampled_from((None, None, 1, 3_000)),
)
DELAYS = st.sampled_from((0, 0, 0, 1, 500))


@pytest.mark.timeout(120)  # thousands of steps: seconds alone, many on a busy machine
@settings(max_examples=250)
@given(LIMITS, DELAYS, st.lists(CHOICES, min_size=30, max_size=80))
def test_no_history_breaks_a_law(limits: Limits, delay_ms: int, choices: list[Choice]) -> None:
    world = World.new(limits, delay_ms)
    for choice in choices:
        step = move(world, choice)
        if step is not None:
            for law in LAWS:
                law(step)
    _keys_are_answered_once(world)
    _three_workers_lost_without_news_are_a_crash(world)
    _deadlines_are_never_started_again(world)
    event(f"ends as {_state(world.run)}")
    for seen in {_news(step) for step in world.steps}:
        event(seen)


def _keys_are_answered_once(world: World) -> None:
    keys = [entry.key for entry in world.journal]
    assert len(set(keys)) == len(keys)
    assert [entry.n for entry in world.journal] == list(range(world.run.base, world.run.entries))


def _three_workers_lost_without_news_are_a_crash(world: World) -> None:
    lost = 0
    for step in world.steps:
        before, after = step.change.before, step.change.after
        executing = isinstance(before.state, Running)
        lost = lost + 1 if isinstance(step.command, c.Lose) and executing else lost
        crashed = isinstance(after.state, Over) and isinstance(after.state.outcome, Crashed)
        if isinstance(step.command, c.Lose) and executing:
            assert isinstance(after.state, Over) == (lost == LOST_AT_MOST)
            assert crashed == (lost == LOST_AT_MOST and before.stop is None)
        again = isinstance(step.command, c.Restart)
        if step.change.entries or after.failures > before.failures or again:
            lost = 0


def _deadlines_are_never_started_again(world: World) -> None:
    first: dict[str, Instant] = {}
    for step in world.steps:
        if isinstance(step.command, c.Restart):
            first.clear()
        for wait in step.change.after.waits:
            if wait.deadline is not None:
                assert first.setdefault(wait.key, wait.deadline) == wait.deadline
        for entry in step.change.entries:
            if entry.deadline is not None:
                assert first.setdefault(entry.key, entry.deadline) == entry.deadline
            if entry.ending == "timeout":
                assert entry.deadline is not None
                assert entry.deadline <= entry.at


def _state(run: Run) -> str:
    return type(run.state.outcome if isinstance(run.state, Over) else run.state).__name__


def _news(step: Step) -> str:
    entries = "".join(sorted({f" {entry.kind} {entry.ending}" for entry in step.change.entries}))
    return f"{type(step.command).__name__} in {_state(step.change.before)}:{entries}"
