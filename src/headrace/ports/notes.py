"""What a store keeps about runs beside their state: tags, metadata, and which keys are taken.

Must never know: what follows from any of it; no transition depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from headrace.kernel.model import EnvId, Instant, RunId, TaskId


class Spent(Exception):
    """The ticket has been used before. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A permission to create one run: a hash (32 bytes), and from when on nobody accepts it."""

    token: bytes
    until: Instant


@dataclass(frozen=True, slots=True)
class Notes:
    """What is said about a run. `metadata` is JSON text; `revision` counts the changes of both.

    `seen` are hashes of the requests that made the last changes, so that none counts twice;
    `mark` is the place in the run's own code of its last change, for the same reason.
    """

    tags: tuple[str, ...] = ()
    metadata: bytes = b""
    revision: int = 0
    seen: tuple[bytes, ...] = ()
    mark: tuple[int, ...] = ()


class Notebook(Protocol):
    """The notes of every run; at first they are those of its order."""

    async def read(self, run_id: RunId) -> Notes | None:
        """Return the run's notes, `None` where there is no such run."""
        ...

    async def write(self, run_id: RunId, notes: Notes) -> None:
        """Replace the notes; their stored revision is one more than that of `notes`.

        `Conflict` when the stored revision is not that of `notes`: read again.
        """
        ...


class Taken(Protocol):
    """Idempotency keys and tickets: `Runs.create` takes them, here they are let go of."""

    async def free(self, env: EnvId, task: TaskId, key: str, now: Instant) -> RunId | None:
        """Free a caller's key; return the run that stood under it, if one did."""
        ...

    async def purge(self, now: Instant, limit: int) -> int:
        """Forget up to `limit` that have been free since `now` or before; say how many."""
        ...
