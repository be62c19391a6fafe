"""A connection whose answers may be held, and that tells whoever holds one when nobody waits.

Owns: who is told, and when. Must never know: what is held, or how requests arrive.
"""

from __future__ import annotations

from collections.abc import Callable

from headrace.server.taking import Taken


class Holding(Taken):
    """Tells a held answer to end."""

    _leave: Callable[[], None] | None = None
    """What the answer that is held wants to do once nobody waits for it."""
    _is_ending = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell it: nobody is there."""
        self._left()
        super().connection_lost(exc)
        # They know this object, and it knows them: only a search for garbage would free them.
        self.scope = self.cycle = None  # type: ignore[assignment]  # as before the first request
        self.pipeline.clear()

    def on_response_complete(self) -> None:
        """Forget who held the answer; the next request in the row may hold its own."""
        self._leave = None
        super().on_response_complete()

    def shutdown(self) -> None:
        """Tell it: the server stops."""
        self._is_ending = True
        self._left()
        super().shutdown()

    def on_leaving(self, end: Callable[[], None]) -> None:
        """Have `end` called, now if nobody waits any more."""
        if self._is_ending or self.transport.is_closing():
            end()
        else:
            self._leave = end

    def _left(self) -> None:
        if self._leave is not None:
            self._leave()
            self._leave = None
