"""What the database says of timers.

Must never know: how they came about.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from tests.sqlite.raw import raw
from tests.timers.work.tasks import Woken

_FIRED = """
SELECT entry.deadline, entry.at, run.detail FROM entry JOIN run ON run.no = entry.run
WHERE entry.deadline IS NOT NULL
"""
_UNFINISHED = "SELECT count(*) FROM run WHERE state <> 'over'"


@dataclass(frozen=True, slots=True)
class Fired:
    """One timer, in ms since the epoch: when it was due and when it was answered, by the store.

    `woken` is what its run has seen of it, once that is over.
    """

    due: int
    at: int
    woken: Woken | None

    @property
    def late(self) -> int:
        """Return by how much the answer was late, by the store's clock; below 0 it was early."""
        return self.at - self.due

    @property
    def felt(self) -> float:
        """Return by how much the run went on late, by the machine's wall clock.

        The answer is on disk by then, and has come to the worker.
        """
        if self.woken is None:
            raise TypeError("the run is not over")
        return self.woken["at"] - self.due


def fired(database: Path) -> list[Fired]:
    """Return every timer whose answer is on disk."""
    with raw(database) as db:
        rows = db.execute(_FIRED).fetchall()
    return [_fired(due, at, detail) for due, at, detail in rows]


def unfinished(database: Path) -> int:
    """Count the runs that are not over."""
    with raw(database) as db:
        ((count,),) = db.execute(_UNFINISHED).fetchall()
    if not isinstance(count, int):
        raise TypeError(count)
    return count


def _fired(due: object, at: object, detail: object) -> Fired:
    if not isinstance(due, int) or not isinstance(at, int):
        raise TypeError(due, at)
    output = detail if isinstance(detail, bytes) and detail else None
    return Fired(due, at, None if output is None else msgspec.json.decode(output, type=Woken))
