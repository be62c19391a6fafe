"""The page of the explorer: its totals are those of its lines, and its lines those of the casts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.explorer import map_cast
from tests.explorer.cast import long, short
from tests.explorer.page import CUT, FINISHED, PAGE, WRONG, Line, read, update, written

ONE = Line(2, "wait + send a; one server", 1_234, 5_678, 17, FINISHED, "2026-11-23")
MAP = Line(4, "map: wait + send a + time", 40_000, 70_000, 40, CUT, "2026-11-23")
NEITHER = "map: once"
CASTS = (ONE.cast, MAP.cast, NEITHER)


def test_what_is_written_is_read_again() -> None:
    lines = {one.cast: one for one in (MAP, ONE)}
    text = written(lines, CASTS)
    assert read(text) == lines
    assert written(read(text), CASTS) == text


def test_totals_are_those_of_the_lines() -> None:
    text = written({ONE.cast: ONE, MAP.cast: MAP}, CASTS)
    whole, maps = (line for line in text.splitlines() if line.startswith("- "))
    assert "1 of 3 gone through to the end, 1 cut, 1 not begun" in whole
    assert "41,234 schedules, 75,678 states. Wrong: **0**" in whole
    assert "0 of 2 gone through to the end, 1 cut, 1 not begun; 40,000 schedules" in maps


def test_what_is_wrong_is_counted_as_that_and_nothing_else() -> None:
    text = written({ONE.cast: replace(ONE, end=WRONG)}, CASTS)
    assert "0 of 3 gone through to the end, 0 cut, 2 not begun" in text
    assert "Wrong: **1**" in text


def test_a_line_replaces_that_of_its_cast_and_casts_that_are_gone_lose_theirs(
    tmp_path: Path,
) -> None:
    page = tmp_path / "page.md"
    for line in (ONE, replace(ONE, cast="wait for Godot"), MAP, replace(MAP, end=FINISHED)):
        update(line, CASTS, page)
    found = read(page.read_text("utf-8"))
    assert [*found.values()] == [ONE, replace(MAP, end=FINISHED)]


@pytest.fixture
def casts() -> list[str]:
    """Name every cast that there is."""
    every = (*short(), *map_cast.short(), *long(), *map_cast.long())
    return [*map(str, dict.fromkeys(every))]


def test_the_page_is_what_its_lines_make(casts: list[str]) -> None:
    text = PAGE.read_text("utf-8")
    assert written(read(text), casts) == text


def test_every_cast_has_a_name_of_its_own(casts: list[str]) -> None:
    assert len(set(casts)) == len(casts)
