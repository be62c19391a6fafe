"""The page of the laws names tests that are there, and every test of a law of the engine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs/concepts/laws.md"
SECTION: Final = re.compile(r"^## (?:(\d+)\. )?(.+)$", re.MULTILINE)
FILE: Final = re.compile(r"^`(tests/\S+\.py)`:$", re.MULTILINE)
NAMED: Final = re.compile(r"^- `(test_\w+)`$", re.MULTILINE)
DEFINED: Final = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)
LAWS: Final = [str(n) for n in range(1, 13)]


def _sections(text: str) -> dict[str, str]:
    """Return what stands under each law's number, or other title."""
    parts = SECTION.split(text)[1:]
    return {
        number or title: body
        for number, title, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    }


def _named(body: str) -> list[tuple[str, str]]:
    """Return each (file, test) that a section names."""
    parts = FILE.split(body)[1:]
    return [
        (file, name)
        for file, names in zip(parts[::2], parts[1::2], strict=True)
        for name in NAMED.findall(names)
    ]


def _missing(text: str) -> list[tuple[str, str]]:
    found = [pair for body in _sections(text).values() for pair in _named(body)]
    return [(file, name) for file, name in found if name not in _defined(ROOT / file)]


def _defined(path: Path) -> set[str]:
    return set(DEFINED.findall(path.read_text("utf-8"))) if path.is_file() else set()


def test_every_law_has_tests() -> None:
    sections = _sections(PAGE.read_text("utf-8"))
    assert [title for title in sections if title.isdigit()] == LAWS
    assert all(_named(body) for body in sections.values())


def test_the_named_tests_are_there() -> None:
    assert not _missing(PAGE.read_text("utf-8"))


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("tests/engine/test_law_*.py")), ids=lambda path: path.stem
)
def test_every_test_of_a_law_is_named(path: Path) -> None:
    number = path.stem.removeprefix("test_law_")
    named = {name for _, name in _named(_sections(PAGE.read_text("utf-8"))[number])}
    defined = _defined(path)
    assert defined <= named
    assert all(name.startswith(f"test_law_{number}_") for name in defined)


def test_a_name_that_is_not_there_is_found() -> None:
    text = "## 1. A law\n\nWords.\n\n`tests/docs/test_laws_page.py`:\n\n- `test_nowhere`\n"
    assert _missing(text) == [("tests/docs/test_laws_page.py", "test_nowhere")]
