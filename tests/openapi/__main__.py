"""`python -m tests.openapi`: every operation of the contract at random; `--write` writes the page.

Writes docs/reliability/openapi.md.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress

from tests.openapi import campaign
from tests.openapi.outcome import page

PAGE: Final = Path(__file__).parents[2] / "docs/reliability/openapi.md"
MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of our own in it


def main(
    *,
    cases: Annotated[int, typer.Option(help="How many at least.")] = 50_000,
    seed: Annotated[int | None, typer.Option(help="Repeats a campaign.")] = None,
    minutes: Annotated[float, typer.Option(help="No longer than that.")] = 90,
    write: Annotated[bool, typer.Option(help="Write the page.")] = False,
) -> None:
    """Ask a server of its own."""
    console = Console(stderr=True)
    number = int(time.time()) if seed is None else seed
    console.print(f"seed {number}")
    within = MEMORY if MEMORY.is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix="headrace-openapi-", dir=within) as folder,
        Progress(console=console) as bar,
    ):
        task = bar.add_task("asked", total=cases)
        outcome = campaign.run(
            number,
            cases,
            Path(folder),
            lambda done: bar.update(task, completed=done),
            most_s=60 * minutes,
        )
    if write:
        PAGE.write_text(page(outcome), "utf-8")
    console.print(
        f"{outcome.cases:,} cases of {len(outcome.operations)} operations in"
        f" {outcome.took_s:.0f} s, {outcome.held} held, {sum(outcome.slow.values())} slow once,"
        f" {outcome.stalls} times the machine stood still"
    )
    console.print(outcome.faults() or "nothing was found", markup=False)
    sys.exit(not outcome.is_good or outcome.cases < cases)


if __name__ == "__main__":
    typer.run(main)
