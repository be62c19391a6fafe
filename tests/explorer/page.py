"""The page about what was explored: a line for each cast, the newest, and totals of these lines.

Owns: docs/reliability/explorer.md. It is read before it is written: what a run did not go through
keeps the line of an earlier one, with its day; casts that there are no more lose theirs.

Must never know: how a cast is gone through.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[2] / "docs/reliability/explorer.md"
FINISHED, CUT, WRONG = "all", "cut", "WRONG"
_ROW: Final = re.compile(
    r"^\| (?P<actors>\d+) \| (?P<cast>[^|]+) \| (?P<schedules>[\d,]+) \| (?P<states>[\d,]+) \|"
    r" (?P<longest>\d+) \| (?P<end>\w+) \| (?P<day>[\d-]+) \|$",
    re.MULTILINE,
)
_INTRODUCTION: Final = """\
# Every order in which things can happen

`make explore` lets up to four actors (a worker that waits and takes, senders, a timeout, somebody
who cancels) meet the real engine on the store in memory in **every** order of its accesses,
and checks laws 2 to 6 after each. Of orders that differ only in moves that do not touch the same
thing, one is run; a state that was reached before is not gone through again; what nobody will read
any more is no part of a state. So one schedule here stands for many. `tests/explorer/search.py`
says why that is sound, and tests compare the ends with those of a search that leaves nothing out.

Between two accesses of the store, a server goes on in the order of its event loop. All hints
between servers are lost, and no lease lapses.

Casts that begin with `map:` are about the wait map (docs/decisions/0021): several servers, streams
that are not in the database, and a map whose every word comes at any later moment, or never. There
a worker renews its lease, the map is `emptied`, so much `time` passes that nothing said before is
believed, servers die (`crash`, with their worker: `lost`), a worker leaves a server that does not
hear of it (`moves`, `moved` before the play begins), and leases lapse (`orphaned` + `time`). Law 9
is checked when the instant of the last look has come: no hint has helped by then.

`parked`: the run has parked before the play begins, and what the map was told of it is still under
way, so that a sender may hear an old story. There a lost map, time and a lapsing lease (`orphaned`:
the worker was lost just before) befall the wait at once. While the worker still parks, one thing at
a time does: of more there are too many orders to go through. So these are in no list: two different
messages, time, or a worker that leaves, all while it parks; `time` with a loss or a move in the
play, of a run that has parked; and four more, of each of which 20,000 schedules or 40,000 were gone
through on 2026-11-23, with nothing wrong in them: `parked + time + crash`, `send a + send b +
parked + crash`, `once + send a + send b + time`, `once + time + renews later + moves`.
"""


@dataclass(frozen=True, slots=True)
class Line:
    """What came of one cast."""

    actors: int
    cast: str
    schedules: int
    states: int
    longest: int
    end: str
    day: str

    def __str__(self) -> str:
        counts = f"{self.schedules:,} | {self.states:,} | {self.longest}"
        return f"| {self.actors} | {self.cast} | {counts} | {self.end} | {self.day} |"


def read(text: str) -> dict[str, Line]:
    """Return the lines of the page, by cast."""
    return {row["cast"]: _line(row) for row in _ROW.finditer(text)}


def _line(row: re.Match[str]) -> Line:
    schedules, states = (int(row[name].replace(",", "")) for name in ("schedules", "states"))
    return Line(
        int(row["actors"]),
        row["cast"],
        schedules,
        states,
        int(row["longest"]),
        row["end"],
        row["day"],
    )


def written(known: Mapping[str, Line], casts: Sequence[str]) -> str:
    """Return the page: the lines of these casts, in their order."""
    found = [known[cast] for cast in casts if cast in known]
    rows = "\n".join(map(str, found))
    return f"""{_INTRODUCTION}
{_total("All casts", found, len(casts))}
{_total("Those about the wait map", [one for one in found if _is_map(one.cast)], _maps(casts))}

`all`: every schedule was gone through. `cut`: as many as stand there, and there are more.

| actors | cast | schedules | states | longest | gone through | on |
|--:|---|--:|--:|--:|---|---|
{rows}
"""


def _total(what: str, found: Sequence[Line], casts: int) -> str:
    ends = [line.end for line in found]
    finished, cut = ends.count(FINISHED), ends.count(CUT)
    return (
        f"- {what}: {finished} of {casts} gone through to the end, {cut} cut,"
        f" {casts - len(found)} not begun; {sum(line.schedules for line in found):,} schedules,"
        f" {sum(line.states for line in found):,} states. Wrong: **{ends.count(WRONG)}**."
    )


def _is_map(cast: str) -> bool:
    return cast.startswith("map:")


def _maps(casts: Iterable[str]) -> int:
    return sum(map(_is_map, casts))


def lines(page: Path = PAGE) -> dict[str, Line]:
    """Return the lines that stand on the page, by cast."""
    return read(page.read_text("utf-8")) if page.is_file() else {}


def update(line: Line, casts: Sequence[str], page: Path = PAGE) -> None:
    """Put one line into the page, and reckon the totals again."""
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(written({**lines(page), line.cast: line}, casts), "utf-8")
