"""The list of planted bugs is in order, a handful of them is caught, and the runner is no toy."""

import random
from pathlib import Path

import pytest

from tools.mutate import LIST, ROOT, BaselineFailed, Mutant, Verdict, fits, judge, load, planted

KNOWN = load(ROOT / LIST)
HANDFUL = 4


@pytest.mark.parametrize("mutant", KNOWN, ids=lambda mutant: mutant.name)
def test_an_entry_still_has_its_place_and_its_tests(mutant: Mutant) -> None:
    assert fits(mutant, ROOT)
    assert mutant.find != mutant.replace
    assert mutant.tests
    assert all((ROOT / test.split("::")[0]).exists() for test in mutant.tests)


def test_names_are_unique() -> None:
    names = [mutant.name for mutant in KNOWN]
    assert len(set(names)) == len(names)


@pytest.mark.timeout(600)
def test_a_handful_is_caught(seed: int) -> None:
    chosen = random.Random(seed).sample(KNOWN, HANDFUL)  # noqa: S311 - no secret
    assert {m.name: v for m, v in judge(chosen)} == {m.name: Verdict.KILLED for m in chosen}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package with one function, and a test that looks at half of it."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src/sums.py").write_text("def add(a, b):\n    return a + b\n", "utf-8")
    test = "import sums\n\ndef test_add():\n    assert sums.add(2, 0) == 2\n"
    (tmp_path / "test_sums.py").write_text(test, "utf-8")
    return tmp_path


def _mutant(find: str, replace: str) -> Mutant:
    return Mutant(replace, "src/sums.py", find, replace, ("test_sums.py",))


@pytest.mark.timeout(60)
def test_every_verdict_is_reached(tree: Path) -> None:
    expected = {
        _mutant("a + b", "a * b"): Verdict.KILLED,
        _mutant("a + b", "a - b"): Verdict.SURVIVED,
        _mutant("a + b", "a +* b"): Verdict.UNFIT,
        _mutant("a / b", "a"): Verdict.MISPLACED,
        _mutant("a", "b"): Verdict.MISPLACED,
    }
    assert dict(judge(tuple(expected), tree)) == expected
    assert "a + b" in (tree / "src/sums.py").read_text("utf-8")


def test_what_was_compiled_of_a_healthy_file_is_not_taken_for_a_planted_one(tree: Path) -> None:
    path = tree / "src/sums.py"
    was = path.stat().st_mtime_ns
    with planted(_mutant("a + b", "a * b"), path):  # as long as what it replaces
        assert path.stat().st_mtime_ns - was > 2_000_000_000
    assert path.stat().st_mtime_ns == was


@pytest.mark.timeout(60)
def test_tests_that_fail_anyway_judge_nothing(tree: Path) -> None:
    (tree / "src/sums.py").write_text("def add(a, b):\n    return 0\n", "utf-8")
    with pytest.raises(BaselineFailed, match="1 failed"):
        list(judge([_mutant("0", "1")], tree))
