"""`make chaos`, `make chaos-leaving`: a whole campaign, judged; writes docs/reliability/chaos.md.

python -m tests.chaos [--leaving] [--seed N] [--messages N] [--kills N] [--runs N] [--keep FOLDER]
"""

from __future__ import annotations

import secrets
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

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

from tests.chaos import campaign
from tests.chaos.campaign import Plan
from tests.chaos.report import Outcome, judged, written
from tests.chaos.works import LEAVING

LONG: Final = Plan(0, messages=10_000, kills=210, runs=12)
LONG_LEAVING: Final = Plan(0, messages=20_000, kills=1_100, runs=80, work=LEAVING)
PAGE: Final = Path(__file__).parents[2] / "docs/reliability/chaos.md"


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
) -> None:
    """Send, kill, judge."""
    console = Console(stderr=True)
    usual = LONG_LEAVING if leaving else LONG
    plan = replace(
        usual,
        seed=seed or secrets.randbelow(1_000_000),
        messages=messages or usual.messages,
        kills=kills or usual.kills,
        runs=runs or usual.runs,
    )
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
    sys.exit(not outcome.is_good)


if __name__ == "__main__":
    typer.run(main)
