"""A connection whose answers are taken, or that is cut.

Owns: how long whoever is answered may take nothing. Must never know: what is answered, or requests.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TAKEN_S: Final = 15.0
"""So long may whoever is answered take nothing of what waits for him."""


class Taken(HttpToolsProtocol):
    """Cuts off whoever does not read."""

    _untaken: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """Begin to wait: more is written than is taken."""
        super().pause_writing()
        self._taken()
        self._untaken = self.loop.call_later(TAKEN_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: enough was taken."""
        self._taken()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing."""
        self._taken()
        super().connection_lost(exc)

    def _taken(self) -> None:
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None
