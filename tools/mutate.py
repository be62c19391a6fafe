"""Do the tests still bite? Plant one known bug at a time and demand that its tests notice.

Owns: the list's form (tests/mutants/list.toml), the copies, the verdicts.
Must never know: what any bug is about.

    python tools/mutate.py              all of them
    python tools/mutate.py NAME ...     these
"""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from enum import Enum
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Final

import msgspec

ROOT: Final = Path(__file__).parents[1]
LIST: Final = Path("tests/mutants/list.toml")
AT_ONCE: Final = 2
GROUP: Final = 16
"""So many are judged after one run of all their tests without any bug."""
SECONDS: Final = 180
NOT_COPIED: Final = shutil.ignore_patterns(".*", "dist", "build")
COMPILED: Final = "__pycache__"
LATER_NS: Final = 10_000_000_000


class Mutant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One bug: in `file`, the only `find` becomes `replace`; one of `tests` must fail."""

    name: str
    file: str
    find: str
    replace: str
    tests: tuple[str, ...]


class Verdict(Enum):
    """What the tests said of a planted bug."""

    KILLED = "killed"
    SURVIVED = "SURVIVED: its tests pass with the bug in"
    UNFIT = "UNFIT: its tests cannot run"
    MISPLACED = "MISPLACED: what it replaces is not there exactly once"


class BaselineFailed(Exception):
    """The tests fail without any bug, so that they can judge none."""


def load(path: Path) -> tuple[Mutant, ...]:
    """Read the list; an entry with a missing or unknown key is an error."""
    entries = tomllib.loads(path.read_text("utf-8"))["mutant"]
    return msgspec.convert(entries, tuple[Mutant, ...])


def fits(mutant: Mutant, tree: Path) -> bool:
    """Tell whether the bug's place is there exactly once."""
    path = tree / mutant.file
    return path.is_file() and path.read_text("utf-8").count(mutant.find) == 1


def judge(mutants: Sequence[Mutant], root: Path = ROOT) -> Iterator[tuple[Mutant, Verdict]]:
    """Run every mutant's tests with its bug in, after those of its group without any."""
    trees = SimpleQueue[Path]()

    def judge_one(mutant: Mutant) -> Verdict:
        return _judge_one(mutant, trees)

    with _copies(root, AT_ONCE) as copies, ThreadPoolExecutor(AT_ONCE) as pool:
        for copy in copies:
            trees.put(copy)
        for first in range(0, len(mutants), GROUP):
            group = mutants[first : first + GROUP]
            _demand_pass(copies[0], sorted({test for mutant in group for test in mutant.tests}))
            yield from zip(group, pool.map(judge_one, group), strict=True)


def _judge_one(mutant: Mutant, trees: "SimpleQueue[Path]") -> Verdict:
    tree = trees.get()
    try:
        if not fits(mutant, tree):
            return Verdict.MISPLACED
        with planted(mutant, tree / mutant.file):
            return _verdict(_pytest(tree, mutant.tests))
    finally:
        trees.put(tree)


@contextmanager
def planted(mutant: Mutant, path: Path) -> Generator[None]:
    """Have the bug in while the block lasts."""
    healthy, was = path.read_text("utf-8"), path.stat()
    path.write_text(healthy.replace(mutant.find, mutant.replace), "utf-8")
    # What was compiled of the healthy file must not be taken for this one: it goes by the second.
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns + LATER_NS))
    yield
    path.write_text(healthy, "utf-8")
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


def _verdict(done: subprocess.CompletedProcess[str] | None) -> Verdict:
    match done:
        case None:  # without the bug the same tests ended in time
            return Verdict.KILLED
        case subprocess.CompletedProcess(returncode=0):
            return Verdict.SURVIVED
        case subprocess.CompletedProcess(returncode=1):
            return Verdict.KILLED
        case _:
            return Verdict.UNFIT


def _demand_pass(tree: Path, tests: Iterable[str]) -> None:
    done = _pytest(tree, tests)
    if done is None:
        raise BaselineFailed(f"the tests took more than {SECONDS} s")
    if done.returncode:
        raise BaselineFailed(done.stdout + done.stderr)


def _pytest(tree: Path, tests: Iterable[str]) -> subprocess.CompletedProcess[str] | None:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    # The copy's package instead of the installed one; no .pyc that outlives a planted bug;
    # nothing of a pytest that this may run in.
    own = {"PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    rest = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    try:
        return subprocess.run(
            command,
            cwd=tree,
            env=rest | own,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None


@contextmanager
def _copies(root: Path, count: int) -> Generator[list[Path]]:
    with tempfile.TemporaryDirectory(prefix="headrace-mutants-") as folder:
        trees = [Path(folder, str(n)) for n in range(count)]
        for tree in trees:
            shutil.copytree(root, tree, ignore=partial(_not_copied, root / "src"))
        yield trees


def _not_copied(package: Path, folder: str, names: list[str]) -> set[str]:
    """Leave out what is compiled, but for the package: every process of a test loads that."""
    is_ours = Path(folder).is_relative_to(package)
    return NOT_COPIED(folder, names) | (set[str]() if is_ours else {COMPILED})


def main(names: Sequence[str]) -> int:
    """Judge the named mutants, or all; the exit status says whether every one was killed."""
    known = load(ROOT / LIST)
    if unknown := set(names) - {mutant.name for mutant in known}:
        print(f"no such mutant: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    chosen = [mutant for mutant in known if not names or mutant.name in names]
    escaped = 0
    try:
        for mutant, verdict in judge(chosen):
            print(f"{mutant.name:40} {verdict.value}", flush=True)
            escaped += verdict is not Verdict.KILLED
    except BaselineFailed as error:
        print(f"the tests fail without any bug:\n{error}", file=sys.stderr)
        return 2
    print(f"{len(chosen) - escaped} of {len(chosen)} killed")
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
