"""The worker's channel over a socket: frames out, frames in.

Owns: one frame for all that is posted in a tick. Must never know: what the messages ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import aiohttp

from headrace.wire.channel import Operation, Push, apart, decode_pushes, encode


class SocketChannel:
    """One attached worker. When the connection breaks, `pushes` ends."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._posted: list[Operation] = []
        self._news = asyncio.Event()

    @property
    def pushes(self) -> AsyncIterator[Sequence[Push]]:
        """Batches from the server, in order; ends when the worker is detached."""
        return self._read()

    def post(self, operations: Sequence[Operation]) -> None:
        """Hand operations over, in order."""
        self._posted.extend(operations)
        self._news.set()

    async def _read(self) -> AsyncGenerator[Sequence[Push]]:
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                yield decode_pushes(message.data)

    async def write(self) -> None:
        """Send what is posted, until the connection breaks."""
        while True:
            await self._news.wait()
            self._news.clear()
            posted, self._posted = self._posted, []
            try:
                for part in apart(posted):
                    await self._socket.send_bytes(encode(part))
            except (aiohttp.ClientError, ConnectionError):
                return  # the reader sees the end; what was not answered is posted again
