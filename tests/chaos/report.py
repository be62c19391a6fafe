"""What came of a campaign: the findings, what they prove, and the page about it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil

from tests.chaos.callers import KINDS
from tests.chaos.campaign import Plan
from tests.chaos.workload import VERBS
from tests.chaos.works import STANDING
from tests.history import events as e
from tests.history.checker import judge
from tests.history.evidence import Demand, Evidence, missing, show
from tests.history.leaves import Departures, departures
from tests.history.story import tell
from tests.history.times import lateness
from tests.history.verdict import LEAVING, Invariant, Violation

MARK = "<!-- python -m tests.chaos --leaving -->\n"
"""What stands between the two kinds of campaign on the page."""
GIVEN_UP = "Crashed"
LATE_MS = 2_000
"""A timer may wait for a server to come up; from then on it has so long (outages are known)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One campaign, judged."""

    plan: Plan
    seconds: float
    evidence: Evidence
    violations: Sequence[Violation]
    missing: Sequence[str]
    unfinished: Sequence[str]
    late_ms: Sequence[int]
    departures: Departures
    given_up: int
    """Runs that ended as law 8 says: three workers in a row were killed under them."""

    @property
    def is_good(self) -> bool:
        """Tell whether nothing was broken, and enough was tried."""
        return not (self.violations or self.missing or self.unfinished)

    def faults(self) -> list[str]:
        """Say everything that is wrong."""
        return [*map(str, self.violations), *self.missing, *self.unfinished]


def demand(plan: Plan) -> Demand:
    """Say what a campaign must have done to prove anything."""
    if plan.work is not STANDING:
        return Demand(
            acknowledged=plan.messages * 95 // 100,
            duplicates=plan.messages * 5 // 100,
            taken=plan.messages * 95 // 100,
            timeouts=plan.runs // 2,
            success=0.3,
            senders=frozenset(KINDS),
            verbs=frozenset({"wait"}),
            faults={"worker": plan.kills // 5},
        )
    return Demand(
        acknowledged=plan.messages * 95 // 100,
        duplicates=plan.messages * 5 // 100,
        taken=plan.messages * 95 // 100,
        replayed=plan.kills,
        timeouts=plan.kills // 10,
        success=0.3,
        senders=frozenset(KINDS),
        verbs=frozenset(VERBS.values()),
        faults={"server": plan.kills // 4, "worker": plan.kills // 5},
    )


def _may_be_given_up(plan: Plan) -> int:
    """Say how many runs may be: with so many kills it comes about, on a busy machine above all."""
    return 0 if plan.work is STANDING else plan.runs // 40


def _too_few(plan: Plan, left: Departures) -> Iterator[str]:
    """Say what is missing of runs that were to leave."""
    if plan.work is STANDING:
        return
    if left.saved < plan.messages // 4:
        yield f"snapshots seen: {left.saved} of at least {plan.messages // 4}"
    if left.elsewhere < plan.kills:
        yield f"taken up by another process: {left.elsewhere} of at least {plan.kills}"


def judged(
    plan: Plan, history: Sequence[e.Event], seconds: float, *, late_ms: int = LATE_MS
) -> Outcome:
    """Judge a campaign by its history."""
    story = tell(history)
    evidence, left = show(story), departures(story)
    ends = [run.over or "still running" for run in story.runs.values()]
    given_up = min(ends.count(GIVEN_UP), _may_be_given_up(plan))
    return Outcome(
        plan=plan,
        seconds=seconds,
        evidence=evidence,
        violations=judge(story, late_ms=late_ms),
        missing=[*missing(evidence, demand(plan)), *_too_few(plan, left)],
        unfinished=[f"a run ended as {end}" for end in ends if end != "Completed"][given_up:],
        given_up=given_up,
        late_ms=lateness(story),
        departures=left,
    )


def page(outcome: Outcome) -> str:
    """Write the outcome down as a page of the documentation."""
    plan, seen = outcome.plan, outcome.evidence
    return f"""# Killing it while it works

`make chaos` sends {plan.messages:,} messages to {plan.runs} runs with four streams each, from four
processes: the standard library's HTTP client with a secret key and an idempotency key, the Python
client in plain code, the Python client in coroutines, and bare POSTs whose only key is that of the
request. A tenth is sent again with the same key after the acknowledgement; most that end without
an answer are, too. Meanwhile the server and two workers are killed with -9, at random moments,
at least {plan.kills} times. The runs read by `wait` with a timeout, `once`, `on` and `async for`.

Every process writes down what it saw before it goes on (the senders with an fsync). Afterwards a
checker compares that with the logs and journals in the database (`tests/history`, itself tested on
planted faults):

{promises(one for one in Invariant if one not in LEAVING)}

## Last campaign

| | |
|---|--:|
{_seen(outcome)}
| given again by replay | {seen.replayed:,} |
| both, by verb | {_counts(seen.verbs)} |
| timeouts | {seen.timeouts:,} |
| the latest of them, after its deadline (outages not counted) | {_latest(outcome)} ms |
| **violations** | **{len(outcome.violations)}** |

{_failures(outcome)}
`make chaos CHAOS_SEED={plan.seed}` repeats it, as far as processes on a machine can be repeated.
"""


def _seen(outcome: Outcome) -> str:
    """Tell what every kind of campaign tells."""
    plan, seen = outcome.plan, outcome.evidence
    return f"""| date | {datetime.now(UTC):%Y-%m-%d} |
| machine | {machine()} |
| seed | {plan.seed} |
| took | {outcome.seconds:.0f} s |
| calls | {seen.calls:,} |
| acknowledged | {seen.acknowledged:,}, {seen.duplicates:,} of them as duplicates |
| without an answer | {seen.unknown:,} |
| kill -9 | {_counts(seen.faults)} |
| of these while a call was open | {_counts(seen.faults_while_sending)} |
| values given to user code | {seen.taken:,} |"""


def section(outcome: Outcome) -> str:
    """Write down a campaign against runs that leave."""
    plan, seen, left = outcome.plan, outcome.evidence, outcome.departures
    return f"""# While runs leave and come back

`make chaos-leaving` does the same to {plan.runs} runs that leave their worker while they wait:
some at once, some after 20 to 400 ms, some at timers; from a loop, a `match`, a called function,
inside `try` and `async with`. {len(plan.work.workers)} workers and the server are killed with -9 at
random, at least {plan.kills:,} times. Each worker is a copy of a process that has imported what
workers import, and so is back soon. Each run counts in its variables what it was given, and a step
leaves a mark every ten values. Somebody looks at the database 20 times a second and notes which
snapshots stand there. Beside all of the above, the checker demands:

{promises(one for one in Invariant if one in LEAVING)}

| | |
|---|--:|
{_seen(outcome)}
| timeouts | {seen.timeouts:,} |
| snapshots seen on disk | {left.saved:,} |
| answers given to code taken up from one | {left.resumed:,} |
| of these in another process than the one that had asked | {left.elsewhere:,} |
| waits asked again, as their worker was killed before the run was saved | {left.repeated:,} |
| runs given up, as three workers in a row were killed that had just taken them (law 8) \
| {outcome.given_up} |
| **violations** | **{len(outcome.violations)}** |

{_failures(outcome)}
`make chaos-leaving CHAOS_SEED={plan.seed}` repeats it, as far as processes can be repeated.
"""


def written(outcome: Outcome, old: str) -> str:
    """Return the page with the outcome in place of the last of its kind."""
    first, _, second = old.partition(MARK)
    if outcome.plan.work is STANDING:
        first = page(outcome)
    else:
        second = "\n" + section(outcome).replace("# While", "## While", 1)
    return f"{first.rstrip()}\n\n{MARK}{second}"


def machine() -> str:
    memory = psutil.virtual_memory().total >> 30
    return f"{os.cpu_count()} cores, {memory} GiB, Python {platform.python_version()}"


def _latest(outcome: Outcome) -> int:
    return max(outcome.late_ms, default=0)


def promises(chosen: Iterable[Invariant]) -> str:
    """List what the checker demands."""
    return "\n".join(f"- {one.value.partition(': ')[2]};" for one in chosen).rstrip(";") + "."


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))


def _failures(outcome: Outcome) -> str:
    if outcome.is_good:
        return "Nothing was lost, doubled or reordered.\n"
    return "Found:\n\n" + "\n".join(f"- {fault}" for fault in outcome.faults()) + "\n"
