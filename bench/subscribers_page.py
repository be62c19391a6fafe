"""What came of thousands of subscriptions: whether it is enough, and the page about it.

Must never know: how anything was measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from bench.machine import Machine

PAGE: Final = Path(__file__).parents[1] / "docs/reliability/subscribers.md"
KIB: Final = 1 << 10
EACH, P99_MS, AGAIN = 40 * KIB, 500.0, 2 * KIB
"""What a subscription may cost, how late a message may be, what each may leave behind again."""
THREADS: Final = 8
"""The store's threads, which rest for a while before they end, are so many at the most."""


class Lateness(msgspec.Struct, frozen=True):
    """From the moment a message was sent until it arrived at a socket, in ms."""

    count: int
    p50: float
    p99: float
    most: float


class Counts(msgspec.Struct, frozen=True):
    """What a server's process holds: bytes of memory, descriptors, threads."""

    rss: int
    files: int
    threads: int


class Subscribed(msgspec.Struct, frozen=True, kw_only=True):
    """What must hold is what `missed` looks at."""

    subscriptions: Mapping[str, int]
    runs: int
    messages: int
    rate: float
    opened_s: float
    start: Counts
    held: Counts
    """Once all are there, before the first message."""
    busy: Counts
    """After the last message."""
    closed: Counts
    closed_s: float
    """How long it took until the server held no more descriptors than before."""
    again: Counts
    """After as many have come and gone once more."""
    lateness: Mapping[str, Lateness]
    lost: int
    """Messages that did not reach somebody, counted for each."""
    broken: int
    """Subscriptions that the server has ended."""
    own: Lateness
    """How late the measuring process itself was with what it meant to do."""
    cpu: Mapping[str, float]
    """Processors used while messages were sent, by process."""
    foreign: float

    @property
    def count(self) -> int:
        """Return how many there were."""
        return sum(self.subscriptions.values())

    @property
    def each(self) -> float:
        """Return what one costs the server's memory at the most."""
        return (max(self.held.rss, self.busy.rss) - self.start.rss) / self.count

    @property
    def left(self) -> float:
        """Return how much more memory one has left behind when it came a second time."""
        return (self.again.rss - self.closed.rss) / self.count

    def missed(self) -> list[str]:
        """Say what is not as it must be."""
        return list(self._missed())

    def _missed(self) -> Iterator[str]:
        if self.each > EACH:
            yield f"a subscription takes {_kib(self.each)}"
        if self.lateness["all"].p99 > P99_MS:
            yield f"the 99th percentile of lateness is {self.lateness['all'].p99:.0f} ms"
        if self.lost:
            yield f"{self.lost} messages did not arrive"
        if self.broken:
            yield f"{self.broken} subscriptions broke"
        if max(self.closed.files, self.again.files) > self.start.files:
            yield "descriptors are not given back"
        if max(self.held.threads, self.busy.threads, self.again.threads) > THREADS:
            yield "subscriptions take threads"
        if self.left > AGAIN:
            yield f"a second crowd leaves {_kib(self.left)} each behind"


def shown(found: Subscribed, at: Machine) -> str:
    """Write it down as a page of the documentation."""
    kinds = "\n".join(f"- {count:,} {kind}" for kind, count in found.subscriptions.items())
    return f"""# {found.count:,} subscriptions

`python -m bench.subscribers --write` starts `headrace serve` and `headrace worker` as a user does,
{found.runs:,} runs that wait, and {found.count:,} subscriptions, each on a connection of its own:

{kinds}

Then {found.messages:,} messages are sent, {found.rate:g} a second: to an input stream, to an output
stream or as metadata, in turn. Each has to reach everybody who follows. Lateness is taken at the
socket of whoever follows, from the moment the message was sent. Then all go away without a word,
and come and go once more.

{at.cores} cores of {at.cpu}, {at.memory_gib:g} GiB, {at.system}, Python {at.python},
SQLite {at.sqlite}. {datetime.now(UTC):%Y-%m-%d}; other processes used {found.foreign:.0%} of the
machine. Of one core: {_shares(found.cpu)}. The measuring process was
{found.own.p99:.1f} ms late itself at the 99th percentile, {found.own.most:.1f} ms at the most.

| | measured | must |
|---|--:|--:|
| memory of the server for each | {_kib(found.each)} | ≤ {_kib(EACH)} |
| lateness at the 99th percentile | {found.lateness["all"].p99:.0f} ms | ≤ {P99_MS:g} ms |
| messages that did not arrive | {found.lost} | 0 |
| subscriptions that the server broke | {found.broken} | 0 |
| all were there after | {found.opened_s:.1f} s | |
| descriptors were given back after | {found.closed_s:.2f} s | |
| memory that one leaves behind the second time | {_kib(found.left)} | ≤ {_kib(AGAIN)} |

{_tables(found)}

{_verdict(found)}
"""


def _tables(found: Subscribed) -> str:
    late = "\n".join(_late(kind, each) for kind, each in found.lateness.items())
    moments = {
        "before": found.start,
        "all are there": found.held,
        "after the messages": found.busy,
        "all are gone": found.closed,
        "as many came and went again": found.again,
    }
    counts = "\n".join(_counts(name, each) for name, each in moments.items())
    return f"""| lateness | arrivals | median | 99th percentile | most |
|---|--:|--:|--:|--:|
{late}

| the server's process | memory | descriptors | threads |
|---|--:|--:|--:|
{counts}"""


def _verdict(found: Subscribed) -> str:
    missed = found.missed()
    return f"Missed: {'; '.join(missed)}." if missed else "All of it holds."


def _shares(cpu: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in cpu.items())


def _late(kind: str, each: Lateness) -> str:
    return (
        f"| {kind} | {each.count:,} | {each.p50:.1f} ms | {each.p99:.1f} ms | {each.most:.1f} ms |"
    )


def _counts(name: str, each: Counts) -> str:
    return f"| {name} | {each.rss / KIB / KIB:.0f} MiB | {each.files:,} | {each.threads} |"


def _kib(size: float) -> str:
    return f"{size / KIB:.1f} KiB"
