"""Records that were read or appended lately, kept to be read again without asking S2.

A record never changes, so what is kept is always right; what is not kept says nothing: only S2
knows what follows. Owns: how much is kept, and how far ahead it is worth reading.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from headrace.backends.s2.records import Stored

KEPT_BYTES: Final = 16_777_216
"""Of all streams."""
STREAM_BYTES: Final = 131_072
AHEAD: Final = 32
OVERHEAD: Final = 200
"""What a record weighs beside its body."""


@dataclass(slots=True)
class _Stretch:
    """Records that follow on each other."""

    records: list[Stored]
    weight: int = 0

    def covers(self, seq: int) -> bool:
        return self.records[0].seq <= seq <= self.records[-1].seq


class Recent:
    """One stretch of each stream; the streams that nobody has asked for longest go first."""

    def __init__(self, *, kept_bytes: int = KEPT_BYTES) -> None:
        self._stretches: OrderedDict[str, _Stretch] = OrderedDict()
        self._kept_bytes, self._weight = kept_bytes, 0

    def get(self, name: str, start: int, limit: int) -> list[Stored]:
        """Return up to `limit` records from number `start` on, as far as they are kept."""
        stretch = self._stretches.get(name)
        if stretch is None or not stretch.covers(start):
            return []
        self._stretches.move_to_end(name)
        first = start - stretch.records[0].seq
        return stretch.records[first : first + limit]

    def put(self, name: str, records: Sequence[Stored]) -> None:
        """Keep these; with those that they follow on, if those are kept."""
        if not records:
            return
        old = self._stretches.pop(name, None)
        if old is not None:
            self._weight -= old.weight
        kept = [] if old is None else old.records
        stretch = _Stretch(_joined(kept, records))
        stretch.weight = sum(map(_weight, stretch.records))
        while stretch.weight > STREAM_BYTES and len(stretch.records) > 1:
            stretch.weight -= _weight(stretch.records.pop(0))
        self._stretches[name] = stretch
        self._weight += stretch.weight
        while self._weight > self._kept_bytes:
            _, oldest = self._stretches.popitem(last=False)
            self._weight -= oldest.weight

    def forget(self, name: str) -> None:
        """Keep nothing of a stream."""
        stretch = self._stretches.pop(name, None)
        if stretch is not None:
            self._weight -= stretch.weight

    def ahead(self, name: str) -> int:
        """Say how many records to ask for where one is wanted: as many as are kept, if small."""
        stretch = self._stretches.get(name)
        if stretch is None:
            return 1
        last = stretch.records[-1]
        usual = last.end // (last.seq + 1) + OVERHEAD
        return max(1, min(AHEAD, STREAM_BYTES // (2 * usual)))


def _joined(kept: list[Stored], records: Sequence[Stored]) -> list[Stored]:
    """Return what is kept and the new ones behind it, or the new ones alone."""
    first = records[0].seq
    if not kept or not kept[0].seq <= first <= kept[-1].seq + 1:
        return list(records)
    before = kept[: first - kept[0].seq]
    behind = [one for one in kept if one.seq > records[-1].seq]
    return [*before, *records, *behind]


def _weight(stored: Stored) -> int:
    return len(stored.body) + len(stored.key) + OVERHEAD
