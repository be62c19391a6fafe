"""The worker channel over a socket of this machine, for `dev`: no port, no key.

Who may open the file may work for the environment: its mode is 0600.
Must never know: HTTP.
"""

from __future__ import annotations

import asyncio
import socket
import stat
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, cast

import anyio
import anyio.abc
import structlog

from headrace.errors import Mistake, TooLarge
from headrace.ports import Api
from headrace.server.talk import Pipe, converse
from headrace.wire import frames

AHEAD: Final = 256
"""So many frames may wait; a worker that sends more is not read until they are taken."""


PAUSE_S: Final = 0.1
_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.server")


class FilePipe(asyncio.Protocol, Pipe):
    """Frames behind their lengths, without a task between the socket and whoever takes them."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._rest = bytearray()
        self._frames: deque[bytes] = deque()
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        self._is_over = self._is_held = False

    # --- what the event loop calls ---------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Cut what arrives into frames. Who announces too much is as good as gone."""
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
            self.abort()
        del self._rest[:start]
        self._news.set()
        self._hold()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - any end is an end
        """Tell whoever waits."""
        self._is_over = True
        self._news.set()
        self._room.set()

    def pause_writing(self) -> None:
        """Let the server wait until the worker has read."""
        self._room.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self._room.set()

    # --- what the conversation calls -------------------------------------------------------------

    async def get(self) -> bytes:
        """Return the next frame."""
        while not self._frames:
            if self._is_over:
                raise EOFError
            self._news.clear()
            await self._news.wait()
        frame = self._frames.popleft()
        self._hold()
        return frame

    async def put(self, frame: bytes) -> None:
        """Send a frame."""
        await self._room.wait()
        if self._is_over or self._transport is None:
            raise EOFError
        self._transport.write(frames.framed(frame))

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End the connection once everything is out."""
        if self._transport is not None:
            self._transport.close()

    def _hold(self) -> None:
        held, transport = len(self._frames) > AHEAD, self._transport
        if held != self._is_held and transport is not None and not transport.is_closing():
            self._is_held = held
            (transport.pause_reading if held else transport.resume_reading)()


@asynccontextmanager
async def serve_unix(path: Path, api: Api) -> AsyncGenerator[None]:
    """Serve the workers of one environment at `path` for as long as the context lasts."""
    listener = await anyio.to_thread.run_sync(_bound, path)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_accept, listener, api, group)
            yield
            group.cancel_scope.cancel()
    finally:
        listener.close()
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(_removed, path)


async def _accept(listener: socket.socket, api: Api, group: anyio.abc.TaskGroup) -> None:
    while True:
        # The loop's own `sock_accept` loses a connection that comes as it is cancelled.
        await anyio.wait_readable(listener)
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, ConnectionError):
            continue
        except OSError as error:
            _log.warning("a worker could not be let in", error=error.strerror)
            await anyio.sleep(PAUSE_S)
            continue
        connection.setblocking(False)
        group.start_soon(_talk, connection, api)


async def _talk(connection: socket.socket, api: Api) -> None:
    pipe = FilePipe()
    try:
        await asyncio.get_running_loop().connect_accepted_socket(lambda: pipe, connection)
        await converse(pipe, api)
    except BaseException:
        pipe.abort()
        connection.close()
        raise
    pipe.close()


def _bound(path: Path) -> socket.socket:
    """Bind the socket; nobody can connect before it listens, and by then its mode is set."""
    if path.exists():
        _make_room(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen()
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise Mistake(f"no socket can be made at {path}: {error.strerror or error}") from None
    return listener


def _make_room(path: Path) -> None:
    """Remove a socket that an ended server has left; refuse one that somebody listens on."""
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise Mistake(f"{path} is there and is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        else:
            raise Mistake(f"another server is listening at {path}")


def _removed(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
