"""`python -m bench.beside COMMIT`: the figures of an earlier commit and of this tree, in turns.

Owns: the other tree, the turns, the verdict. Must never know: how anything is measured: each tree
does that by its own benchmark.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from bench.report import put

ROOT: Final = Path(__file__).parents[1]
BEGIN: Final = "<!-- measured: python -m bench.beside --write -->"
END: Final = "<!-- end of before and after -->"
UNPACED: Final = "live back to back"
EACH: Final = "live, back to back, from one message to the next"
ONLY: Final = "live,warm,evicted,throughput,starts"
MOST: Final = 1.10
PATIENCE_S: Final = 280.0
RATE: Final = "/s"


class Shown(msgspec.Struct, frozen=True):
    """What both trees say of a figure, however much else they say."""

    name: str
    value: float
    unit: str


class Timed(msgspec.Struct, frozen=True):
    """How long a whole workload took."""

    workload: str
    count: int
    seconds: float


class Told(msgspec.Struct, frozen=True):
    """What `python -m bench --json` prints."""

    rows: list[Shown]
    samples: list[Timed] = []

    @property
    def figures(self) -> dict[str, Shown]:
        """Return all that is compared, by name."""
        each = [
            Shown(EACH, 1e3 * of.seconds / of.count, "ms")
            for of in self.samples
            if of.workload == UNPACED
        ]
        return {row.name: row for row in (*self.rows, *each)}


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of both trees, round by round. `worse`: how many times as bad it is now."""

    name: str
    unit: str
    before: list[float]
    after: list[float]

    @property
    def worse(self) -> float:
        """Return the median over the rounds; each is compared within itself."""
        pairs = zip(self.before, self.after, strict=True)
        return median(a / b if self.unit == RATE else b / a for a, b in pairs)


def paired(turns: Sequence[tuple[Told, Told]]) -> list[Pair]:
    """Bring together what both trees have measured."""
    after = [new.figures for _, new in turns]
    before = [old.figures for old, _ in turns]
    return [
        Pair(
            name=name,
            unit=row.unit,
            before=[each[name].value for each in before],
            after=[each[name].value for each in after],
        )
        for name, row in after[0].items()
        if all(name in each for each in (*before, *after))
    ]


def shown(pairs: Sequence[Pair]) -> list[str]:
    """Return the table."""
    return [
        "| | before | now | times as slow | must | |",
        "|---|---:|---:|---:|---:|---|",
        *(_line(pair) for pair in pairs),
    ]


def _line(pair: Pair) -> str:
    before, after = (f"{median(each):,.2f} {pair.unit}" for each in (pair.before, pair.after))
    verdict = "pass" if pair.worse <= MOST else "miss"
    return f"| {pair.name} | {before} | {after} | {pair.worse:.2f} | ≤ {MOST:.2f} | {verdict} |"


@contextmanager
def checked_out(commit: str) -> Generator[Path]:
    """Have the tree of a commit while the block lasts."""
    with TemporaryDirectory(prefix="headrace-beside-") as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--detach", str(tree), commit)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],  # noqa: S607 - whichever git the user has
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def _measured(tree: Path, only: str, scale: float) -> Told:
    asked = ["-m", "bench", "--rounds", "1", "--only", only, "--scale", str(scale), "--json"]
    done = subprocess.run(
        [sys.executable, *asked],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree / "src")},
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"the benchmark of {tree} fails:\n{done.stderr.decode()}")
    return msgspec.json.decode(done.stdout, type=Told)


def main(arguments: Sequence[str]) -> int:
    """Let both trees take turns, show, and write down."""
    parser = argparse.ArgumentParser("python -m bench.beside", description=__doc__)
    parser.add_argument("commit", help="what this tree is compared with")
    parser.add_argument("--only", default=ONLY, help="some of the workloads of `python -m bench`")
    parser.add_argument("--rounds", type=int, default=4, help="how often the trees take turns")
    parser.add_argument("--scale", type=float, default=0.4, help="multiplies every count")
    parser.add_argument("--write", action="store_true", help="put it into the docs")
    options = parser.parse_args(arguments)
    turns = list[tuple[Told, Told]]()
    with checked_out(options.commit) as tree:
        for number in range(options.rounds):
            # Who was first is second in the next round.
            order = (tree, ROOT) if number % 2 else (ROOT, tree)
            found = {each: _measured(each, options.only, options.scale) for each in order}
            turns.append((found[tree], found[ROOT]))
            print(f"{number + 1}/{options.rounds}", file=sys.stderr)
    at, load = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), os.getloadavg()[0]
    command = " ".join(["python -m bench.beside", *arguments])
    lines = [f"`{command}`, {at}; load {load:.1f} at its end.", "", *shown(paired(turns))]
    print("\n".join(lines))
    if options.write:
        put("\n".join(lines) + "\n", BEGIN, END)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
