"""The use cases that change what is known of a run from outside, as a Protocol."""

from __future__ import annotations

from typing import Protocol

from headrace.wire.changes import Amendment, ReplayOrder
from headrace.wire.views import RunView, Triggered


class ChangesApi(Protocol):
    """Replay, reschedule, tag; read and change metadata; free idempotency keys."""

    async def replay(self, run_id: str, order: ReplayOrder, *, request_key: str = "") -> Triggered:
        """Start another run with what this one was started with, but for what `order` says."""
        ...

    async def reschedule(self, run_id: str, delay: str | float) -> RunView:
        """Have a delayed run begin at another time; `BadRequest` if it is not delayed."""
        ...

    async def tag(self, run_id: str, tags: tuple[str, ...]) -> tuple[str, ...]:
        """Add tags to the run, all or none; return those that it has now."""
        ...

    async def metadata(self, run_id: str) -> bytes:
        """Return the run's metadata: a JSON object."""
        ...

    async def amend(self, run_id: str, amendment: Amendment, *, request_key: str = "") -> bytes:
        """Change the metadata of the run, its parent and its root; return that of the run."""
        ...

    async def free_key(self, task: str, key: str) -> None:
        """Let an idempotency key of `task` be used again; `NotFound` if no run stands under it."""
        ...
