"""Routes for workers: declaring tasks and streams, and the door to the channel.

Owns: the form in which declarations come. Must never know: what an operation does.
"""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from headrace.errors import BadRequest, NotFound, TooLarge
from headrace.ports import Api
from headrace.server.bodies import read_as
from headrace.server.calls import Answer, Call
from headrace.server.policy import AdminKey
from headrace.server.routes import Route
from headrace.server.talk import Ended, Pipe, converse
from headrace.wire.registration import Registration

WORKER: Final = "/api/headrace/v1/worker"
REGISTRATIONS: Final = "/api/headrace/v1/registrations"
_MOST: Final = 8 * 1_048_576
_encode: Final = msgspec.json.Encoder().encode
_CODES: Final = {Ended.GONE: 1000, Ended.DETACHED: 1001, Ended.MALFORMED: 1007, Ended.FAILED: 1011}


class _Ok(msgspec.Struct, frozen=True):
    ok: bool = True


async def register(call: Call) -> Answer:
    """Declare tasks and streams, durably."""
    await call.api.register(read_as(Registration, await call.body(_MOST)))
    return Answer(_encode(_Ok()))


async def listing(call: Call) -> Answer:
    """Show what all workers of the environment have declared."""
    found = await call.api.listing()
    if found is None:
        raise NotFound("nothing has been declared in this environment")
    return Answer(_encode(found))


async def not_here(_: Call) -> Answer:
    """Say that this is no ordinary route."""
    raise BadRequest("this is a WebSocket; ask for an upgrade")


class SocketPipe(Pipe):
    """Frames over a WebSocket, one a message."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def get(self) -> bytes:
        """Return the next message; text is not one."""
        try:
            return await self._socket.receive_bytes()
        except WebSocketDisconnect:
            raise EOFError from None
        except KeyError:
            return b""

    async def put(self, frame: bytes) -> None:
        """Send a message."""
        try:
            await self._socket.send_bytes(frame)
        except (WebSocketDisconnect, RuntimeError, OSError):
            raise EOFError from None


async def serve_worker(socket: WebSocket, api: Api) -> None:
    """Accept the WebSocket and serve one worker over it."""
    await socket.accept()
    ended = await converse(SocketPipe(socket), api)
    if ended is not Ended.GONE:
        await socket.close(_CODES[ended], ended.value)


ROUTES: Final = [
    Route(
        method="POST",
        path=REGISTRATIONS,
        policy=AdminKey(),
        handler=register,
        summary="Declare the tasks and streams of a worker's version. Schemas are base64.",
        takes=Registration,
        gives=_Ok,
        errors=(BadRequest, TooLarge),
    ),
    Route(
        method="GET",
        path=REGISTRATIONS,
        policy=AdminKey(),
        handler=listing,
        summary="Show what all workers have declared.",
        gives=Registration,
        errors=(NotFound,),
    ),
    Route(
        method="GET",
        path=WORKER,
        policy=AdminKey(),
        handler=not_here,
        summary="The worker channel, a WebSocket of msgpack frames.",
        kind="socket",
        status=101,
        errors=(BadRequest,),
    ),
]
