"""What a task may rely on whose runs leave their worker while they wait: I10 to I12.

A place is `STREAM#K`: the code there is given the run's answer number K, of any stream. A life is
named `PROCESS.REST` after the process it is lived in.
Must never know: when a run is saved, or why.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.history import events as e
from tests.history.story import Story
from tests.history.verdict import Invariant, Law, Violation


@dataclass(frozen=True, slots=True)
class Departures:
    """How often runs left and came back, as far as it was seen."""

    saved: int
    """Snapshots that somebody saw on disk."""
    resumed: int
    """Answers that went to code whose question was asked in another life."""
    elsewhere: int
    """Those of them in another process than the one that asked."""
    repeated: int
    """Questions that were asked again, since the process that had asked was killed."""


def departures(story: Story) -> Departures:
    """Count them."""
    asked = defaultdict[tuple[str, str], set[str]](set)
    for one in story.asked:
        asked[one.run, one.place].add(one.life)
    lives = [(given.life, asked[given.run, given.place]) for given in story.given]
    resumed = [(life, before) for life, before in lives if life not in before]
    return Departures(
        saved=len({(one.run, one.seen) for one in story.saved}),
        resumed=len(resumed),
        elsewhere=sum(_process(life) not in map(_process, before) for life, before in resumed),
        repeated=sum(len(lives) - 1 for lives in asked.values()),
    )


def _process(life: str) -> str:
    return life.partition(".")[0]


def _number(place: str) -> int:
    return int(place.rpartition("#")[2])


def _entries(run: e.FinalRun | None) -> list[int]:
    """Return the numbers of the journal's entries that are answers, in their order."""
    return sorted(answer.n for answer in (() if run is None else run.answers))


def code_before_a_snapshot_is_over(story: Story) -> Iterator[Violation]:
    """Where a snapshot stands, its wait was asked for, and all that was before it was answered."""
    entries = {run.run: _entries(run) for run in story.runs.values()}
    floors = defaultdict[str, int](int)
    for moment in _moments(story):
        if isinstance(moment, e.Saved):
            waits_for = bisect_left(entries.get(moment.run, []), moment.seen)
            floors[moment.run] = max(floors[moment.run], waits_for)
            continue
        floor = floors.get(moment.run, -1)
        first = floor + 1 if isinstance(moment, e.TakeInvoke) else floor
        if _number(moment.place) < first and floor >= 0:
            what = f"{moment.run}: {moment.place} came again after a snapshot at answer {floor}"
            yield Violation(Invariant.REPEATED, what)


def _moments(story: Story) -> list[e.Saved | e.TakeInvoke | e.TakeOk]:
    runs = {one.run for one in story.saved}
    seen: list[e.Saved | e.TakeInvoke | e.TakeOk] = [*story.saved]
    seen += [one for one in story.asked if one.run in runs]
    seen += [one for one in story.given if one.run in runs]
    return sorted(seen, key=lambda one: one.at)


def only_killed_code_runs_again(story: Story) -> Iterator[Violation]:
    """Between two lives that do the same, the process of the first was killed."""
    deaths = {fault.who: fault.at for fault in story.faults if fault.who}
    runs = {one.run for one in story.carried}
    last = dict[tuple[type[object], str, str], e.TakeInvoke | e.TakeOk]()
    takes: list[e.TakeInvoke | e.TakeOk] = [*story.asked, *story.given]
    for one in sorted(takes, key=lambda one: one.at):
        if one.run not in runs:
            continue
        before = last.get((type(one), one.run, one.place))
        last[type(one), one.run, one.place] = one
        if before is not None and not before.at <= _death(deaths, before.life) <= one.at:
            yield Violation(Invariant.REPEATED, f"{one.run}: {one.place} came twice; nobody died")


def _death(deaths: Mapping[str, int], life: str) -> int:
    return deaths.get(_process(life), -1)


def variables_come_back(story: Story) -> Iterator[Violation]:
    """At each place the code has counted and folded just the values that the journal holds."""
    sums = {run.run: _sums(run) for run in story.runs.values()}
    for one in story.carried:
        expected = sums.get(one.run, {}).get(_number(one.place))
        if expected is not None and expected != (one.values, one.total):
            what = f"{one.run}: {one.place} held {one.values} values, should be {expected[0]}"
            yield Violation(Invariant.FORGOTTEN, f"{what}, or others")


def _sums(run: e.FinalRun) -> Mapping[int, tuple[int, str]]:
    """Return what the code should hold after each of its answers."""
    found, values, total = dict[int, tuple[int, str]](), 0, ""
    for place, answer in enumerate(sorted(run.answers, key=lambda one: one.n)):
        if answer.seq >= 0:
            values, total = values + 1, e.folded(total, answer.digest)
        found[place] = values, total
    return found


def nothing_unwinds_in_a_wait(story: Story) -> Iterator[Violation]:
    """A `finally` runs when the code has come to its end: after the last answer of its run."""
    for one in story.unwound:
        run = story.runs.get(one.run)
        if run is not None and one.answers != len(run.answers):
            what = f"{one.run}: a `finally` ran after {one.answers} of {len(run.answers)} answers"
            yield Violation(Invariant.UNWOUND, what)


LAWS: tuple[Law, ...] = (
    code_before_a_snapshot_is_over,
    only_killed_code_runs_again,
    variables_come_back,
    nothing_unwinds_in_a_wait,
)
