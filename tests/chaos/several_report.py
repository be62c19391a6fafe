"""What came of a campaign against several servers: the findings, and the page about it.

Must never know: how anything was broken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.chaos.campaign import Plan
from tests.chaos.report import Outcome, judged, machine, promises
from tests.chaos.several import SENDERS, Course
from tests.chaos.shared import PLACES, Place
from tests.history import events as e
from tests.history.recovery import NEWS_S, WAKES, Recovery, percentile, recoveries, zombies
from tests.history.story import tell
from tests.history.verdict import LEAVING, Invariant

UNHURRIED: Final = frozenset({"sync", "async"})
"""Senders that pause by themselves, ever longer: how soon they try again is their own affair."""
HELD_UP: Final = "held up"
HALTED: Final = "worker halted past its lease"
TITLES: Final[dict[Place, str]] = {
    "postgres+redis": "On Postgres and Redis",
    "postgres+redis+s2": "On Postgres, Redis and S2",
}


@dataclass(slots=True)
class Fought:
    """A whole campaign, judged wave by wave."""

    course: Course
    seconds: float = 0.0
    waited_s: float = 0.0
    """For how long of it somebody on this machine waited for a processor."""
    waves: list[Outcome] = field(default_factory=list[Outcome])
    recoveries: list[Recovery] = field(default_factory=list[Recovery])
    zombies: int = 0
    """Lives that went on although their run was somebody else's by then."""

    def judge(self, plan: Plan, history: Sequence[e.Event]) -> Outcome:
        """Judge one more wave."""
        wave, story = judged(plan, history, 0.0, late_ms=self.course.soon_ms), tell(history)
        self.waves.append(wave)
        self.recoveries += recoveries(story, frozenset(SENDERS) - UNHURRIED)
        self.zombies += zombies(story)
        return wave

    def count(self, name: str) -> int:
        """Add up what the waves show."""
        return sum(getattr(wave.evidence, name) for wave in self.waves)

    def faults(self) -> list[str]:
        """Say everything that is wrong."""
        found = [fault for wave in self.waves for fault in wave.faults()]
        return [*found, *self._too_slow(), *self._too_little()]

    def chosen(self, kind: str) -> list[Recovery]:
        """Return the healings of a kind; of any, `""`, one for each moment.

        What two troubles at once held up was held up once.
        """
        if kind:
            return [one for one in self.recoveries if one.kind == kind]
        return list({one.at: one for one in self.recoveries}.values())

    def held_up(self) -> list[float]:
        """Return how long each that had been held up lasted after the healing."""
        return [ms for one in self.chosen("") for ms in one.stuck]

    def _too_slow(self) -> Iterator[str]:
        if (late := percentile(self.held_up(), 0.99)) > self.course.soon_ms:
            yield f"p99 of what was held up went on {late:,.0f} ms after the healing"

    def _too_little(self) -> Iterator[str]:
        """Say what is missing for this to prove anything."""
        if (sent := self.count("acknowledged")) < self.course.sends:
            yield f"acknowledged: {sent:,} of at least {self.course.sends:,}"
        if not self.held_up():
            yield "nothing was held up by anything"
        struck = self.struck()
        for kind in self.course.kinds:
            if not struck[kind]:
                yield f"never: {kind}"
        if struck[HALTED] and self.course.has_zombies and not self.zombies:
            yield "no worker came back to a run that was somebody else's by then"

    def struck(self) -> Counter[str]:
        """Count what was broken."""
        found = Counter[str]()
        for wave in self.waves:
            found.update(wave.evidence.faults)
        del found[WAKES]
        return found


def section(fought: Fought) -> str:
    """Write one campaign down."""
    course, count = fought.course, fought.count
    late = max((max(wave.late_ms, default=0) for wave in fought.waves), default=0)
    violations = sum(len(wave.violations) for wave in fought.waves)
    return f"""## {TITLES[course.place]}

| | |
|---|--:|
| date | {datetime.now(UTC):%Y-%m-%d} |
| machine | {machine()} |
| seed | {course.seed} |
| messages a second, at the most | {course.pace:g} |
| took | {fought.seconds:,.0f} s, {len(fought.waves)} waves of {course.runs} runs |
| of that time some process waited for a processor | {_share(fought)} |
| calls | {count("calls"):,} |
| acknowledged | {count("acknowledged"):,}, {count("duplicates"):,} of them as duplicates |
| without an answer | {count("unknown"):,} |
| refused | {count("refused"):,} |
| troubles | {fought.struck().total():,} |
| values given to user code | {count("taken"):,} |
| given again by replay | {count("replayed"):,} |
| timeouts | {count("timeouts"):,} |
| the latest of them, after its deadline (outages not counted) | {late:,} ms |
| lives that went on although their run had been taken over | {fought.zombies:,} |
| **violations** | **{violations}** |

{_found(fought)}
{_table(fought)}
`make chaos-{course.place.replace("+", "-")} CHAOS_SEED={course.seed} CHAOS_PACE={course.pace:g}`
repeats it, as far as processes can be repeated.
"""


def _share(fought: Fought) -> str:
    return f"{fought.waited_s / fought.seconds:.0%}" if fought.seconds else "unknown"


def waited_s() -> float:
    """Return for how long some process has waited for a processor, since the machine started.

    Where the system does not say: 0.
    """
    try:
        line = Path("/proc/pressure/cpu").read_text("ascii").splitlines()[0]
    except OSError:
        return 0.0
    return int(line.rpartition("total=")[2]) / 1e6


def _found(fought: Fought) -> str:
    faults = fought.faults()
    if not faults:
        return "Nothing was lost, doubled or reordered.\n"
    return "Found:\n\n" + "\n".join(f"- {fault}" for fault in faults) + "\n"


def _table(fought: Fought) -> str:
    kinds = sorted({one.kind for one in fought.recoveries})
    rows = "".join(_row(fought, kind, kind) for kind in kinds)
    return f"""| trouble | times | sends {HELD_UP} | p99, ms | values {HELD_UP} | p99, ms \
| news | p99, ms |
|---|--:|--:|--:|--:|--:|--:|--:|
{rows}{_row(fought, "**all**", "")}"""


def _row(fought: Fought, title: str, kind: str) -> str:
    chosen = fought.chosen(kind)
    columns = (
        [ms for one in chosen for ms in one.sends],
        [ms for one in chosen for ms in one.values],
        [ms for one in chosen for ms in one.news],
    )
    cells = " | ".join(f"{len(ms):,} | {percentile(ms, 0.99):,.0f}" for ms in columns)
    times = sum(kind in {"", one.kind} for one in fought.recoveries)
    return f"| {title} | {times:,} | {cells} |\n"


HEAD: Final = f"""# Breaking what several servers share

`make chaos-postgres-redis` and `make chaos-postgres-redis-s2` run two servers, two workers at one
of them and one at the other, and the four kinds of senders of [chaos](chaos.md) through both
servers: two of the four go to the other server when theirs does not answer, with the same key.
Postgres is a real one with fsync on, Redis a real one that keeps nothing, S2 an s2-lite that
keeps its records on disk. 16 runs at a time read four streams each, by `wait` with a timeout,
`once`, `on` and `async for`. Meanwhile, by chance, sometimes two at once:

- a server or a worker is killed with -9 and started again; or halted (SIGSTOP) for a moment, or
  for longer than its lease, so that it comes back to runs that are somebody else's by then;
- Postgres is restarted, fast and immediate; all its connections are terminated;
- Redis is emptied, killed and started again, paused, and has no memory left;
- S2 is killed and started again on what it has kept;
- one server is cut off one way, in a network namespace by nft: what it sends to Postgres, Redis or
  S2 is lost, or what they answer; or what is sent to it, or what it answers.

The same checker as there compares what every process saw with what stands in the stores in the
end, and demands:

{promises(one for one in Invariant if one not in LEAVING)}

**Healed** is: a process that was killed serves again; one that was halted goes on; Postgres takes
connections, Redis answers, S2 is healthy; the rule that drops packets is gone. A worker that is
gone counts as healed when its lease is over, 5 s after it went, as then others take over.
What was **held up** is: a send whose first call began before the healing and whose first
acknowledgement came after it (of the two senders that try again at once; the Python client pauses
up to some seconds between its tries, as it says); and a value that was acknowledged before the
healing and given to user code after it. Its time counts from the healing. **News** is what was
acknowledged in the {NEWS_S} s after a healing; its time counts from the acknowledgement. Of what
was held up, 99 % must have gone on within 2 s. Two troubles at once heal at one moment: what they
held up is in the rows of both, and counts once for all.
Against a timer counts the time in which it could end its wait: not while Postgres or S2 is down,
nor while a server is halted, or cut off from one of them. A wait that lives in memory only is that
server's to end.
"""


def summary(fought: Fought) -> str:
    """Tell it in some lines, for a screen."""
    sent, refused = fought.count("acknowledged"), fought.count("unknown")
    return (
        f"{sent:,} acknowledged, {refused:,} without an answer, {fought.struck().total()} troubles,"
        f" {fought.zombies} zombies\n{_table(fought)}"
    )


def written(fought: Fought, old: str) -> str:
    """Return the page with the campaign in place of the last of its kind."""
    parts = [HEAD]
    for place in PLACES:
        mark = _mark(place)
        kept = old.partition(mark)[2].partition("<!--")[0].strip()
        text = section(fought).strip() if place == fought.course.place else kept
        parts.append(f"{mark}\n{text}\n")
    return "\n".join(parts)


def _mark(place: Place) -> str:
    return f"<!-- python -m tests.chaos --on {place} -->\n"
