"""`make explore`: every schedule of four actors, and what of three is slow; minutes to hours.

    python -m tests.explorer              all of it
    python -m tests.explorer --only TEXT  the casts with TEXT in their name
    python -m tests.explorer --most 9999  so many schedules of a cast, and no more
    python -m tests.explorer --left       what the page has no line of

Writes docs/reliability/explorer.md as it goes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.explorer import map_cast, map_play
from tests.explorer.cast import Cast, long, short
from tests.explorer.map_cast import MapCast
from tests.explorer.page import CUT, FINISHED, WRONG, Line, lines, update
from tests.explorer.play import MOST, explore
from tests.explorer.search import Report, TooMany


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one cast."""

    cast: Cast | MapCast
    report: Report
    seconds: float
    is_cut: bool

    @property
    def end(self) -> str:
        """Say how it ended, in the page's words."""
        if self.report.failures:
            return WRONG
        return CUT if self.is_cut else FINISHED

    @property
    def line(self) -> Line:
        """Return the line of the page."""
        report, today = self.report, f"{datetime.now(UTC):%Y-%m-%d}"
        counts = report.schedules, report.states, report.longest
        return Line(self.cast.actors, str(self.cast), *counts, self.end, today)

    def __str__(self) -> str:
        counts = f"{self.report.schedules:>9,} schedules {self.report.states:>9,} states"
        return f"{self.end:5} {counts} {self.seconds:>7.0f} s  {self.cast}"


def explored(cast: Cast | MapCast, most: int) -> Outcome:
    """Go through one cast."""
    started, is_cut = time.process_time(), False
    try:
        if isinstance(cast, MapCast):
            report = map_play.explore(cast, most=most)
        else:
            report = explore(cast, most=most)
    except TooMany as error:
        report, is_cut = error.report, True
    return Outcome(cast, report, time.process_time() - started, is_cut)


def _all(
    casts: Sequence[Cast | MapCast], most: int, console: Console, at_once: int
) -> Iterator[Outcome]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        Progress(*columns, TimeElapsedColumn(), console=console) as progress,
        ProcessPoolExecutor(at_once) as pool,
    ):
        bar = progress.add_task("casts", total=len(casts))
        for done in as_completed([pool.submit(explored, cast, most) for cast in casts]):
            progress.advance(bar)
            yield done.result()


def main(
    only: Annotated[str, typer.Option(help="Casts with this text in their name.")] = "",
    *,
    left: Annotated[bool, typer.Option(help="Casts without a line on the page.")] = False,
    most: Annotated[int, typer.Option(help="Schedules of one cast, at most.")] = MOST,
    at_once: Annotated[int, typer.Option(help="Processes.")] = 2,
) -> None:
    """Go through every schedule of every cast."""
    console = Console(stderr=True)
    every: tuple[Cast | MapCast, ...] = (*short(), *map_cast.short(), *long(), *map_cast.long())
    known = dict.fromkeys(every)
    names, there = [*map(str, known)], lines() if left else {}
    casts = [cast for cast in known if only in str(cast) and str(cast) not in there]
    outcomes: list[Outcome] = []
    for outcome in _all(casts, most, console, at_once):
        outcomes.append(outcome)
        console.print(str(outcome), highlight=False, soft_wrap=True)
        update(outcome.line, names)
    for outcome in outcomes:
        for failure in outcome.report.failures:
            console.print(f"{outcome.cast}\n  {' > '.join(failure.schedule)}\n  {failure.wrong}")
    sys.exit(any(outcome.end != FINISHED for outcome in outcomes))


if __name__ == "__main__":
    typer.run(main)
