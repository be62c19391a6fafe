"""What a store can do to show a run, its journal and its streams in one look.

Must never know: who looks, and why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from headrace.kernel.model import Entry, Run, RunId, StreamId
from headrace.ports.storage import Backlog


@dataclass(frozen=True, slots=True)
class Sight:
    """A run as it was at one moment; `start` is from which number on its entries were asked for."""

    run: Run
    ends: Mapping[StreamId, Backlog]
    """As `Streams.ends` returns them."""
    entries: Sequence[Entry] = ()
    start: int | None = None
    """`None`: they were not asked for, or were too many."""

    def since(self, start: int) -> Sequence[Entry] | None:
        """Return the entries from number `start` on; `None` if not all of them were seen."""
        if start >= self.run.entries:
            return ()
        if self.start is None or start < self.start:
            return None
        return [entry for entry in self.entries if entry.n >= start]


@runtime_checkable
class Sighting(Protocol):
    """The capability of streams that lie beside runs: one look instead of three."""

    async def sight(self, run_id: RunId, start: int | None = None) -> Sight | None:
        """Return the run, its entries from number `start` on, and where its streams end."""
        ...
