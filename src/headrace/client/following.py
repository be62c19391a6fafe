"""A stream of events that survives broken connections.

Owns: reopening where it stopped, and giving up. Must never know: what the events say.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from headrace.client.sse import Event, Parser
from headrace.client.transport import GONE, Call, Transport
from headrace.errors import Trouble, Unavailable

FIRST_S = 0.1
MOST_S = 5.0


class Following:
    """One subscription; `calls` gives the call that goes on from where it stands."""

    def __init__(self, http: Transport, calls: Callable[[], Call]) -> None:
        self._http, self._calls = http, calls

    async def events(self) -> AsyncGenerator[Event]:
        """Yield events until the server ends the stream cleanly, over as many connections."""
        failures, since = 0, time.monotonic()
        while True:
            try:
                async with aclosing(self._connection()) as events:
                    async for event in events:
                        failures, since = 0, time.monotonic()
                        yield event
                return
            except Trouble as error:
                failures += 1
                if time.monotonic() - since > self._http.target.patience.total_s:
                    raise
                await asyncio.sleep(_pause_s(failures, error, self._http.jitter()))

    async def _connection(self) -> AsyncGenerator[Event]:
        async with self._http.stream(self._calls()) as response:
            parser = Parser()
            chunks = response.content.iter_any()
            while True:
                try:
                    chunk = await anext(chunks)
                except StopAsyncIteration:
                    return
                except GONE as error:
                    raise self._http.unavailable(error) from None
                for event in parser.feed(chunk):
                    yield event


def _pause_s(failures: int, error: Trouble, jitter: float) -> float:
    """Return any part of a pause that grows: tries are not counted here.

    What the server has asked for is waited for in full, and somewhat longer.
    """
    asked = error.facts.get("retry_after") if not isinstance(error, Unavailable) else None
    pause = min(FIRST_S * 2.0 ** (failures - 1), MOST_S) * (1 - jitter)
    return max(pause, asked * (1 + jitter / 4)) if isinstance(asked, int | float) else pause
