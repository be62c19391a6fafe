"""A stand-in for Redis, for what a real one cannot be made to do at will. It keeps nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

TOLD = b"redis_version:7.2.4\r\nvalkey_version:9.0.0\r\nmaxmemory_policy:noeviction\r\n"
OK, PONG = b"+OK\r\n", b"+PONG\r\n"
INFO = b"$%d\r\n%s\r\n" % (len(TOLD), TOLD)

Answer = Callable[[bytes], bytes | None]
"""What to answer to a command; None: as usual."""


def usual(command: bytes) -> bytes:
    """Answer as an empty Redis does, to what a connection begins with."""
    if b"PING" in command:
        return PONG
    return INFO if b"INFO" in command else OK


@asynccontextmanager
async def standing_in(answer: Answer) -> AsyncGenerator[str]:
    """Answer each command; yield the URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while command := await reader.read(65_536):
            said = answer(command)
            writer.write(usual(command) if said is None else said)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
