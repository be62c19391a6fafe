"""The picture in ARCHITECTURE.md, and the budgets of the house, as a test of every file."""

from pathlib import Path
from typing import Final

import pytest

from tests.architecture.rules import OF_THE_PACKAGE, OF_THE_TESTS, Finding, Rule
from tests.architecture.source import Source

pytestmark = pytest.mark.timeout(120)  # some 600 files: seconds alone, many on a busy machine
ROOT: Final = Path(__file__).parents[1]

# Each with a reason. The list may only shrink: one that is smaller by now, or gone, fails as well.
EXCEPTIONS: Final[frozenset[Finding]] = frozenset(
    {
        # What a user's code starts so is a branch of its run: that is what the tests play.
        Finding("ban", "tests.sdk.branches", "asyncio.create_task"),
        # The variables of a frame may be anything; the blob is sealed by who owns it.
        Finding("ban", "headrace.frames.values", "pickle"),
    }
)


def _findings(rules: tuple[Rule, ...], folder: str, root: Path) -> list[Finding]:
    sources = [Source.read(path, root) for path in sorted((ROOT / folder).rglob("*.py"))]
    return [finding for source in sources for rule in rules for finding in rule(source)]


def _everything() -> list[Finding]:
    found = _findings(OF_THE_PACKAGE, "src/headrace", ROOT / "src")
    for folder in ("tests", "examples", "tools", "bench"):
        found += _findings(OF_THE_TESTS, folder, ROOT)
    return found


def test_every_file_keeps_the_rules() -> None:
    wrong = [finding for finding in _everything() if finding not in EXCEPTIONS]
    assert not wrong, "\n" + "\n".join(map(str, wrong))


def test_no_exception_outlives_its_need() -> None:
    assert not EXCEPTIONS - frozenset(_everything())


def test_the_rules_see_the_package() -> None:
    assert (ROOT / "src/headrace/kernel/machine.py").is_file()
