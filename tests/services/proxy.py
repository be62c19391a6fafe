"""A way to a server that can swallow its answers: what was sent arrives, and nobody hears of it.

Owns: the connections through it. Must never know: what they say.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress


class Proxy:
    """Passes bytes on, both ways, until told otherwise."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._writers = set[asyncio.StreamWriter]()
        self.port = 0
        self.mute = False
        """Whether answers are swallowed."""
        self.swallowed = asyncio.Event()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, far_writer}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._passed(reader, far_writer))
                group.create_task(self._passed(far_reader, writer, answers=True))
        finally:
            self._writers -= {writer, far_writer}
            writer.close()
            far_writer.close()

    async def _passed(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        has_gap = False
        with suppress(ConnectionError):
            while some := await reader.read(65_536):
                if not answers:
                    self.seen(writer, some)
                if answers and (self.mute or has_gap):
                    has_gap = True  # what follows on a gap is never delivered
                    self.swallowed.set()
                    continue
                writer.write(some)
                await writer.drain()
        writer.close()

    def seen(self, link: object, some: bytes) -> None:
        """Look at what a client says; `link` is the same for all of one connection."""

    def cut(self) -> None:
        """Break every connection, and let new ones through."""
        self.mute = False
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def proxy(port: int) -> AsyncGenerator[Proxy]:
    """Run one in front of a port of this machine."""
    one = Proxy(port)
    async with open_to_all(one):
        yield one


@asynccontextmanager
async def open_to_all(one: Proxy) -> AsyncGenerator[None]:
    """Let clients connect while the block lasts."""
    server = await asyncio.start_server(one.connected, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        server.close()
        one.cut()
