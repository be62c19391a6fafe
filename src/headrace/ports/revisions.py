"""What a store tells those who follow runs: cheaply, which of them have changed.

Must never know: what is shown of a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from headrace.kernel.model import EnvId, Instant, RunId


@dataclass(frozen=True, slots=True)
class Revision:
    """How often a run has changed as it is seen from outside; neither number ever goes back.

    `beside` counts what is no change of the run itself: how often its metadata was set, and how
    many output streams it has.
    """

    run_id: RunId
    version: int
    beside: int


@dataclass(frozen=True, slots=True)
class Tagged:
    """Which runs of an environment: those with all of these tags, created at `since` or later."""

    env: EnvId
    tags: tuple[str, ...]
    since: Instant


class Revisions(Protocol):
    """How far runs have come, without reading them."""

    async def of(self, run_ids: Sequence[RunId]) -> Mapping[RunId, Revision]:
        """Return the revisions of those that there are."""
        ...

    async def tagged(self, query: Tagged, limit: int) -> Sequence[Revision]:
        """Return the revisions of up to `limit` runs, the newest first."""
        ...

    async def tags(self, run_ids: Sequence[RunId]) -> Mapping[RunId, Sequence[str]]:
        """Return the tags of those that have any."""
        ...
