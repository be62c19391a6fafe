"""`python -m bench`: measure, show, and write down.

Owns: the options and the progress bar. Must never know: how anything is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import anyio.to_thread
import uvloop
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bench import report
from bench.machine import foreign, look, machine
from bench.places import PLACES, SQLITE, Ground, laid_out
from bench.plan import FULL, QUICK, SHARED, WORKLOADS, Plan
from bench.profiling import PROFILABLE, PROFILED, profile
from bench.samples import Sample
from bench.targets import FOREIGN_AT_MOST, judged

COLUMNS: Final = 132
PATIENCE: Final = "before each workload, wait so many seconds at the most for others to rest"


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description="Measure the whole system.")
    parser.add_argument("--quick", action="store_true", help="one round, less than a minute")
    parser.add_argument("--on", default=SQLITE, help=f"some of {', '.join(PLACES)}")
    parser.add_argument("--only", help="some of the workloads")
    parser.add_argument("--rounds", type=int, help="how often the workloads take turns")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies every count")
    parser.add_argument("--patience", type=float, default=0.0, help=PATIENCE)
    parser.add_argument("--python", action="append", default=[], help="awaits by this one, too")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--write", action="store_true", help=f"put the table into {report.PAGE}")
    parser.add_argument("--profile", choices=PROFILED, help="show where this process spends time")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says."""
    options = _options(arguments)
    options.on = _parted(options.on)
    usual = WORKLOADS if options.on == (SQLITE,) else SHARED
    only = _parted(options.only or ",".join(usual))
    for kind, asked, known in (("workload", only, WORKLOADS), ("place", options.on, PLACES)):
        if unknown := set(asked) - set(known):
            print(f"no {kind}: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
            return 2
    if options.profile:
        workload = next((name for name in only if name in PROFILABLE), "live")
        with laid_out(options.on) as ground:
            uvloop.run(_profiled(options, workload, ground))
        return 0
    command = ["python -m bench", *map(_said, arguments)]
    with laid_out(options.on) as ground:
        made = uvloop.run(_measured(options, only, command, ground))
    if options.json:
        print(report.as_json(made))
    else:
        console = Console()
        report.show(made, console if console.is_terminal else Console(width=COLUMNS))
    if options.write:
        report.write(made)
    return 0


def _parted(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


async def _profiled(options: argparse.Namespace, workload: str, ground: Ground) -> None:
    corner = await ground.corner(options.on[0])
    await profile(options.profile, workload, options.scale, corner)


def _said(argument: str) -> str:
    """Leave out where things lie on this machine."""
    return Path(argument).name if Path(argument).is_absolute() else argument


async def _measured(
    options: argparse.Namespace, only: Sequence[str], command: Sequence[str], ground: Ground
) -> report.Report:
    scale = (QUICK if options.quick else FULL).times(options.scale)
    if options.rounds:
        scale = scale.repeated(options.rounds)
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder, _progress() as progress:
        described = await anyio.to_thread.run_sync(machine, Path(folder))
        bar = progress.add_task("starting")
        plan = Plan(scale, only, [sys.executable, *options.python], options.on)
        progress.update(bar, total=plan.steps)
        samples = list[Sample]()
        async with aclosing(plan.samples(Path(folder), ground)) as news:
            async for one in news:
                if isinstance(one, Sample):
                    samples.append(one)
                    progress.advance(bar)
                else:
                    progress.update(bar, description=one)
                    _note(progress, f"{len(samples) + 1}/{plan.steps} {one}")
                    await _others_rest(options.patience)
                # Not by a thread of its own: that would take the sender's time.
                progress.refresh()
    return report.Report(
        at=at,
        command=" ".join(command),
        machine=described,
        rows=judged(samples),
        samples=samples,
        places=options.on,
    )


def _note(progress: Progress, what: str) -> None:
    """Show the bar; where there is no screen, print a line."""
    progress.refresh()
    if not progress.console.is_terminal:
        progress.console.print(what)


async def _others_rest(patience_s: float) -> None:
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        before = look(())
        await asyncio.sleep(1)
        if foreign(before, look(())) <= FOREIGN_AT_MOST / 2:
            return


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<24}"),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        auto_refresh=False,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
