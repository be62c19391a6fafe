"""The page on what goes wrong elsewhere names a test for each point, and a bug for each test."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tools.mutate import LIST, load

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs/concepts/faults.md"
ROW: Final = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]*) ?\| ([^|]*) ?\|$", re.MULTILINE)
NAME: Final = re.compile(r"`([\w-]+)`")
DEFINED: Final = re.compile(
    r'^(?:async )?def (test_fault_(\d+)_\w+)\([^"]*?\) -> None:\n    """(.+)"""', re.MULTILINE
)
POINTS: Final = 22
NOT_SERVED: Final = {20}


def _rows() -> dict[int, tuple[str, list[str], list[str]]]:
    found = ROW.findall(PAGE.read_text("utf-8"))
    return {
        int(number): (text, NAME.findall(tests), NAME.findall(bugs))
        for number, text, tests, bugs in found
    }


def _defined() -> dict[str, tuple[int, str]]:
    """Return the tests that are there, each with its point and the file that it is in."""
    return {
        name: (int(number), str(path.relative_to(ROOT)))
        for path in sorted(ROOT.glob("tests/faults/test_*.py"))
        for name, number, _ in DEFINED.findall(path.read_text("utf-8"))
    }


def test_every_point_has_a_row() -> None:
    rows = _rows()
    assert list(rows) == list(range(1, POINTS + 1))
    assert {number for number, (_, tests, _) in rows.items() if not tests} == NOT_SERVED
    assert all(text.strip() for text, _, _ in rows.values())


def test_the_page_names_the_tests_that_are_there_each_under_its_point() -> None:
    named = {(name, number) for number, (_, tests, _) in _rows().items() for name in tests}
    assert named == {(name, number) for name, (number, _) in _defined().items()}


def test_every_test_says_what_goes_wrong() -> None:
    """In a line of its own: the pattern finds no test without one."""
    files = sorted(ROOT.glob("tests/faults/test_*.py"))
    written = [re.findall(r"def (test_\w+)", path.read_text("utf-8")) for path in files]
    assert {name for names in written for name in names} == set(_defined())


def test_every_test_notices_a_bug_that_its_row_names() -> None:
    planted = {mutant.name: mutant.tests for mutant in load(ROOT / LIST)}
    for _, tests, bugs in _rows().values():
        noticed = {test for bug in bugs for test in planted[bug]}
        for name in tests:
            assert f"{_defined()[name][1]}::{name}" in noticed, name
        for bug in bugs:
            assert {test.rpartition("::")[2] for test in planted[bug]} & set(tests), bug
