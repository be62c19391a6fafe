"""Where a run is, as quickly as one can tell: saves a look into the database, decides nothing.

Must never know: the database, the streams, or why a run is where it is.

Rule 1: a map may forget anything at any time, and never raises: who is told `None` asks the
        database.
Rule 2: what an older version of a run says never replaces what a newer one said, while that is
        kept.
Rule 3: `Live` is told until its instant and no longer, nor longer than `LIVE_MS` ahead, whatever
        becomes of the map, of its clock, or of who wrote it.
Rule 4: of two that say different things about one version, it is not `Live` who is believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from headrace.kernel.model import Instant, RunId, StreamId

LIVE_MS: Final = 2_000
"""How far ahead a run may be said to live at most."""
KEPT_MS: Final = 60_000
"""How long the last word about a run is kept: longer than any older word can be under way."""


@dataclass(frozen=True, slots=True)
class Live:
    """A worker executes the run, and hears of its streams by itself."""

    until: Instant


@dataclass(frozen=True, slots=True)
class On:
    """The run is parked, or about to be, on these streams."""

    streams: frozenset[StreamId]


class WaitMap(Protocol):
    """The last word about each run, for seconds. An entry is (version of the run, where it is)."""

    async def where(self, run_id: RunId) -> Live | On | None:
        """Return where the run is; only `Live` saves a look into the database."""
        ...

    async def live(self, run_id: RunId, version: int, until: Instant) -> None:
        """Say that the run is executed, at least until then."""
        ...

    async def parked(self, run_id: RunId, version: int, streams: frozenset[StreamId]) -> None:
        """Say that the run, from this version on, waits for any of the streams."""
        ...

    async def gone(self, run_id: RunId, version: int) -> None:
        """Say that, from this version on, nobody executes the run."""
        ...
