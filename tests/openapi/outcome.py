"""What came of a campaign, and the page that says so.

Must never know: how anything was asked.
"""

from __future__ import annotations

import os
import platform
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from tests.openapi.asking import Heard
from tests.openapi.judging import SERVER, Fault

ENOUGH: Final = 10_000
"""In so many cases every operation must have given its good answer."""
_SHOWN: Final = 1_500


@dataclass(slots=True)
class Finding:
    """Something wrong, as often as it was met, and a request that met it."""

    label: str
    fault: Fault
    example: str
    count: int = 0

    def __str__(self) -> str:
        """Say it for somebody who is to repair it."""
        head = f"{self.label}: {self.fault.kind}, {self.count} times"
        return f"{head}\n{self.fault.detail}\n{self.example}"


@dataclass(slots=True)
class Outcome:
    """What was asked, and what came of it."""

    seed: int
    cases: int = 0
    took_s: float = 0.0
    rss_mib: float = 0.0
    held: int = 0
    operations: Sequence[str] = ()
    unreached: Sequence[str] = ()
    """Operations whose good answer was never seen."""
    stalls: int = 0
    """Slow answers while the machine itself stood still."""
    slow: Counter[str] = field(default_factory=Counter[str])
    hanging: set[str] = field(default_factory=set[str])
    statuses: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    elapsed_s: list[float] = field(default_factory=list[float])
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict[tuple[str, str], Finding])

    @property
    def is_good(self) -> bool:
        """Tell whether nothing was found, and enough cases have reached everything."""
        return not self.findings and (not self.unreached or self.cases < ENOUGH)

    def count(self, label: str, heard: Heard) -> None:
        """Count an answer, or that there was none."""
        self.cases += 1
        self.held += heard.end == "held"
        if heard.status:
            self.statuses[label][heard.status] += 1
            self.elapsed_s.append(heard.elapsed_s)

    def add(self, label: str, fault: Fault, example: str) -> None:
        """Add a finding to its like."""
        finding = Finding(label, fault, example[:_SHOWN])
        self.findings.setdefault((label, fault.kind), finding).count += 1

    def faults(self) -> str:
        """Return all findings as text."""
        missed = [f"never answered well: {label}" for label in self.unreached]
        return "\n\n".join([*map(str, self.findings.values()), *missed])


def page(outcome: Outcome) -> str:
    """Write the outcome down as a page of the documentation."""
    total = Counter[int]()
    for seen in outcome.statuses.values():
        total.update(seen)
    times = sorted(outcome.elapsed_s) or [0.0]
    return f"""{_HEAD}
| | |
|---|--:|
| date | {datetime.now(UTC):%Y-%m-%d} |
| machine | {os.cpu_count()} cores, Python {platform.python_version()} |
| seed | {outcome.seed} |
| operations | {len(outcome.operations)} |
| cases | {outcome.cases:,} in {outcome.took_s:.0f} s |
| answers | {_counts(total)} |
| 5xx | {sum(n for status, n in total.items() if status >= SERVER)} |
| held, as declared | {outcome.held:,} |
| until an answer, median | {_ms(times, 0.5)} |
| until an answer, 99th percentile | {_ms(times, 0.99)} |
| until an answer, at the most | {_ms(times, 1)} |
| over 1 s once, not when asked again | {sum(outcome.slow.values())} |
| over 1 s while the machine stood still | {outcome.stalls} |
| memory of the server at the end | {outcome.rss_mib:.0f} MiB |
| findings | {len(outcome.findings) or "none"} |

## By operation

| operation | answers |
|---|---|
{_by_operation(outcome)}
"""


_HEAD: Final = """# The contract, asked at random

Every server says what it answers: `GET /openapi.json`, made from the declarations that it
serves by. `python -m tests.openapi` takes that document and has schemathesis draw requests to
every operation, half of them such as fit it and half such as do not, and asks a server
(`headrace serve`, SQLite) with workers. Much of what is drawn is led to what there is: runs in
every state, streams, keys, packets, signed URLs, cursors and handles that answers named. They
come with root keys, restricted keys, tokens that are good, narrow, used up, expired or forged,
keys of another environment, and without any; 24 of the runs are blocked by changed code.

Of every answer is asked: is its status in the document for that operation; does its body fit
the schema, and each event of a stream; is its content type the one that was declared; may a
page of any origin read it, errors included; is an error one in form; was a request that does
not fit the document refused; is it below 500; and did it come within a second, unless the
document says that it may be held (`x-headrace-holds`). What is slow is asked again, alone, once
a thread that only sleeps wakes on time and the server is quick to say that it is well. It is a
hang if it is slow twice more on a machine at ease; or if, at ease, it happens three times to an
operation and never again when asked. A machine that stands still because of others fails
nothing; how often it did is told below.

`make test` does the same with fewer cases and a fixed seed (`tests/openapi/test_openapi.py`).
"""


def _ms(times: Sequence[float], share: float) -> str:
    return f"{1_000 * times[min(len(times) - 1, int(share * len(times)))]:.1f} ms"


def _by_operation(outcome: Outcome) -> str:
    counts = ((label, _counts(outcome.statuses[label])) for label in outcome.operations)
    return "\n".join(f"| `{label}` | {counted} |" for label, counted in counts)


def _counts(seen: Mapping[int, int]) -> str:
    return ", ".join(f"{status}: {number:,}" for status, number in sorted(seen.items()))
