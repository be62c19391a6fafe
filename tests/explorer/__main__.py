"""`make explore`: every schedule of four actors, and what of three is slow; minutes to hours.

    python -m tests.explorer              all of it
    python -m tests.explorer --only TEXT  the casts with TEXT in their name

Writes docs/reliability/explorer.md.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.explorer import map_cast, map_play
from tests.explorer.cast import Cast, long, short
from tests.explorer.map_cast import MapCast
from tests.explorer.play import MOST, explore
from tests.explorer.search import Failure, TooMany

MAP: Final = """\
Casts that begin with `map:` are about the wait map (docs/decisions/0021): several servers, streams
that are not in the database, and a map whose every word comes at any later moment, or never. There
a worker renews its lease, the map is `emptied`, so much `time` passes that nothing said before is
believed, servers die (`crash`, with their worker: `lost`), a worker leaves a server that does not
hear of it (`moves`, `moved` before the play begins), and leases lapse. Law 9 is checked when the
instant of the last look has come: no hint has helped by then."""
PAGE: Final = Path(__file__).parents[2] / "docs/reliability/explorer.md"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one cast."""

    cast: Cast | MapCast
    schedules: int
    states: int
    longest: int
    seconds: float
    failures: tuple[Failure, ...] = ()
    bounded: bool = False


def explored(cast: Cast | MapCast) -> Outcome:
    """Go through one cast."""
    started = time.monotonic()
    try:
        report = map_play.explore(cast) if isinstance(cast, MapCast) else explore(cast)
    except TooMany:
        return Outcome(cast, MOST, 0, 0, time.monotonic() - started, bounded=True)
    seconds, failures = time.monotonic() - started, tuple(report.failures)
    return Outcome(cast, report.schedules, report.states, report.longest, seconds, failures)


def _all(casts: Sequence[Cast | MapCast], console: Console, at_once: int) -> Iterator[Outcome]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        Progress(*columns, TimeElapsedColumn(), console=console) as progress,
        ProcessPoolExecutor(at_once) as pool,
    ):
        bar = progress.add_task("casts", total=len(casts))
        for done in as_completed([pool.submit(explored, cast) for cast in casts]):
            outcome = done.result()
            progress.advance(bar)
            console.print(_line(outcome), highlight=False, soft_wrap=True)
            yield outcome


def _line(outcome: Outcome) -> str:
    mark = "wrong" if outcome.failures else "bound" if outcome.bounded else "ok   "
    counts = f"{outcome.schedules:>9,} schedules {outcome.states:>9,} states"
    return f"{mark} {counts} {outcome.seconds:>7.0f} s  {outcome.cast}"


def _page(outcomes: Sequence[Outcome], total: int) -> str:
    """Write the results down as a page of the documentation."""
    wrong = [outcome for outcome in outcomes if outcome.failures]
    bounded = [outcome for outcome in outcomes if outcome.bounded]
    rows = "\n".join(
        f"| {one.cast.actors} | {one.cast} | {one.schedules:,} | {one.states:,} | {one.longest} |"
        for one in outcomes
    )
    return f"""# Every order in which things can happen

`make explore` lets up to four actors (a worker that waits and takes, senders, a timeout, somebody
who cancels) meet the real engine on the memory backend in **every** order of their store accesses,
and checks laws 2 to 6 after each. Of orders that differ only in moves that do not touch the same
thing, one is run; a state that was reached before is not gone through again. So one schedule here
stands for many. `tests/explorer/search.py` says why that is sound, and its tests compare it with a
search that prunes nothing.

Between two accesses of the store, a server goes on in the order of its event loop. All hints
between servers are lost, and no lease lapses.

{MAP}

Last run: {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()},
{len(outcomes)} of {total} casts, in the order in which they ended below,
{sum(one.schedules for one in outcomes):,} schedules,
{sum(one.states for one in outcomes):,} states. Wrong: **{len(wrong)}**.
Not finished within {MOST:,} schedules: {len(bounded)}.

| actors | cast | schedules | states | longest |
|--:|---|--:|--:|--:|
{rows}
"""


def main(
    only: Annotated[str, typer.Option(help="Casts with this text in their name.")] = "",
    *,
    at_once: Annotated[int, typer.Option(help="Processes.")] = 2,
) -> None:
    """Go through every schedule of every cast."""
    console = Console(stderr=True)
    every: tuple[Cast | MapCast, ...] = (*short(), *map_cast.short(), *long(), *map_cast.long())
    known = dict.fromkeys(every)
    casts = [cast for cast in known if only in str(cast)]
    outcomes: list[Outcome] = []
    for outcome in _all(casts, console, at_once):
        outcomes.append(outcome)
        if not only:  # written as it goes: all of it takes long
            PAGE.parent.mkdir(parents=True, exist_ok=True)
            PAGE.write_text(_page(outcomes, len(casts)), "utf-8")
    for outcome in outcomes:
        for failure in outcome.failures:
            console.print(f"{outcome.cast}\n  {' > '.join(failure.schedule)}\n  {failure.wrong}")
    sys.exit(any(outcome.failures or outcome.bounded for outcome in outcomes))


if __name__ == "__main__":
    typer.run(main)
