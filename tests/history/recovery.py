"""How soon all is well again, once what was broken is whole.

For each healing, three groups, in milliseconds:
- sends: first called before it, first acknowledged after it: from the healing to that;
- values: acknowledged before it, first given to user code after it: from the healing to that;
  of both, time counts until something else is broken: what is held up then is so by that;
- news: acknowledged within `NEWS_S` after it, and given (or asked for in vain) before anything is
  broken again: from the acknowledgement to user code.

Must never know: what was broken, or how.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.history import events as e
from tests.history.story import Story

NEWS_S: Final = 5
WAKES: Final = "worker wakes"
"""The fault that says that a process goes on that had stood still for longer than its lease."""
_MS: Final = 1_000_000

Key = tuple[str, str, str]
"""Run, stream, and the digest of a message."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What one healing showed; two troubles may heal `at` one moment."""

    at: int
    kind: str
    sends: Sequence[float]
    values: Sequence[float]
    news: Sequence[float]

    @property
    def stuck(self) -> Sequence[float]:
        """Return how long each lasted that had been held up."""
        return [*self.sends, *self.values]


@dataclass(slots=True)
class _Way:
    """One message: first called, first acknowledged, first given."""

    sender: str
    called: int
    acknowledged: int | None = None
    given: int | None = None


def recoveries(story: Story, senders: frozenset[str]) -> list[Recovery]:
    """Measure each healing. Of the sends only those of `senders`: others pause of their own."""
    ways = list(_ways(story).values())
    broken = sorted(fault.at for fault in story.faults if fault.kind != WAKES)
    found = list[Recovery]()
    for healed in story.healed:
        again = next((at for at in broken if at > healed.at), sys.maxsize)
        found.append(_recovery(healed, again, ways, senders))
    return found


def _ways(story: Story) -> Mapping[Key, _Way]:
    found = dict[Key, _Way]()
    for call in sorted(story.calls.values(), key=lambda call: call.begin.at):
        key = (*call.stream, call.begin.digest)
        way = found.setdefault(key, _Way(call.begin.sender, call.begin.at))
        if isinstance(call.end, e.SendOk):
            at = call.end.at
            way.acknowledged = at if way.acknowledged is None else min(way.acknowledged, at)
    for given in story.given:
        one = found.get((given.run, given.stream, given.digest))
        if one is not None and (one.given is None or given.at < one.given):
            one.given = given.at
    return found


def _recovery(
    healed: e.Healed, again: int, ways: Sequence[_Way], senders: frozenset[str]
) -> Recovery:
    """Measure one healing, until something is broken `again`."""
    until = min(again, healed.at + NEWS_S * 1_000 * _MS)
    whole, sends, values, news = healed.at, list[float](), list[float](), list[float]()
    for way in ways:
        if way.acknowledged is None:
            continue
        if way.sender in senders and way.called < whole < way.acknowledged:
            sends.append((min(way.acknowledged, again) - whole) / _MS)
        if way.given is None:
            continue
        if way.acknowledged <= whole < way.given:
            values.append((min(way.given, again) - whole) / _MS)
        elif whole < way.acknowledged < until and way.given < again:
            news.append(max(0.0, (way.given - way.acknowledged) / _MS))
    return Recovery(healed.at, healed.kind, sends, values, news)


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that so large a share does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def zombies(story: Story) -> int:
    """Count the lives that went on after another process had taken their run over.

    A life is named `PROCESS.REST`.
    """
    found = 0
    for wakes in (fault for fault in story.faults if fault.kind == WAKES):
        newest = dict[str, str]()
        had = set[str]()
        for asked in story.asked:
            if asked.at > wakes.at:
                break
            newest[asked.run] = asked.life.partition(".")[0]
            if newest[asked.run] == wakes.who:
                had.add(asked.run)
        found += sum(newest[run] != wakes.who for run in had)
    return found
