"""The worker channel, whatever carries its frames.

Owns: the hello, frames in and out, and how a conversation ends.
Must never know: sockets, what an operation does.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from enum import Enum
from typing import Final, Protocol, TypeVar

import anyio
import msgspec
import structlog

from headrace.errors import HeadraceError
from headrace.ports import Api, Channel
from headrace.wire.channel import apart, decode_hello, decode_operations, encode

T = TypeVar("T")
HELLO_S: Final = 15.0
_log: structlog.stdlib.BoundLogger = structlog.get_logger("headrace.server")


class Ended(Enum):
    """Why a conversation is over, in words for the peer."""

    GONE = "the worker went away"
    DETACHED = "the server has ended the attachment"
    MALFORMED = "that was no frame of the channel"
    FAILED = "the server failed; come back"


class Pipe(Protocol):
    """Frames to and from one worker; both raise `EOFError` once it is gone."""

    async def get(self) -> bytes:
        """Return the next frame."""
        ...

    async def put(self, frame: bytes) -> None:
        """Send a frame."""
        ...


class _Malformed(Exception):
    """Not a frame of the channel."""


async def converse(pipe: Pipe, api: Api) -> Ended:
    """Serve one worker until either side ends it."""
    try:
        with anyio.fail_after(HELLO_S):
            hello = _decoded(decode_hello, await pipe.get())
        async with api.attach(hello) as channel:
            return await _exchange(pipe, channel)
    except (EOFError, TimeoutError):
        return Ended.GONE
    except _Malformed:
        return Ended.MALFORMED
    except HeadraceError as error:
        _log.warning("a worker could not be served", code=error.code, error=error.message)
        return Ended.FAILED
    except Exception as error:  # noqa: BLE001 - one worker's trouble is not that of the others
        trace = "".join(traceback.format_exception(error))
        _log.error("serving a worker failed", trace=trace)
        return Ended.FAILED


async def _exchange(pipe: Pipe, channel: Channel) -> Ended:
    ended = Ended.DETACHED
    async with anyio.create_task_group() as group:

        async def listen() -> None:
            nonlocal ended
            ended = await _listen(pipe, channel)
            group.cancel_scope.cancel()

        group.start_soon(listen)
        gone = await _tell(pipe, channel)
        ended = gone or ended
        group.cancel_scope.cancel()
    return ended


async def _listen(pipe: Pipe, channel: Channel) -> Ended:
    try:
        while True:
            channel.post(_decoded(decode_operations, await pipe.get()))
    except EOFError:
        return Ended.GONE
    except _Malformed:
        return Ended.MALFORMED


async def _tell(pipe: Pipe, channel: Channel) -> Ended | None:
    try:
        async for pushes in channel.pushes:
            for part in apart(pushes):
                await pipe.put(encode(part))
    except EOFError:
        return Ended.GONE
    return None


def _decoded(decode: Callable[[bytes], T], frame: bytes) -> T:
    try:
        return decode(frame)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise _Malformed from None
