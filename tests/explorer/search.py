"""All the orders in which moves can happen, but for what is another spelling of the same.

Owns: the depth-first search with replay from the start, and what it leaves out:

- *Known states.* A state that was reached before is not gone through again. Whoever plays says what
  a state is; two that are called the same must be the same in every respect.
- *Sleep sets.* Of two moves of different processes that do not touch the same thing, one order
  stands for both (Godefroid, "Partial-Order Methods", 1996: sleep sets with state caching).
- *Persistent sets.* Where nothing that others do, now or later, touches what a process is about to
  touch, it goes first. No play goes on for ever, so nobody is put off for good.

Must never know: engines, event loops.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that may happen next. Its label is the same wherever the move is possible."""

    label: str
    process: str
    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    enters: frozenset[str] = frozenset()
    """Other processes that go on by it: what they remember, it touches."""
    local: bool = False
    """Whether whatever may ever touch the same, but for its own process, is possible already."""
    given: Hashable = None
    """What it goes by that others have said, not touched: if that changes, it is another move."""

    def commutes(self, other: Move) -> bool:
        """Tell whether the two may change places without anybody's seeing a difference."""
        if self.process == other.process:
            return False
        if self.process in other.enters or other.process in self.enters:
            return False
        return (
            self.writes.isdisjoint(other.reads | other.writes)
            and other.writes.isdisjoint(self.reads)
        )  # fmt: skip


Moves: TypeAlias = Sequence[Move]
Choose: TypeAlias = Callable[[Moves, Callable[[], Hashable]], Move | None]
"""Given what may happen next, and the state: what does. None: this was seen before, stop."""
Play: TypeAlias = Callable[[Choose], Sequence[str]]
"""Goes through one schedule; returns what was wrong in the end."""


def enough(moves: Moves) -> Moves:
    """Return moves that stand for all: nothing that others do first could make a difference.

    They are all moves of one process, and local; and none of the others' that are possible touches
    the same. (A persistent set, in Godefroid's words.)
    """
    of = dict[str, list[Move]]()
    for move in moves:
        of.setdefault(move.process, []).append(move)
    fit = [own for own in of.values() if _stands_alone(own, moves)]
    return min(fit, key=len, default=moves)


def _stands_alone(own: Moves, moves: Moves) -> bool:
    others = [move for move in moves if move.process != own[0].process]
    return all(one.local and all(map(one.commutes, others)) for one in own)


def _name(move: Move) -> Hashable:
    return move.label, move.given


class Wavering(Exception):
    """The same moves led somewhere else: what is explored is not deterministic."""


@dataclass(slots=True)
class _Point:
    """A place on the path: what is tried, what was, and what need not be."""

    moves: tuple[Move, ...]
    asleep: frozenset[Move]
    todo: list[Move]
    current: Move
    tried: list[Move] = field(default_factory=list[Move])

    def asleep_after(self) -> frozenset[Move]:
        """Return the moves that need not be tried after the current one."""
        seen = (*self.asleep, *self.tried)
        return frozenset(move for move in seen if move.commutes(self.current))


@dataclass(frozen=True, slots=True)
class Failure:
    """A schedule, and what was wrong with its end."""

    schedule: tuple[str, ...]
    wrong: tuple[str, ...]


@dataclass(slots=True)
class Report:
    """What was gone through. `ended` schedules came to an end, the others to a known state."""

    schedules: int = 0
    ended: int = 0
    moves: int = 0
    states: int = 0
    longest: int = 0
    failures: list[Failure] = field(default_factory=list[Failure])


class TooMany(Exception):
    """There are more schedules than were allowed: the bound is wrong, or the pruning."""

    def __init__(self, report: Report) -> None:
        super().__init__(f"more than {report.schedules} schedules")
        self.report = report


class Search:
    """One exploration: of every schedule, or of those that begin with certain moves."""

    def __init__(
        self, play: Play, *, most: int, stop_at: int = 3, begin: tuple[str, ...] = ()
    ) -> None:
        self.report = Report()
        self._begin = begin
        self._play, self._most, self._stop_at = play, most, stop_at
        self._path: list[_Point] = []
        self._depth = 0
        self._was_cut = False
        self._known: dict[Hashable, frozenset[Hashable]] = {}

    def run(self) -> Report:
        """Go through every schedule, or stop after a few that fail."""
        report = self.report
        while True:
            self._depth, self._was_cut = 0, False
            wrong = self._play(self._choose)
            report.schedules += 1
            report.ended += not self._was_cut
            report.longest = max(report.longest, len(self._path))
            if wrong:
                labels = tuple(point.current.label for point in self._path)
                report.failures.append(Failure(labels, tuple(wrong)))
            if len(report.failures) >= self._stop_at or not self._turn():
                report.states = len(self._known)
                return report
            if report.schedules >= self._most:
                report.states = len(self._known)
                raise TooMany(report)

    def _turn(self) -> bool:
        """Go back to the last point with something left to try; False if there is none."""
        while self._path:
            point = self._path[-1]
            if point.todo:
                point.tried.append(point.current)
                point.current = point.todo.pop(0)
                return True
            self._path.pop()
        return False

    def _choose(self, moves: Moves, state: Callable[[], Hashable]) -> Move | None:
        depth, self._depth = self._depth, self._depth + 1
        if depth == len(self._path):
            return self._open(moves, state)
        point = self._path[depth]
        if tuple(moves) != point.moves:
            taken = " > ".join(one.current.label for one in self._path[:depth])
            message = f"after {taken}: {[m.label for m in moves]}"
            raise Wavering(message)
        return point.current

    def _open(self, moves: Moves, state: Callable[[], Hashable]) -> Move | None:
        asleep = self._path[-1].asleep_after() if self._path else frozenset[Move]()
        labels = frozenset(map(_name, asleep))
        here = state()
        left_out = self._known.get(here)
        is_begun = len(self._path) >= len(self._begin)
        some = enough(moves) if is_begun else moves
        todo = [move for move in some if _name(move) not in labels]
        if left_out is not None:
            todo = [move for move in todo if _name(move) in left_out]
            labels &= left_out
        if not is_begun:
            todo = [move for move in todo if move.label == self._begin[len(self._path)]]
        self._known[here] = labels
        if not todo:
            self._was_cut = True
            return None
        self.report.moves += len(todo)
        self._path.append(_Point(tuple(moves), asleep, todo[1:], todo[0]))
        return todo[0]
