"""One HTTP session per event loop, closed when its loop ends.

Owns: the life of connections. Must never know: what is said over them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

import aiohttp

from headrace.client.target import Target

KNOCK_S: Final = 1.5
"""So long a WebSocket waits for its connection. A lost SYN is repeated after 1 s, then ever later:
who begins anew is there sooner when the way is whole again."""


class Sessions:
    """The sessions of one client; it may be used from several event loops."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._lives: dict[asyncio.AbstractEventLoop, AsyncGenerator[aiohttp.ClientSession]] = {}
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}

    async def current(self) -> aiohttp.ClientSession:
        """Return the session of the running loop."""
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None or session.closed:
            self._forget_ended()
            # A loop that ends closes the async generators that were started on it
            # (`shutdown_asyncgens`): that is the only hook it offers, so the session lives in one.
            life = self._life()
            session = await anext(life)
            self._lives[loop], self._sessions[loop] = life, session
        return session

    async def aclose(self) -> None:
        """Close the session of the running loop before the loop ends."""
        loop = asyncio.get_running_loop()
        self._sessions.pop(loop, None)
        life = self._lives.pop(loop, None)
        if life is not None:
            await life.aclose()

    async def _life(self) -> AsyncGenerator[aiohttp.ClientSession]:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            # Of WebSockets: whatever else is asked brings its own.
            timeout=aiohttp.ClientTimeout(
                total=self._target.patience.answer_s, sock_connect=KNOCK_S
            ),
            headers={"authorization": f"Bearer {self._target.key}"},
            # A key is never sent to where a redirect or the environment's proxy would take it.
            trust_env=False,
        ) as session:
            yield session

    def _forget_ended(self) -> None:
        for loop in [loop for loop in list(self._lives) if loop.is_closed()]:
            del self._lives[loop], self._sessions[loop]
