"""The judge of runs that leave: it acquits a clean history, and names each planted fault rightly.

One run, three answers: two values, a timer between. Process 1 asks for the first, the run is
saved; process 2 takes it up, asks for the last and is killed; process 3 asks again, is given it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import pytest
from msgspec.structs import replace

from tests.history import events as e
from tests.history.checker import check
from tests.history.leaves import Departures, departures
from tests.history.story import tell
from tests.history.verdict import LEAVING, Invariant

History = list[e.Event]
VALUES = {0: "first", 2: "last"}


def _asked(ticks: Iterator[int], place: int, life: str) -> e.Event:
    return e.TakeInvoke(at=next(ticks), run="a", stream="s", place=f"s#{place}", life=life)


def _given(ticks: Iterator[int], place: int, life: str) -> list[e.Event]:
    seen, total = [VALUES[each] for each in VALUES if each <= place], ""
    for each in seen:
        total = e.folded(total, each)
    at, where = next(ticks), f"s#{place}"
    given = e.TakeOk(
        at=at,
        run="a",
        stream="s",
        place=where,
        life=life,
        verb="wait",
        ending="value",
        digest=VALUES[place],
    )
    return [
        given,
        e.Carried(at=at, run="a", place=where, life=life, values=len(seen), total=total),
    ]


def history() -> History:
    ticks = count(1)
    sent: list[e.Event] = []
    for seq, digest in enumerate(VALUES.values()):
        begin = e.SendInvoke(
            at=next(ticks), id=digest, sender="raw", run="a", stream="s", key=digest, digest=digest
        )
        sent += [begin, e.SendOk(at=next(ticks), id=digest, seq=seq)]
    return [
        *sent,
        _asked(ticks, 0, "1.x"),
        e.Saved(at=next(ticks), run="a", seen=0),
        *_given(ticks, 0, "2.x"),
        e.Saved(at=next(ticks), run="a", seen=1),
        _asked(ticks, 2, "2.y"),
        e.Fault(at=next(ticks), kind="worker", who="2"),
        _asked(ticks, 2, "3.x"),
        *_given(ticks, 2, "3.x"),
        e.Unwound(at=next(ticks), run="a", life="3.x", answers=3),
        *_end(ticks),
    ]


def _end(ticks: Iterator[int]) -> History:
    first, last = (
        e.Answer(n=n, key=f"k{n}", at_ms=n, ending="value", stream="s", seq=seq, digest=digest)
        for n, seq, digest in ((0, 0, "first"), (3, 1, "last"))
    )
    nap = e.Answer(n=1, key="k1", at_ms=1, ending="timeout", deadline_ms=1)  # a step is entry 2
    stored = e.Stored(0, "first", "first"), e.Stored(1, "last", "last")
    answers = (first, nap, last)
    return [
        e.FinalRun(at=next(ticks), run="a", now_ms=9, over="Completed", answers=answers),
        e.FinalLog(at=next(ticks), run="a", stream="s", records=stored, cursor=2),
    ]


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault, and the only invariants that it breaks."""

    name: str
    broken: frozenset[Invariant]
    plant: Callable[[History], None]


PLANTED: list[Planted] = []


def planted(*broken: Invariant) -> Callable[[Callable[[History], None]], None]:
    def keep(plant: Callable[[History], None]) -> None:
        PLANTED.append(Planted(plant.__name__, frozenset(broken), plant))

    return keep


def _where(history: History, kind: type[e.Event], which: int = 0) -> int:
    return [i for i, event in enumerate(history) if isinstance(event, kind)][which]


@planted(Invariant.REPEATED)
def the_first_wait_was_asked_again_after_it_was_saved(history: History) -> None:
    at = history[_where(history, e.Fault)].at
    history.append(e.TakeInvoke(at=at, run="a", stream="s", place="s#0", life="3.x"))
    history.insert(0, e.Fault(at=4, kind="worker", who="1"))  # it is not enough that it died


@planted(Invariant.REPEATED)
def the_first_value_was_given_again_after_a_later_snapshot(history: History) -> None:
    given = history[_where(history, e.TakeOk)]
    assert isinstance(given, e.TakeOk)
    late = history[_where(history, e.Fault)].at
    history.append(replace(given, at=late, life="3.x"))
    history.append(e.Fault(at=given.at, kind="worker", who="2"))


@planted(Invariant.REPEATED)
def two_lives_went_on_and_nobody_was_killed(history: History) -> None:
    del history[_where(history, e.Fault)]


@planted(Invariant.REPEATED)
def somebody_else_was_killed(history: History) -> None:
    where = _where(history, e.Fault)
    fault = history[where]
    assert isinstance(fault, e.Fault)
    history[where] = replace(fault, who="1")


@planted(Invariant.REPEATED)
def it_was_killed_before_it_had_asked(history: History) -> None:
    where = _where(history, e.Fault)
    fault = history.pop(where)
    assert isinstance(fault, e.Fault)
    history.insert(0, replace(fault, at=0))


@planted(Invariant.FORGOTTEN)
def a_variable_has_lost_a_value(history: History) -> None:
    where = _where(history, e.Carried, 1)
    held = history[where]
    assert isinstance(held, e.Carried)
    history[where] = replace(held, values=1)


@planted(Invariant.FORGOTTEN)
def a_variable_has_another_value(history: History) -> None:
    where = _where(history, e.Carried, 1)
    held = history[where]
    assert isinstance(held, e.Carried)
    history[where] = replace(held, total=e.folded("", "last"))


@planted(Invariant.UNWOUND)
def a_finally_has_run_where_the_run_left(history: History) -> None:
    at = history[_where(history, e.Saved)].at
    history.append(e.Unwound(at=at, run="a", life="1.x", answers=0))


def test_a_clean_history_is_clean() -> None:
    assert check(history()) == []
    assert departures(tell(history())) == Departures(saved=2, resumed=1, elsewhere=1, repeated=1)


@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: fault.name)
def test_a_planted_fault_is_called_by_its_name(fault: Planted) -> None:
    seen = history()
    fault.plant(seen)
    seen.sort(key=lambda event: event.at)
    assert {violation.invariant for violation in check(seen)} == fault.broken


def test_every_invariant_has_a_planted_fault() -> None:
    assert {name for fault in PLANTED for name in fault.broken} == LEAVING
