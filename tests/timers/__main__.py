"""`python -m tests.timers`: 10,000 timers within 10 seconds; writes docs/reliability/timers.md.

The promise is judged as it stands, without regard to what else the machine does.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import uvloop

from bench.machine import Machine, machine
from tests.timers import faketime
from tests.timers.faketime import WallClock
from tests.timers.jumps import SETTINGS, Naps, set_while_they_wait
from tests.timers.limits import LATE_MS, OVERDUE_MS
from tests.timers.many import Lateness, Overdue, many, overdue

PAGE: Final = Path(__file__).parents[2] / "docs/reliability/timers.md"
BEGIN, END = "<!-- measured: python -m tests.timers -->", "<!-- end of what was measured -->"
TIMERS: Final = 10_000
WINDOW_S: Final = 10.0
OVERDUE: Final = 10_000
NAPS: Final = 100


def main() -> int:
    """Measure, print, write the page; fail if a promise is broken."""
    _say(f"{TIMERS:,} timers within {WINDOW_S:g} s ...")
    late = uvloop.run(many(TIMERS, WINDOW_S))
    _say(str(late))
    _say(f"{OVERDUE:,} overdue ones at a restart ...")
    over = uvloop.run(overdue(OVERDUE))
    _say(str(over))
    naps = _naps()
    with tempfile.TemporaryDirectory() as folder:
        _write(_table(late, over, naps), machine(Path(folder)))
    broken = late.early or late.p99 > LATE_MS or over.early or over.on_disk > OVERDUE_MS
    broken = broken or (naps is not None and bool(naps.early))
    _say("broken" if broken else "kept")
    return int(bool(broken))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _naps() -> Naps | None:
    library = faketime.library()
    if library is None:
        _say("no libfaketime: the wall clock is not set; see scripts/install-test-tools.sh")
        return None
    _say(f"the wall clock set to {', '.join(SETTINGS)} while {NAPS} waits end ...")
    with tempfile.TemporaryDirectory() as folder:
        found = uvloop.run(set_while_they_wait(WallClock(library, Path(folder) / "offset"), NAPS))
    _say(f"longer by {min(found.longer):.1f} to {max(found.longer):.1f} ms")
    return found


Line = tuple[str, str, str]


def _table(late: Lateness, over: Overdue, naps: Naps | None) -> str:
    lines = [*_of_many(late), *_of_overdue(over), *([] if naps is None else _of_naps(naps))]
    head = ["| | promised | measured |", "|---|---:|---:|"]
    return "\n".join([*head, *(f"| {' | '.join(line)} |" for line in lines)])


def _of_many(late: Lateness) -> list[Line]:
    return [
        (f"{late.count:,} timers within {late.window_s:g} s: fired early", "0", f"{late.early}"),
        ("late, median", "", f"{late.p50:.1f} ms"),
        ("late, 99th percentile", f"≤ {LATE_MS:g} ms", f"{late.p99:.1f} ms"),
        ("late, at the most", "", f"{late.most:.1f} ms"),
        ("meanwhile a process that only sleeps, 99th percentile", "", f"{late.noise:.1f} ms"),
        ("meanwhile other processes used of the machine", "", f"{late.foreign:.0%}"),
    ]


def _of_overdue(over: Overdue) -> list[Line]:
    limit, what = f"≤ {OVERDUE_MS:g} ms", f"{over.count:,} overdue at a restart"
    return [
        (f"{what}: fired early", "0", f"{over.early}"),
        ("all fired after", limit, f"{over.on_disk:.0f} ms"),
        ("all runs over after", "", f"{over.went_on:.0f} ms"),
    ]


def _of_naps(naps: Naps) -> list[Line]:
    what = f"{len(naps.longer)} waits, wall clock set to {', '.join(SETTINGS)}"
    return [
        (f"{what}: fired early", "0", f"{naps.early}"),
        ("longer than asked for, at the least", "≥ -1 ms", f"{min(naps.longer):.1f} ms"),
        ("longer than asked for, at the most", "", f"{max(naps.longer):.1f} ms"),
    ]


def _write(table: str, at: Machine) -> None:
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    where = f"{at.cores} cores of {at.cpu}, {at.system}, Python {at.python}, SQLite {at.sqlite}"
    page = f"{before}{BEGIN}\n{when}; {where}.\n\n{table}\n{END}{after}"
    PAGE.write_text(page, "utf-8")
    _say(f"written to {PAGE}")


if __name__ == "__main__":
    sys.exit(main())
