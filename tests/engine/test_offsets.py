"""Offsets of tags: what was told can be read out of them, whatever has become of the runs."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from headrace.engine.offsets import FRESH, head_of, offset_of, told_of
from headrace.engine.watching import MOST_RUNS
from headrace.kernel.model import RunId
from headrace.ports import Revision

LONGEST = 2_760
"""With what else an answer says it stays below the 4 KiB that some proxies take for headers."""
COUNTS = (0, 1, 2, 5, 40, FRESH, FRESH + 1, 300, MOST_RUNS)


def runs(chance: Random, count: int, most: int = 12) -> list[Revision]:
    """Return that many, the newest first."""
    return [
        Revision(
            RunId(f"run_{chance.getrandbits(80):x}"), chance.randrange(most), chance.randrange(3)
        )
        for _ in range(count)
    ]


def changed(chance: Random, found: list[Revision], count: int, most: int) -> list[Revision]:
    """Let some of the runs go on."""
    now = list(found)
    for at in chance.sample(range(len(found)), min(count, len(found))):
        now[at] = replace(now[at], version=now[at].version + chance.randrange(1, most))
        now[at] = replace(now[at], beside=now[at].beside + chance.randrange(most))
    return now


@pytest.mark.parametrize("count", COUNTS)
def test_where_runs_came_and_went_on_what_was_told_is_known(count: int) -> None:
    chance = Random(count)  # noqa: S311 - nothing is hidden
    for _ in range(20):
        told = runs(chance, count)
        now = [*runs(chance, chance.randrange(30)), *changed(chance, told, 30, 1_000)]
        assert told_of(offset_of(told), now) == {run.run_id: run for run in told}


@pytest.mark.parametrize("count", COUNTS)
def test_runs_that_are_seen_late_do_not_hide_the_others(count: int) -> None:
    """They stand between those that were told before."""
    chance = Random(count)  # noqa: S311 - nothing is hidden
    for _ in range(20):
        told = runs(chance, count)
        now = changed(chance, told, 3, 5)
        for late in runs(chance, 5):
            now.insert(chance.randrange(min(len(now), FRESH) + 1), late)
        assert told_of(offset_of(told), now) == {run.run_id: run for run in told}


@pytest.mark.parametrize("gone", [1, 30, MOST_RUNS - 1])
def test_those_that_made_room_are_found_behind_the_others(gone: int) -> None:
    chance = Random(gone)  # noqa: S311 - nothing is hidden
    older = runs(chance, MOST_RUNS)
    told = runs(chance, MOST_RUNS)
    now = [*runs(chance, gone), *changed(chance, told, 5, 5), *older]
    assert told_of(offset_of(told), now[:MOST_RUNS]) is None
    assert told_of(offset_of(told), now[: 2 * MOST_RUNS]) == {run.run_id: run for run in told}


@pytest.mark.parametrize("most", [1, 100, 5_000, 1 << 30])
def test_an_offset_is_never_long(most: int) -> None:
    """Where numbers are left out, each run may have gone on by up to fifteen changes."""
    chance = Random(most)  # noqa: S311 - nothing is hidden
    told = [replace(run, beside=chance.randrange(most)) for run in runs(chance, MOST_RUNS, most)]
    offset = offset_of(told)
    assert len(offset) <= LONGEST
    now = [replace(run, version=run.version + chance.randrange(16)) for run in told]
    assert told_of(offset, now) == {run.run_id: run for run in told}


def test_what_cannot_be_made_out_is_not_guessed() -> None:
    chance = Random(1)  # noqa: S311 - nothing is hidden
    told = runs(chance, 50)
    offset = offset_of(told)
    assert told_of(offset, told[1:]) is None
    assert told_of(offset, runs(chance, 50)) is None
    other = offset_of([replace(told[0], version=99), *told[1:]])
    assert told_of(f"{head_of(told)}.{other.partition('.')[2]}", told) is None


@pytest.mark.parametrize(
    "offset", ["", "1_2", "1_2.", "1_2.AAAA", "1_2.AAAA.", "1_2.AAAA.eNo", "1_2.A.A.A.", "1_2..é"]
)
def test_what_is_no_offset_is_that_of_nobody(offset: str) -> None:
    three = runs(Random(1), 3)  # noqa: S311 - nothing is hidden
    assert told_of(offset, three) is None
