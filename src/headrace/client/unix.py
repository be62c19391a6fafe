"""The worker's channel over a socket file of this machine: the same frames, behind their lengths.

Owns: one frame for all that is posted in a tick of the event loop, written without a task between.
Must never know: what the messages ask.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from headrace.client.target import UNREACHABLE
from headrace.errors import TooLarge, Unavailable
from headrace.wire import frames
from headrace.wire.channel import Hello, Operation, Push, apart, decode_pushes, encode

AHEAD = 256
"""How many unread frames are kept before the server has to wait."""


class UnixChannel(asyncio.Protocol):
    """One attached worker. When the connection breaks, `pushes` ends."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._rest = bytearray()
        self._frames: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._posted: list[Operation] = []
        self._is_held = False
        self._is_over = False

    # --- what the event loop calls ---------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Cut what arrives into frames."""
        self._rest += data
        start = 0
        try:
            while (begin := start + frames.PREFIX) <= len(self._rest):
                end = begin + frames.length_of(bytes(self._rest[start:begin]))
                if end > len(self._rest):
                    break
                self._frames.append(bytes(self._rest[begin:end]))
                start = end
        except TooLarge:
            self.close()
        if start:
            del self._rest[:start]
            self._news.set()
            self._hold()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - any end is an end
        """Let `pushes` end."""
        self._is_over = True
        self._news.set()

    # --- what the worker calls -------------------------------------------------------------------

    @property
    def pushes(self) -> AsyncIterator[Sequence[Push]]:
        """Batches from the server, in order; ends when the worker is detached."""
        return self._read()

    def post(self, operations: Sequence[Operation]) -> None:
        """Hand operations over, in order."""
        if not self._posted:
            self._loop.call_soon(self._flush)
        self._posted.extend(operations)

    def greet(self, hello: Hello) -> None:
        """Say who attaches."""
        self._write(encode(hello))

    def close(self) -> None:
        """End the connection; what was posted before still goes out."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        posted, self._posted = self._posted, []
        for part in apart(posted) if posted else ():
            self._write(encode(part))

    def _write(self, frame: bytes) -> None:
        # After the end nothing is written: what was not answered is posted again.
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frames.framed(frame))

    async def _read(self) -> AsyncGenerator[Sequence[Push]]:
        while True:
            while self._frames:
                frame = self._frames.popleft()
                self._hold()
                yield decode_pushes(frame)
            if self._is_over:
                return
            self._news.clear()
            await self._news.wait()

    def _hold(self) -> None:
        """Stop reading while the worker is behind."""
        held = len(self._frames) > AHEAD
        transport = self._transport
        if held != self._is_held and transport is not None and not transport.is_closing():
            self._is_held = held
            (transport.pause_reading if held else transport.resume_reading)()


@asynccontextmanager
async def attached(path: Path, hello: Hello) -> AsyncGenerator[UnixChannel]:
    """Attach a worker over the socket at `path`."""
    loop = asyncio.get_running_loop()
    try:
        _, channel = await loop.create_unix_connection(UnixChannel, str(path))
    except OSError as error:
        reason = error.strerror or "no connection"
        raise Unavailable(f"no answer from {path}: {reason}", hint=UNREACHABLE) from None
    channel.greet(hello)
    try:
        yield channel
    finally:
        channel.close()
