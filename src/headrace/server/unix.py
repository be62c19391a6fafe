"""The worker channel over a socket of this machine, for `dev`: no port, no key.

Who may open the file may work for the environment: its mode is 0600.
Must never know: HTTP.
"""

from __future__ import annotations

import asyncio
import socket
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import anyio

from headrace.errors import Mistake, TooLarge
from headrace.ports import Api
from headrace.server.talk import Pipe, converse
from headrace.wire import frames

_LIMIT: Final = 1_048_576


class StreamPipe(Pipe):
    """Frames behind their lengths, on a byte stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def get(self) -> bytes:
        """Return the next frame. A peer that announces too much is as good as gone."""
        try:
            prefix = await self._reader.readexactly(frames.PREFIX)
            return await self._reader.readexactly(frames.length_of(prefix))
        except (OSError, TooLarge):
            raise EOFError from None

    async def put(self, frame: bytes) -> None:
        """Send a frame."""
        try:
            self._writer.write(frames.framed(frame))
            await self._writer.drain()
        except OSError:
            raise EOFError from None


@asynccontextmanager
async def serve_unix(path: Path, api: Api) -> AsyncGenerator[None]:
    """Serve the workers of one environment at `path` for as long as the context lasts."""
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The library makes a task of this; it is held to be ended with the context.
        if (task := asyncio.current_task()) is not None:
            talks.add(task)
            task.add_done_callback(talks.discard)
        try:
            await converse(StreamPipe(reader, writer), api)
        finally:
            writer.close()

    listener = await anyio.to_thread.run_sync(_bound, path)
    server = await asyncio.start_unix_server(talk, sock=listener, limit=_LIMIT)
    try:
        yield
    finally:
        server.close()
        for task in tuple(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await anyio.to_thread.run_sync(_removed, path)


def _bound(path: Path) -> socket.socket:
    """Bind the socket; nobody can connect before it listens, and by then its mode is set."""
    if path.exists():
        _make_room(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
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
