"""A connection whose answers are taken, or that is cut.

Owns: how long whoever is answered may take nothing, and how long a connection may be idle.
Must never know: what is answered, or requests.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TAKEN_S: Final = 12.0
"""So long may whoever is answered take nothing, or hardly anything, of what waits for him.

It counts once the buffers of the system are full; filling them takes a while of its own.
"""
TAKEN_LEAST: Final = 65_536
"""He is slow but not deaf if he takes so much of it in that time."""
LOOK_S: Final = 15
"""So often is a connection looked at between requests."""
KEEP_ALIVE_S: Final = 75.0
"""So long may a connection be idle between requests."""


class Taken(HttpToolsProtocol):
    """Cuts off whoever does not read."""

    _untaken: asyncio.TimerHandle | None = None
    _waiting = 0
    """What waited to be taken when somebody looked last."""
    _idle_s = 0.0

    def pause_writing(self) -> None:
        """Begin to wait: more is written than is taken."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Go on: enough was taken."""
        self._taken()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing."""
        self._taken()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """See to it that the end of a last answer is taken, too."""
        self._idle_s = 0.0
        super().on_response_complete()
        if self.transport.is_closing() and self._untaken is None:
            self._watch()

    def close(self) -> None:
        """Close the connection once all is taken, if it is."""
        self.transport.close()
        if self._untaken is None:
            self._watch()

    def timeout_keep_alive_handler(self) -> None:
        """Cut whoever has not taken the answer; close what has been idle for too long."""
        self._idle_s += self.timeout_keep_alive
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        elif self._idle_s >= KEEP_ALIVE_S:
            super().timeout_keep_alive_handler()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _watch(self) -> None:
        self._taken()
        self._waiting = self.transport.get_write_buffer_size()
        self._untaken = self.loop.call_later(TAKEN_S, self._look)

    def _look(self) -> None:
        taken = self._waiting - self.transport.get_write_buffer_size()
        if taken < TAKEN_LEAST:
            self.transport.abort()
        else:
            self._watch()

    def _taken(self) -> None:
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None
