"""The search itself: it finds every order, and what it leaves out is only another spelling."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import comb

import pytest

from tests.explorer.search import Choose, Move, Search, TooMany, Wavering, enough


@dataclass(frozen=True, slots=True)
class Step:
    """Reads one variable and writes another: `target = source + add`."""

    source: str
    target: str
    add: int


Program = dict[str, Sequence[Step]]


def _moves(program: Program, done: dict[str, int]) -> list[Move]:
    return [
        _move(program, process, steps[done[process]], done[process])
        for process, steps in program.items()
        if done[process] < len(steps)
    ]


def _move(program: Program, process: str, step: Step, number: int) -> Move:
    touched = {step.source, step.target}
    others = [one for name, steps in program.items() if name != process for one in steps]
    return Move(
        label=f"{process}{number}",
        process=process,
        reads=frozenset({step.source}),
        writes=frozenset({step.target}),
        local=not any(touched & {one.source, one.target} for one in others),
    )


def _same(state: Hashable) -> Hashable:
    return state


class Machine:
    """Runs a program of processes with shared variables, one step at a time."""

    def __init__(self, program: Program, *, merged: bool) -> None:
        self._program, self._merged = program, merged
        self.ends: list[tuple[tuple[str, int], ...]] = []

    def play(self, choose: Choose) -> Sequence[str]:
        done, values = dict.fromkeys(self._program, 0), dict[str, int]()
        path: list[str] = []
        while moves := _moves(self._program, done):
            state = (tuple(done.items()), tuple(sorted(values.items())))
            here: Hashable = state if self._merged else tuple(path)
            move = choose(moves, partial(_same, here))
            if move is None:
                return ()
            step = self._program[move.process][done[move.process]]
            values[step.target] = values.get(step.source, 0) + step.add
            done[move.process] += 1
            path.append(move.label)
        self.ends.append(tuple(sorted(values.items())))
        return ("lost update",) if values.get("shared", 2) == 1 else ()


def _search(program: Program, *, merged: bool) -> tuple[Machine, Search]:
    machine = Machine(program, merged=merged)
    return machine, Search(machine.play, most=100_000, stop_at=100_000)


def _own(name: str, count: int) -> list[Step]:
    return [Step(name, name, 1)] * count


def _through(name: str, shared: str) -> list[Step]:
    """Read the shared variable into one's own, and write it back plus one."""
    return [Step(shared, name, 0), Step(name, shared, 1)]


INCREMENTS: Program = {"a": _through("a", "shared"), "b": _through("b", "shared")}


def test_without_pruning_every_order_is_gone_through() -> None:
    same: Program = {"a": [Step("x", "x", 1)] * 4, "b": [Step("x", "x", 1)] * 3}
    machine, search = _search(same, merged=False)
    assert search.run().schedules == comb(7, 3) == len(machine.ends)


def test_moves_that_do_not_touch_each_other_have_one_order() -> None:
    apart: Program = {"a": _own("a", 4), "b": _own("b", 4), "c": _own("c", 4)}
    machine, search = _search(apart, merged=False)
    search.run()
    assert len(machine.ends) == 1


def test_known_states_are_not_gone_through_again() -> None:
    same: Program = {"a": [Step("x", "x", 1)] * 4, "b": [Step("x", "x", 1)] * 3}
    machine, search = _search(same, merged=True)
    report = search.run()
    assert len(machine.ends) == 2  # the end is no point of choice: two moves lead there
    assert report.states <= 5 * 4


@pytest.mark.parametrize("merged", [False, True])
def test_a_lost_update_is_found(*, merged: bool) -> None:
    _, search = _search(INCREMENTS, merged=merged)
    failures = search.run().failures
    assert failures
    assert all(failure.wrong == ("lost update",) for failure in failures)
    assert failures[0].schedule == ("a0", "b0", "a1", "b1")


def _programs() -> list[Program]:
    """Processes that meet in some variables and not in others."""
    mixed = [Step("x", "a", 0), Step("a", "y", 1), Step("y", "z", 2)]
    other = [Step("y", "x", 3), Step("b", "b", 1), Step("x", "y", 1)]
    third = [Step("z", "x", 5), Step("c", "c", 1)]
    return [
        INCREMENTS,
        {"a": mixed, "b": other},
        {"a": mixed, "b": other, "c": third},
        {"a": [*mixed, *other], "b": _through("b", "y"), "c": _through("c", "z")},
    ]


@pytest.mark.parametrize("program", _programs())
def test_pruning_loses_no_outcome(program: Program) -> None:
    """Against a search that prunes nothing: the sets of final states are equal."""
    everything = _unpruned(program)
    machine, search = _search(program, merged=True)
    report = search.run()
    assert set(machine.ends) == set(everything)
    assert report.schedules < len(everything)


def _by_chance(chance: random.Random) -> Program:
    """Make up a program of three processes that meet in three variables."""

    def step() -> Step:
        return Step(chance.choice("xyz"), chance.choice("xyz"), chance.randrange(1, 4))

    return {name: [step() for _ in range(chance.randrange(1, 4))] for name in "abc"}


def test_pruning_loses_no_outcome_of_programs_made_by_chance(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    for _ in range(60):
        program = _by_chance(chance)
        machine, search = _search(program, merged=True)
        search.run()
        assert set(machine.ends) == set(_unpruned(program)), program


def test_what_nobody_else_touches_goes_first() -> None:
    mixed: Program = {"a": [*_own("a", 3), *_through("a", "x")], "b": [*_own("b", 3)] * 2}
    _, search = _search(mixed, merged=True)
    assert search.run().states == 5 + 6  # one after the other, and no state between


@pytest.mark.parametrize(
    "first",
    [
        Move("one", "a", reads=frozenset({"x"}), local=True),  # the other writes that
        Move("one", "a"),  # others may touch the same later on
        Move("one", "a", enters=frozenset({"b"}), local=True),
    ],
)
def test_a_move_that_another_may_meet_does_not_stand_for_all(first: Move) -> None:
    moves = [first, Move("other", "b", writes=frozenset({"x"}))]
    assert enough(moves) == moves
    alone = Move("one", "a", local=True)
    assert enough([alone, moves[1]]) == [alone]
    assert enough([alone, replace(first, process="a"), moves[1]]) != [alone]


def test_a_move_that_goes_by_what_was_said_is_tried_again_when_more_is_said() -> None:
    """Whoever asks first and then hears of it is not the same as who asks when it was said."""
    seen: set[int] = set()

    def play(choose: Choose) -> Sequence[str]:
        said, left, path = 0, {"ask": "a", "say": "b"}, tuple[str, ...]()
        while left:
            moves = [Move(one, who, given=said if one == "ask" else 0) for one, who in left.items()]
            move = choose(moves, partial(_same, path))
            if move is None:
                return ()
            if left.pop(move.label) == "b":
                said += 1
            else:
                seen.add(said)
            path = (*path, move.label)
        return ()

    Search(play, most=10).run()
    assert seen == {0, 1}


def test_two_moves_of_one_process_are_put_in_both_orders() -> None:
    """What they do to the memory of their process is not told: each may see the other."""
    seen: list[tuple[str, ...]] = []

    def play(choose: Choose) -> Sequence[str]:
        left, path = {"one": Move("one", "a"), "two": Move("two", "a")}, tuple[str, ...]()
        while left:
            move = choose([*left.values()], partial(_same, path))
            if move is None:
                return ()
            del left[move.label]
            path = (*path, move.label)
        seen.append(path)
        return ()

    Search(play, most=10).run()
    assert seen == [("one", "two"), ("two", "one")]


def _unpruned(program: Program) -> list[tuple[tuple[str, int], ...]]:
    machine = Machine(program, merged=False)
    moves_alike: Callable[[Choose], Sequence[str]] = lambda choose: machine.play(  # noqa: E731
        lambda moves, state: choose([_conflicting(move) for move in moves], state)
    )
    Search(moves_alike, most=1_000_000, stop_at=1_000_000).run()
    return machine.ends


def _conflicting(move: Move) -> Move:
    return Move(move.label, move.process, writes=frozenset({"everything"}))


def test_too_many_schedules_are_an_error() -> None:
    same: Program = {"a": [Step("x", "x", 1)] * 4, "b": [Step("x", "x", 1)] * 4}
    machine = Machine(same, merged=False)
    with pytest.raises(TooMany, match="more than 10") as found:
        Search(machine.play, most=10).run()
    assert found.value.report.schedules == 10
    assert found.value.report.states


def test_what_is_not_deterministic_is_found_out() -> None:
    plays = iter(range(9))

    def waver(choose: Choose) -> Sequence[str]:
        first = choose([Move("a", "a"), Move("b", "b", frozenset({"x"}))], object)
        choose([Move(f"then {next(plays)} {first}", "a", writes=frozenset({"x"}))], object)
        choose([Move("c", "a", writes=frozenset({"x"})), Move("d", "b", frozenset({"x"}))], object)
        return ()

    with pytest.raises(Wavering):
        Search(waver, most=10).run()
