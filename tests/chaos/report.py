"""What came of a campaign: the findings, what they prove, and the page about it."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil

from tests.chaos.callers import KINDS
from tests.chaos.campaign import Plan
from tests.chaos.workload import VERBS
from tests.history import events as e
from tests.history.checker import judge
from tests.history.evidence import Demand, Evidence, missing, show
from tests.history.story import tell
from tests.history.times import lateness
from tests.history.verdict import Invariant, Violation

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

    @property
    def is_good(self) -> bool:
        """Tell whether nothing was broken, and enough was tried."""
        return not (self.violations or self.missing or self.unfinished)

    def faults(self) -> list[str]:
        """Say everything that is wrong."""
        return [*map(str, self.violations), *self.missing, *self.unfinished]


def demand(plan: Plan) -> Demand:
    """Say what a campaign must have done to prove anything."""
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


def judged(plan: Plan, history: Sequence[e.Event], seconds: float) -> Outcome:
    """Judge a campaign by its history."""
    story = tell(history)
    evidence = show(story)
    ends = [run.over or "still running" for run in story.runs.values()]
    return Outcome(
        plan=plan,
        seconds=seconds,
        evidence=evidence,
        violations=judge(story, late_ms=LATE_MS),
        missing=missing(evidence, demand(plan)),
        unfinished=[f"a run ended as {end}" for end in ends if end != "Completed"],
        late_ms=lateness(story),
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
{plan.kills} times. The runs read by `wait` with a timeout, `once`, `on` and `async for`.

Every process writes down what it saw before it goes on (the senders with an fsync). Afterwards a
checker compares that with the logs and journals in the database (`tests/history`, itself tested on
planted faults):

{_promises()}

## Last campaign

| | |
|---|--:|
| date | {datetime.now(UTC):%Y-%m-%d} |
| machine | {_machine()} |
| seed | {plan.seed} |
| took | {outcome.seconds:.0f} s |
| calls | {seen.calls:,} |
| acknowledged | {seen.acknowledged:,}, {seen.duplicates:,} of them as duplicates |
| without an answer | {seen.unknown:,} |
| kill -9 | {_counts(seen.faults)} |
| of these while a call was open | {_counts(seen.faults_while_sending)} |
| values given to user code | {seen.taken:,} |
| given again by replay | {seen.replayed:,} |
| both, by verb | {_counts(seen.verbs)} |
| timeouts | {seen.timeouts:,} |
| the latest of them, after its deadline (outages not counted) | {_latest(outcome)} ms |
| **violations** | **{len(outcome.violations)}** |

{_failures(outcome)}
`make chaos CHAOS_SEED={plan.seed}` repeats it, as far as processes on a machine can be repeated.
"""


def _machine() -> str:
    memory = psutil.virtual_memory().total >> 30
    return f"{os.cpu_count()} cores, {memory} GiB, Python {platform.python_version()}"


def _latest(outcome: Outcome) -> int:
    return max(outcome.late_ms, default=0)


def _promises() -> str:
    return "\n".join(f"- {one.value.partition(': ')[2]};" for one in Invariant).rstrip(";") + "."


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))


def _failures(outcome: Outcome) -> str:
    if outcome.is_good:
        return "Nothing was lost, doubled or reordered.\n"
    return "Found:\n\n" + "\n".join(f"- {fault}" for fault in outcome.faults()) + "\n"
