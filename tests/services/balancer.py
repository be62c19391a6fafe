"""One address before several servers, as a balancer of TCP connections: each goes to the next one.

Owns: whose turn it is, who is asked whether he is well, and connections that were refused.
Must never know: what is said through it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import count

import anyio

LOOK_S = 0.1


class Balancer:
    """Servers are named by their ports; those that are not well come last."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.port = 0
        self.refused = 0
        """Connections that one server refused and another took."""
        self._well = set[int]()
        self._turns = count()
        self._writers = set[asyncio.StreamWriter]()
        self._is_quiet = asyncio.Event()

    def _in_turn(self) -> Sequence[int]:
        first = next(self._turns) % max(1, len(self.ports))
        turn = [*self.ports[first:], *self.ports[:first]]
        return sorted(turn, key=lambda port: port not in self._well)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        for port in self._in_turn():
            try:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                self.refused += 1
                continue
            self._writers |= {writer, far_writer}
            async with asyncio.TaskGroup() as group:
                group.create_task(_passed(reader, far_writer))
                group.create_task(_passed(far_reader, writer))
            await _closed(far_writer)
            self._writers -= {writer, far_writer}
            break
        await _closed(writer)
        self._is_quiet.set()

    async def look(self) -> None:
        """Ask all of them whether they are well, for ever."""
        while True:
            for port in tuple(self.ports):
                (self._well.add if await _is_well(port) else self._well.discard)(port)
            await asyncio.sleep(LOOK_S)

    async def end(self) -> None:
        """Break every connection; return once all of them are closed."""
        for writer in self._writers:
            writer.transport.abort()
        while self._writers:
            self._is_quiet.clear()
            await self._is_quiet.wait()


async def _passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while some := await reader.read(65_536):
            writer.write(some)
            await writer.drain()
    with suppress(OSError):
        writer.close()


async def _is_well(port: int) -> bool:
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
                answer = await reader.read()
            finally:
                writer.transport.abort()
                writer.close()
    except (OSError, TimeoutError):
        return False
    return b" 200 " in answer.partition(b"\r\n")[0]


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def balancer(*ports: int) -> AsyncGenerator[Balancer]:
    """Run one before these servers."""
    one = Balancer()
    one.ports += ports
    server = await asyncio.start_server(one.connected, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    async with anyio.create_task_group() as group:
        group.start_soon(one.look)
        try:
            yield one
        finally:
            group.cancel_scope.cancel()
            server.close()
            with anyio.CancelScope(shield=True):
                await one.end()
