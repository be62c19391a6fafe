"""A bare connection to the server, for what no client library would say."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from tests.server.house import KEY, PATIENCE_S, House

ASKS = f"authorization: Bearer {KEY}\r\nhost: x\r\n".encode()


@dataclass(frozen=True, slots=True)
class Wire:
    """A bare connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, *parts: bytes) -> None:
        """Send, piece by piece."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def drip(self, said: bytes, every_s: float) -> None:
        """Send byte by byte."""
        for byte in said:
            await anyio.sleep(every_s)
            await self.say(bytes([byte]))

    async def hear(self) -> tuple[int, dict[str, str], bytes]:
        """Return one answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status = int(head.split(" ")[1])
        headers = {
            name.lower(): value
            for name, value in re.findall(r"^([^:\r\n]+): (.*)\r$", head, re.MULTILINE)
        }
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return status, headers, body

    async def is_closed(self) -> bool:
        """Wait for the end of the connection."""
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True


@asynccontextmanager
async def wire(home: House) -> AsyncGenerator[Wire]:
    """Connect."""
    with anyio.fail_after(PATIENCE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        try:
            yield Wire(reader, writer)
        finally:
            writer.transport.abort()
