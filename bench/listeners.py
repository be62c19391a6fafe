"""Subscriptions as bare sockets: held questions of the shape protocol, and streams of events.

Owns: the bytes of requests and answers, and the moment at which a mark arrived.
Must never know: who sends marks, or how many there should be.
"""

from __future__ import annotations

import asyncio
import re
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Final, TypeAlias, cast

from headrace.wire import http, shapes

MARK: Final = re.compile(rb"mark-[0-9]{7}")
"""In whatever a message holds; letters and digits look the same in every framing."""
LONGEST: Final = len("mark-0000000")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: ([0-9]+)\r\n")
_HANDLE: Final = re.compile(f"\r\n{shapes.HANDLE}: ([^\r]+)\r\n".encode())
_OFFSET: Final = re.compile(f"\r\n{shapes.OFFSET}: ([^\r]+)\r\n".encode())
_OK: Final = b"HTTP/1.1 200 "

Hear: TypeAlias = "Callable[[Listener, bytes, int], None]"


class Listener(asyncio.Protocol):
    """One subscription, on a connection of its own."""

    __slots__ = ("_hear", "_key", "_path", "_rest", "_transport", "broke", "follows")

    def __init__(self, path: str, key: str, hear: Hear) -> None:
        self._path, self._key, self._hear = path, key, hear
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        loop = asyncio.get_running_loop()
        self.follows: asyncio.Future[None] = loop.create_future()
        """Done once nothing that happens from now on can be missed."""
        self.broke = ""
        """Why it has ended, if nobody here has ended it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are of no such class
        self.begin()

    @abstractmethod
    def begin(self) -> None:
        """Ask for the first time."""

    def ask(self, query: str = "", fields: str = "") -> None:
        """Send a request."""
        if self._transport is not None:
            head = f"GET {self._path}{query} HTTP/1.1\r\nhost: x\r\n"
            head += f"authorization: Bearer {self._key}\r\n{fields}\r\n"
            self._transport.write(head.encode())

    def heard(self, said: bytes, at: int) -> None:
        """Note the marks in what has come."""
        for mark in MARK.findall(said):
            self._hear(self, mark, at)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note who has ended it."""
        if self._transport is not None:
            self.fail(f"the server has closed the connection: {exc}")

    def fail(self, why: str) -> None:
        """Give up."""
        self.broke = self.broke or why
        if not self.follows.done():
            self.follows.set_exception(AssertionError(why))
        self.close()

    def close(self) -> None:
        """Go away, without a word."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()


class Poll(Listener):
    """Asks what becomes of runs, and again whenever it is answered."""

    __slots__ = ("_mark",)

    def __init__(self, path: str, key: str, hear: Hear) -> None:
        super().__init__(path, key, hear)
        self._mark = "&" if "?" in path else "?"

    def begin(self) -> None:
        """Ask for all there is."""
        self.ask(f"{self._mark}log=full&offset=-1")

    def data_received(self, data: bytes) -> None:
        """Take an answer, and ask for what comes behind it."""
        at = time.monotonic_ns()
        self._rest += data
        head, found, body = self._rest.partition(b"\r\n\r\n")
        if not found:
            return
        length = _LENGTH.search(head + b"\r\n")
        if not head.startswith(_OK) or length is None:
            self.fail(self._rest[:500].decode("utf-8", "replace"))
        elif len(body) >= int(length[1]):
            self._rest = b""
            self.heard(body, at)
            self._go_on(head + b"\r\n")

    def _go_on(self, head: bytes) -> None:
        handle, offset = _HANDLE.search(head), _OFFSET.search(head)
        if handle is None or offset is None:
            self.fail(head.decode())
            return
        there, place = handle[1].decode(), offset[1].decode()
        self.ask(f"{self._mark}cursor={place}&handle={there}&live=true&log=full&offset={place}")
        if not self.follows.done():
            self.follows.set_result(None)


class Stream(Listener):
    """Reads a stream of events."""

    __slots__ = ()

    def begin(self) -> None:
        """Ask for what comes from now on."""
        self.ask(fields=f"accept: text/event-stream\r\n{http.STREAM_START}: latest\r\n")

    def data_received(self, data: bytes) -> None:
        """Look for marks, wherever the network has cut them."""
        at = time.monotonic_ns()
        said = self._rest + data
        self.heard(said, at)
        self._rest = said[1 - LONGEST :]
        if not self.follows.done():
            if not data.startswith(_OK):
                self.fail(data[:500].decode("utf-8", "replace"))
            else:
                self.follows.set_result(None)
