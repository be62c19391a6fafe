"""Who wants to know that something about a run has changed: a hint, never the news itself."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from headrace.kernel.model import RunId

RECHECK_S = 2.0
"""How late a listener may be when a hint was lost (law 9)."""


class Bells:
    """One bell per run and listener."""

    def __init__(self) -> None:
        self._bells: dict[RunId, set[asyncio.Event]] = {}

    @property
    def count(self) -> int:
        """Return how many listeners there are."""
        return sum(len(listeners) for listeners in self._bells.values())

    @contextmanager
    def bell(self, run_id: RunId) -> Generator[asyncio.Event]:
        """Yield an event that is set whenever the run may have changed; clear it before reading."""
        event = asyncio.Event()
        listeners = self._bells.setdefault(run_id, set())
        listeners.add(event)
        try:
            yield event
        finally:
            listeners.discard(event)
            if not listeners and self._bells.get(run_id) is listeners:
                del self._bells[run_id]

    def ring(self, run_id: RunId) -> None:
        """Tell everybody who listens to the run."""
        for event in self._bells.get(run_id, ()):
            event.set()


async def rung(bell: asyncio.Event) -> None:
    """Return when the bell rings, or after `RECHECK_S` in case a hint was lost."""
    try:
        async with asyncio.timeout(RECHECK_S):
            await bell.wait()
    except TimeoutError:
        return
