"""`python -m tests.frames.matrix`: every construct, saved in one process, resumed in another.

    python -m tests.frames.matrix [--python PATH]... [--case NAME]...

Each Python must have the project's dependencies. Writes docs/reliability/frames.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from tests.frames import page
from tests.frames.verdicts import MODES, Answers, Verdict, judged

ROOT: Final = Path(__file__).parents[2]
SECONDS: Final = 120
AT_ONCE: Final = 2
INTRODUCTION: Final = (
    "Each case is one async function. One process saves it at every suspension; another takes up"
    " every save and goes on to the end, half of the time by way of a second save. Its result must"
    " be what Python gives without any of this, and putting it away must run none of its code. All"
    " of that once with the decorator, once with the import hook, and once as if each function had"
    " changed in between, with the sources that were saved. A number says at how many suspensions"
    " it was done; *refused* means: with an error that names what is in the way."
)
OUT: Final = Console(markup=False, highlight=False, soft_wrap=True)


class HalfFailed(Exception):
    """A process ended badly, so that it says nothing of any case."""


@dataclass(frozen=True, slots=True)
class Column:
    """All cases on one Python."""

    python: str
    verdicts: Sequence[Verdict]


def _half(python: str, mode: str, what: str, file: Path) -> dict[str, Any]:
    done = subprocess.run(
        [python, "-m", "tests.frames.halves", what, str(file)],
        cwd=ROOT,
        env={**os.environ, "FRAMES_MODE": mode, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        raise HalfFailed(f"{mode} {what}: {done.stdout}{done.stderr}")
    answers: dict[str, Any] = json.loads(file.with_suffix(f".{what}.json").read_text("utf-8"))
    return answers


def _both_halves(python: str, mode: str, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    file = folder / f"{mode}.json"
    save = _half(python, mode, "save", file)
    file.write_text(json.dumps(save), "utf-8")
    return save, _half(python, mode, "resume", file)


def version(python: str) -> str:
    """Return which Python it is."""
    code = "import platform; print(platform.python_version())"
    return subprocess.check_output([python, "-c", code], text=True).strip()


def column(python: str) -> Column:
    """Judge every case on one Python."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        natively = pool.submit(_half, python, "native", "run", Path(folder, "native.json"))
        made = [pool.submit(_both_halves, python, mode, Path(folder)) for mode in MODES]
        native, both = natively.result(), [one.result() for one in made]
    verdicts = [judged(name, native[name], _answers(name, both)) for name in native]
    return Column(version(python), verdicts)


def _answers(
    name: str, both: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
) -> list[Answers]:
    return [
        Answers(mode, save[name], resume.get(name, {}))
        for mode, (save, resume) in zip(MODES, both, strict=True)
    ]


def table(columns: Sequence[Column]) -> str:
    """Return the matrix as the page shows it."""
    rows = {one.name: one for column in reversed(columns) for one in column.verdicts}
    cells = [{one.name: one for one in column.verdicts} for column in columns]
    lines = [_summary(columns), ""]
    for theme, group in groupby(rows.values(), lambda one: one.theme):
        lines += [f"### {theme.replace('_', ' ')}", ""]
        lines.append(_row(["case", "construct", *(column.python for column in columns)]))
        lines.append(_row(["---"] * (2 + len(columns))))
        for row in group:
            shown = [_cell(by_name.get(row.name)) for by_name in cells]
            lines.append(_row([f"`{row.name}`", row.construct, *shown]))
        lines.append("")
    return "\n".join(lines)


def _summary(columns: Sequence[Column]) -> str:
    lines = ["## Constructs", "", INTRODUCTION]
    lines += ["", _row(["Python", "cases", "suspensions", "refused", "wrong"]), _row(["---"] * 5)]
    for one in columns:
        suspensions = sum(v.suspensions for v in one.verdicts)
        refused = sum(bool(v.refusal) for v in one.verdicts)
        wrong = sum(not v.is_good for v in one.verdicts)
        row = [one.python, len(one.verdicts), f"{suspensions:,}", refused, wrong]
        lines.append(_row([str(cell) for cell in row]))
    return "\n".join(lines)


def _cell(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    if not verdict.is_good:
        return "**wrong**"
    return "refused" if verdict.refusal else str(verdict.suspensions)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def main(arguments: Sequence[str]) -> int:
    """Judge, say what is wrong, write the page."""
    parser = argparse.ArgumentParser("python -m tests.frames.matrix")
    parser.add_argument("--python", action="append", help="another interpreter; may be repeated")
    parser.add_argument("--refusals", action="store_true", help="show what the refusals say")
    options = parser.parse_args(arguments)
    columns = [column(python) for python in options.python or [sys.executable]]
    for one in columns:
        for verdict in one.verdicts:
            for fault in verdict.faults:
                OUT.print(f"{one.python} {verdict.theme} {verdict.name}: {fault}")
            if options.refusals and verdict.refusal:
                OUT.print(f"{one.python} {verdict.name} is refused: {verdict.refusal}")
    page.write("matrix", table(columns))
    OUT.print(_summary(columns), f"\nwritten: {page.PAGE}")
    return int(not all(verdict.is_good for one in columns for verdict in one.verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
