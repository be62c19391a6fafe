"""`make chaos`, `make chaos-leaving`: a whole campaign, judged; writes docs/reliability/chaos.md.

python -m tests.chaos [--leaving] [--seed N] [--messages N] [--kills N] [--runs N] [--keep FOLDER]
python -m tests.chaos --on PLACE [--seed N] [--sends N] [--pace N] [--minutes N] [--brief]
                      [--keep FOLDER]

With `--on` it is several servers on what they share, and writes docs/reliability/chaos-shared.md.
"""

from __future__ import annotations

import secrets
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tests.chaos import apart, campaign
from tests.chaos.breaking import breaking
from tests.chaos.campaign import Plan
from tests.chaos.report import Outcome, judged, written
from tests.chaos.several import Course, brief_course
from tests.chaos.shared import PLACES, Place
from tests.chaos.works import LEAVING

LONG: Final = Plan(0, messages=10_000, kills=210, runs=12)
LONG_LEAVING: Final = Plan(0, messages=20_000, kills=1_100, runs=80, work=LEAVING)
PAGE: Final = Path(__file__).parents[2] / "docs/reliability/chaos.md"
SHARED_PAGE: Final = PAGE.with_name("chaos-shared.md")


def _fought(plan: Plan, folder: Path, console: Console) -> Outcome:
    columns = (TextColumn("kills"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    started = time.monotonic()
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("kills", total=plan.kills)
        history = campaign.run(plan, folder, lambda kills: progress.update(bar, completed=kills))
    console.print(f"{len(history):,} events; judging")
    return judged(plan, history, time.monotonic() - started)


def main(
    *,
    seed: Annotated[int, typer.Option(help="What decides who is killed when; 0: by chance.")] = 0,
    messages: Annotated[int, typer.Option(help="How many messages are sent.")] = 0,
    kills: Annotated[int, typer.Option(help="How often something is killed.")] = 0,
    runs: Annotated[int, typer.Option(help="How many runs read.")] = 0,
    leaving: Annotated[bool, typer.Option(help="Runs leave while they wait.")] = False,
    keep: Annotated[Path | None, typer.Option(help="An empty folder to leave it all in.")] = None,
    on: Annotated[str, typer.Option(help=f"Several servers on: {', '.join(PLACES)}.")] = "",
    sends: Annotated[int, typer.Option(help="How many sends are acknowledged, with --on.")] = 0,
    pace: Annotated[float, typer.Option(help="How many a second at most, with --on.")] = 0,
    minutes: Annotated[int, typer.Option(help="No wave begins after so many, with --on.")] = 0,
    brief: Annotated[bool, typer.Option(help="Less than a minute, with --on; no page.")] = False,
) -> None:
    """Send, kill, judge."""
    console = Console(stderr=True)
    if on:
        seed = seed or secrets.randbelow(1_000_000)
        apart.enter("tests.chaos", [*sys.argv[1:], "--seed", str(seed)])
        course = (brief_course if brief else Course)(_place(on), seed)
        course = replace(course, most_s=minutes * 60 or course.most_s)
        course = replace(course, sends=sends or course.sends, pace=pace or course.pace)
        sys.exit(bool(breaking(course, keep, None if brief else SHARED_PAGE).faults()))
    usual = LONG_LEAVING if leaving else LONG
    plan = replace(
        usual,
        seed=seed or secrets.randbelow(1_000_000),
        messages=messages or usual.messages,
        kills=kills or usual.kills,
        runs=runs or usual.runs,
    )
    sys.exit(not _alone(plan, keep, console).is_good)


def _alone(plan: Plan, keep: Path | None, console: Console) -> Outcome:
    """Break one server and its workers; write and say what was found."""
    console.print(f"seed {plan.seed}: {plan.messages:,} messages, {plan.kills} kills")
    with tempfile.TemporaryDirectory(prefix="headrace-chaos-") as temporary:
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
        outcome = _fought(plan, keep or Path(temporary), console)
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(written(outcome, PAGE.read_text("utf-8") if PAGE.exists() else ""), "utf-8")
    console.print(f"{outcome.evidence}\nwritten: {PAGE}")
    for fault in outcome.faults():
        console.print(f"[red]{fault}[/red]")
    return outcome


def _place(on: str) -> Place:
    for place in PLACES:
        if place == on:
            return place
    raise typer.BadParameter(f"--on is one of {', '.join(PLACES)}")


def _end(_: int, __: object) -> NoReturn:
    sys.exit("ended")


if __name__ == "__main__":
    # Whoever ends this ends what it has started.
    signal.signal(signal.SIGTERM, _end)
    typer.run(main)
