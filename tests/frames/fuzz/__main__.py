"""`python -m tests.frames.fuzz`: random programs, compared with how Python runs them.

    python -m tests.frames.fuzz [--programs N] [--seed N] [--processes N] [--seconds S]
    python -m tests.frames.fuzz --show SEED       the program, and what is wrong with it
    python -m tests.frames.fuzz --minimise SEED   a small program that is wrong in the same way

Writes docs/reliability/frames.md unless told not to.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tests.frames import page
from tests.frames.fuzz.campaign import Total, campaign, chunk, text_of, verdict_on, way_of
from tests.frames.fuzz.driving import Input, inputs
from tests.frames.fuzz.judging import judged
from tests.frames.fuzz.loading import Shelf
from tests.frames.fuzz.minimising import minimised

MOST_SHOWN: Final = 8
LINE_EVERY: Final = 1_000
INTRODUCTION: Final = (
    "Each program is run as Python runs it, then transformed, then saved, put away and restored"
    " at its suspensions (two of three runs at nine of ten, where the tenth is saved only; one run"
    " at half of that), with errors thrown in at some. Results, errors with their causes and"
    " contexts, tracebacks (where nothing was restored) and every effect in its order must be as"
    " Python has them."
)
OUT: Final = Console(markup=False, highlight=False, soft_wrap=True)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.frames.fuzz")
    parser.add_argument("--programs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=7_200.0, help="at the most")
    parser.add_argument("--no-page", action="store_true", help="write nothing")
    parser.add_argument("--chunk", help="of a campaign: FIRST:LAST; prints JSON")
    parser.add_argument("--show", type=int, metavar="SEED")
    parser.add_argument("--minimise", type=int, metavar="SEED")
    return parser.parse_args(arguments)


def _fuzzed(options: argparse.Namespace, console: Console) -> Total:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task("programs", total=options.programs)

        def seen(total: Total) -> None:
            told = f"{total.suspensions:,} suspensions, {len(total.differences)} differences"
            bar.update(task, completed=total.programs, description=told)
            if not console.is_terminal and total.programs % LINE_EVERY == 0:
                console.print(f"{total.programs:,} programs, {told}")

        return campaign(
            options.seed, options.programs, options.processes, seen, seconds=options.seconds
        )


def text(total: Total, first: int, seconds: float) -> str:
    """Return the part of the page."""
    refused = 100 * total.refused / max(1, total.programs)
    lines = [
        "## Random programs",
        "",
        INTRODUCTION,
        "",
        "| | |",
        "|---|--:|",
        f"| Python | {platform.python_version()} |",
        f"| first seed | {first} |",
        f"| programs | {total.programs:,} |",
        f"| suspensions | {total.suspensions:,} |",
        f"| put away and restored | {total.restored:,} |",
        f"| programs of which anything was refused | {refused:.1f} % |",
        f"| differences | {len(total.differences):,} |",
        f"| took | {seconds / 60:.0f} min |",
    ]
    reasons = Counter(total.not_resumable | total.not_saved).most_common(MOST_SHOWN)
    if reasons:
        lines += ["", "What was refused, most often first (`#`: a digit):", ""]
        lines += [f"- in {count:,} programs: {reason} …" for reason, count in reasons]
    return "\n".join(lines)


def _shown(seed: int) -> int:
    verdict = verdict_on(seed)
    OUT.print(text_of(seed))
    OUT.print(verdict.difference or "as it must be", verdict.detail, sep="\n")
    OUT.print(verdict.not_resumable, dict(verdict.not_saved))
    return int(bool(verdict.difference))


def _small(seed: int, seconds: float) -> int:
    whole, way = text_of(seed), way_of(seed)
    with tempfile.TemporaryDirectory() as folder:
        shelf = Shelf(Path(folder))
        told = _enough(shelf, whole, seed)

        def fails(candidate: str) -> str:
            return judged(shelf, candidate, way, told).difference

        small = minimised(whole, fails, seconds=seconds)
        verdict = judged(shelf, small, way, told)
    OUT.print(small, told, verdict.difference, verdict.detail, sep="\n")
    return int(bool(verdict.difference))


def _enough(shelf: Shelf, whole: str, seed: int) -> Sequence[Input]:
    """Return as few inputs as show what is wrong: none where it cannot even be loaded."""
    every = inputs(seed)
    wanted = judged(shelf, whole, way_of(seed), every).difference
    for some in ((), *((one,) for one in every)):
        if judged(shelf, whole, way_of(seed), some).difference == wanted:
            return some
    return every


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says."""
    options = _options(arguments)
    sys.dont_write_bytecode = True
    if options.chunk:
        OUT.print(msgspec.json.encode(chunk(range(*map(int, options.chunk.split(":"))))).decode())
        return 0
    if options.show is not None:
        return _shown(options.show)
    if options.minimise is not None:
        return _small(options.minimise, min(options.seconds, 300.0))
    console = Console(stderr=True)
    started = time.monotonic()
    total = _fuzzed(options, console)
    told = text(total, options.seed, time.monotonic() - started)
    if not options.no_page:
        page.write("fuzz", told)
    OUT.print(told)
    for seed, difference in sorted(total.differences.items())[:MOST_SHOWN]:
        OUT.print(f"\nseed {seed}: {difference}")
    return int(bool(total.differences))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
