"""What a log in a database can do to be looked through quickly. Must never know: what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from headrace.kernel.model import RunId


@runtime_checkable
class Tallying(Protocol):
    """The capability to ask for many runs at once: speed, where each takes its time."""

    async def tally(self, run_ids: Sequence[RunId]) -> Mapping[RunId, int]:
        """Count the records of all input streams of each run; those without any are left out."""
        ...
