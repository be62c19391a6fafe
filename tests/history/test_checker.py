"""The judge itself: it acquits a clean history, and names each planted fault rightly."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import pytest
from msgspec.structs import replace

from tests.history import clean, events as e
from tests.history.checker import check
from tests.history.story import Malformed
from tests.history.verdict import LEAVING, Invariant

History = list[e.Event]
E = TypeVar("E", bound=e.Event)


def _at(history: History, kind: type[E], which: int = 0) -> tuple[int, E]:
    """Return the `which`-th event of a kind, and where it stands."""
    found = [(i, event) for i, event in enumerate(history) if isinstance(event, kind)]
    return found[which]


def _change(history: History, kind: type[E], which: int = 0, **changes: object) -> None:
    where, event = _at(history, kind, which)
    history[where] = replace(event, **changes)


def _seen(history: History, life: str, place: str) -> tuple[int, e.TakeOk]:
    return next(
        (i, event)
        for i, event in enumerate(history)
        if isinstance(event, e.TakeOk) and (event.life, event.place) == (life, place)
    )


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault: what it does to the clean history, and the only invariants that it breaks."""

    name: str
    broken: frozenset[Invariant]
    plant: Callable[[History], None]


PLANTED: list[Planted] = []


def planted(*broken: Invariant) -> Callable[[Callable[[History], None]], None]:
    def keep(plant: Callable[[History], None]) -> None:
        PLANTED.append(Planted(plant.__name__, frozenset(broken), plant))

    return keep


# --- I1 ------------------------------------------------------------------------------------------


@planted(Invariant.LOST)
def the_last_acknowledged_record_is_gone(history: History) -> None:
    _change(history, e.FinalLog, 1, records=(), cursor=0)
    _change(history, e.FinalRun, 1, answers=())


@planted(Invariant.LOST)
def two_records_have_changed_places(history: History) -> None:
    _, run = _at(history, e.FinalRun)
    one, two, *rest = run.answers
    crossed = replace(one, digest=two.digest), replace(two, digest=one.digest), *rest
    _change(history, e.FinalRun, answers=crossed)


@planted(Invariant.LOST, Invariant.PHANTOM, Invariant.DIFFERS)
def a_record_was_altered_where_it_lies(history: History) -> None:
    _, log = _at(history, e.FinalLog)
    _change(history, e.FinalLog, records=(*log.records[:4], e.Stored(4, "garbled", "k4")))
    _, run = _at(history, e.FinalRun)
    answers = *run.answers[:4], replace(run.answers[4], digest="other"), run.answers[5]
    _change(history, e.FinalRun, answers=answers)


@planted(Invariant.LOST, Invariant.PHANTOM)
def a_record_that_nobody_took_was_altered(history: History) -> None:
    _change(history, e.FinalLog, 1, records=(e.Stored(0, "garbled", "k0"),), cursor=0)
    _change(history, e.FinalRun, 1, answers=(), parked=())


# --- I2 ------------------------------------------------------------------------------------------


@planted(Invariant.DOUBLED)
def a_retry_was_stored_again(history: History) -> None:
    _, log = _at(history, e.FinalLog)
    _change(history, e.FinalLog, records=(*log.records, e.Stored(5, "a3", "k3")))


@planted(Invariant.DOUBLED)
def a_retry_was_given_another_receipt(history: History) -> None:
    _, log = _at(history, e.FinalLog)
    where, ok = _at(history, e.SendOk, 3)
    again = replace(_at(history, e.SendInvoke, 3)[1], id="a3:third", at=ok.at)
    history[where + 1 : where + 1] = [again, e.SendOk(at=ok.at, id="a3:third", seq=5)]
    _change(history, e.FinalLog, records=(*log.records, e.Stored(5, "a3", "k3")))


@planted(Invariant.DOUBLED)
def a_record_was_taken_twice(history: History) -> None:
    _, run = _at(history, e.FinalRun)
    again = replace(run.answers[4], n=6, key="key6")
    _change(history, e.FinalRun, answers=(*run.answers, again))


@planted(Invariant.DOUBLED)
def a_later_life_was_given_a_value_at_another_place(history: History) -> None:
    where, given = _seen(history, "1", "p1")
    history[where] = replace(given, place="p7")


# --- I3 ------------------------------------------------------------------------------------------


@planted(Invariant.REORDERED)
def the_log_has_a_gap(history: History) -> None:
    _, log = _at(history, e.FinalLog)
    _, run = _at(history, e.FinalRun)
    moved = replace(log.records[4], seq=5)
    taken = replace(run.answers[4], seq=5)
    _change(history, e.FinalLog, records=(*log.records[:4], moved), cursor=6)
    _change(history, e.FinalRun, answers=(*run.answers[:4], taken, run.answers[5]))


@planted(Invariant.REORDERED)
def the_journal_took_the_second_first(history: History) -> None:
    _, run = _at(history, e.FinalRun)
    one, two, *rest = run.answers
    _change(history, e.FinalRun, answers=(replace(one, n=1), replace(two, n=0), *rest))


@planted(Invariant.REORDERED)
def user_code_saw_the_second_first(history: History) -> None:
    (here, one), (there, two) = _seen(history, "1", "p0"), _seen(history, "1", "p1")
    history[here], history[there] = two, one


@planted(Invariant.REORDERED)
def user_code_never_saw_a_value_in_between(history: History) -> None:
    for life in ("1", "2"):
        where, _ = _seen(history, life, "p1")
        del history[where]
    _change(history, e.FinalRun, over="")


@planted(Invariant.REORDERED)
def the_cursor_was_not_moved_with_the_take(history: History) -> None:
    _change(history, e.FinalLog, cursor=4)


@planted(Invariant.REORDERED)
def a_send_that_began_later_stands_before(history: History) -> None:
    (_, first), (_, second) = _at(history, e.SendInvoke, 0), _at(history, e.SendInvoke, 1)
    _change(history, e.SendInvoke, 0, digest=second.digest, key=second.key)
    _change(history, e.SendInvoke, 1, digest=first.digest, key=first.key)
    _change(history, e.SendOk, 0, seq=1)
    _change(history, e.SendOk, 1, seq=0)


# --- I4 to I7 ------------------------------------------------------------------------------------


@planted(Invariant.ZOMBIE)
def a_fenced_worker_wrote(history: History) -> None:
    _change(history, e.Commit, 4, epoch=1)


@planted(Invariant.UNSETTLED)
def a_wait_has_two_answers(history: History) -> None:
    _, run = _at(history, e.FinalRun)
    both = replace(run.answers[5], n=6, key="key4")
    _change(history, e.FinalRun, answers=(*run.answers, both))


@planted(Invariant.UNSETTLED)
def an_answered_wait_still_stands(history: History) -> None:
    _change(history, e.FinalRun, 1, parked=(e.Parked(key="key0"),))


@planted(Invariant.UNSETTLED)
def a_timeout_became_a_cancellation(history: History) -> None:
    where, given = _seen(history, "2", "p5")
    history.insert(where + 1, replace(given, life="3", ending="cancelled"))


@planted(Invariant.UNSETTLED)
def the_task_returned_past_a_wait(history: History) -> None:
    where, _ = _seen(history, "2", "p5")
    del history[where]


@planted(Invariant.STUCK)
def a_wake_up_was_lost(history: History) -> None:
    _change(history, e.FinalLog, 1, cursor=0)
    _change(history, e.FinalRun, 1, answers=())


@planted(Invariant.MISTIMED)
def a_timer_fired_a_millisecond_early(history: History) -> None:
    _, run = _at(history, e.FinalRun)
    early = replace(run.answers[5], at_ms=clean.DUE_MS - 1)
    _change(history, e.FinalRun, answers=(*run.answers[:5], early))


@planted(Invariant.MISTIMED)
def a_timer_fired_late_after_an_outage(history: History) -> None:
    _, run = _at(history, e.FinalRun)
    late = replace(run.answers[5], at_ms=clean.DUE_MS + 3_251)
    _change(history, e.FinalRun, answers=(*run.answers[:5], late))


@planted(Invariant.MISTIMED)
def a_timer_never_fired(history: History) -> None:
    parked = e.Parked(key="key9", stream="s", deadline_ms=19_749)
    _change(history, e.FinalRun, 1, parked=(parked,))


# --- I8, I9 --------------------------------------------------------------------------------------


@planted(Invariant.PHANTOM)
def a_refused_send_was_stored(history: History) -> None:
    _, log = _at(history, e.FinalLog)
    _change(history, e.FinalLog, records=(*log.records, e.Stored(5, "a5", "k5")))


@planted(Invariant.PHANTOM)
def an_unknown_send_was_stored_twice(history: History) -> None:
    _, log = _at(history, e.FinalLog)
    twice = e.Stored(5, "a6", "k6"), e.Stored(6, "a6", "k6")
    _change(history, e.FinalLog, records=(*log.records, *twice))


@planted(Invariant.PHANTOM)
def a_record_came_from_nowhere(history: History) -> None:
    _, log = _at(history, e.FinalLog)
    _change(history, e.FinalLog, records=(*log.records, e.Stored(5, "nobody's")))


@planted(Invariant.DIFFERS)
def a_replay_gave_another_value(history: History) -> None:
    where, given = _seen(history, "1", "p1")
    history[where] = replace(given, digest="a2x")
    _, run = _at(history, e.FinalRun)
    assert run.over == "Completed"


@planted(Invariant.DIFFERS)
def user_code_saw_a_value_before_it_was_on_disk(history: History) -> None:
    _, run = _at(history, e.FinalRun)
    _change(history, e.FinalRun, answers=(*run.answers[:4], run.answers[5]))
    _change(history, e.FinalLog, cursor=4)


# --- the verdicts --------------------------------------------------------------------------------


def test_a_clean_history_is_acquitted() -> None:
    assert check(clean.history()) == []


@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: fault.name)
def test_a_planted_fault_is_called_by_its_name(fault: Planted) -> None:
    history = clean.history()
    fault.plant(history)
    assert {violation.invariant for violation in check(history)} == fault.broken


def test_every_invariant_has_a_planted_fault() -> None:
    assert {name for fault in PLANTED for name in fault.broken} == set(Invariant) - LEAVING


def test_time_in_which_nobody_was_there_does_not_count() -> None:
    history = [event for event in clean.history() if not isinstance(event, e.Outage)]
    assert [violation.invariant for violation in check(history)] == [Invariant.MISTIMED]


@pytest.mark.parametrize("kind", [e.SendInvoke, e.FinalRun])
def test_a_history_that_lacks_a_beginning_or_an_end_is_no_history(kind: type[e.Event]) -> None:
    history = clean.history()
    where, _ = _at(history, kind)
    del history[where]
    with pytest.raises(Malformed):
        check(history)


@pytest.mark.parametrize("kind", [e.SendInvoke, e.SendOk, e.FinalRun, e.FinalLog])
def test_an_event_that_comes_twice_is_no_history(kind: type[e.Event]) -> None:
    history = clean.history()
    history.append(_at(history, kind)[1])
    with pytest.raises(Malformed):
        check(history)
