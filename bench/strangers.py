"""Clients that nobody wants: slow to speak, or deaf.

Owns: how each of them behaves on a bare connection. Must never know: when it is cut.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

EVENTS: Final = "strangers"
"""The output stream that deaf readers ask for; it holds more than the system buffers."""
BUFFER: Final = 4_096
"""What a deaf reader lets its own system keep for it."""
IN_A_ROW: Final = 30
"""Large answers that one of them asks for at once."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where they go, whom they claim to be, the run they know, and how fast they drip."""

    host: str
    port: int
    key: str
    run: str
    pace_s: float

    @property
    def asks(self) -> bytes:
        """Return the fields of a request with a good key."""
        return f"host: x\r\nauthorization: Bearer {self.key}\r\n".encode()

    def post(self, *fields: bytes) -> bytes:
        """Return the head of a send."""
        path = f"/realtime/v1/streams/{self.run}/input/told".encode()
        lines = b"".join(field + b"\r\n" for field in fields)
        return b"POST " + path + b" HTTP/1.1\r\n" + self.asks + lines + b"\r\n"

    def get(self, path: str) -> bytes:
        """Return a request."""
        return f"GET {path} HTTP/1.1\r\n".encode() + self.asks + b"\r\n"


@dataclass(frozen=True, slots=True)
class Line:
    """A connection of one of them."""

    socket: socket.socket
    place: Place

    async def say(self, said: bytes) -> None:
        """Send at once."""
        await asyncio.get_running_loop().sock_sendall(self.socket, said)

    async def drip(self, part: bytes) -> None:
        """Send a little again and again, for ever."""
        while True:
            await self.say(part)
            await asyncio.sleep(self.place.pace_s)


async def _silent(_line: Line) -> None:
    """Say nothing at all."""


async def _head_stops(line: Line) -> None:
    await line.say(b"GET /health HTTP/1.1\r\nhost: ")


async def _head_drips(line: Line) -> None:
    await line.say(b"GET /health HTTP/1.1\r\nhost: ")
    await line.drip(b"x")


async def _body_stops(line: Line) -> None:
    await line.say(line.place.post(b"content-length: 100000") + b'{"data":')


async def _body_drips(line: Line) -> None:
    await line.say(line.place.post(b"content-length: 100000") + b'{"data":')
    await line.drip(b" ")


async def _chunks_drip(line: Line) -> None:
    await line.say(line.place.post(b"transfer-encoding: chunked"))
    await line.drip(b"1\r\n \r\n")


async def _events_unread(line: Line) -> None:
    await line.say(line.place.get(f"/realtime/v1/streams/{line.place.run}/{EVENTS}"))


async def _answers_unread(line: Line) -> None:
    await line.say(line.place.get(f"/api/v3/runs/{line.place.run}") * IN_A_ROW)


Behaviour = Callable[[Line], Coroutine[None, None, None]]
KINDS: Final[Mapping[str, Behaviour]] = {
    "say nothing": _silent,
    "stop within the head": _head_stops,
    "drip the head": _head_drips,
    "stop within the body": _body_stops,
    "drip the body": _body_drips,
    "drip the body in chunks": _chunks_drip,
    "read no events": _events_unread,
    "read no answers": _answers_unread,
}


async def visit(kind: str, place: Place, came: Callable[[int], None]) -> None:
    """Behave like that until cancelled; say from which port."""
    with socket.socket() as bare:
        bare.setblocking(False)
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        await asyncio.get_running_loop().sock_connect(bare, (place.host, place.port))
        with suppress(ConnectionError):
            came(bare.getsockname()[1])
            await KINDS[kind](Line(bare, place))
        await asyncio.Event().wait()
