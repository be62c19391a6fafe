"""The `WorkApi` over HTTP, and a socket for what is pushed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio
import msgspec

from headrace.client import unix
from headrace.client.channel import SocketChannel
from headrace.client.transport import Call, Transport
from headrace.errors import NotFound
from headrace.ports import Channel
from headrace.wire.channel import Hello, encode
from headrace.wire.registration import Registration

REGISTRATIONS = "/api/headrace/v1/registrations"
WORKER = "/api/headrace/v1/worker"


class WorkClient:
    """What a worker needs of a server elsewhere."""

    def __init__(self, transport: Transport) -> None:
        self._http = transport

    async def register(self, registration: Registration) -> None:
        """Declare tasks and streams, durably."""
        await self._http.call(Call("POST", REGISTRATIONS, msgspec.json.encode(registration)))

    async def listing(self) -> Registration | None:
        """Return what all workers of the environment have declared."""
        try:
            answer = await self._http.call(Call("GET", REGISTRATIONS))
        except NotFound:
            return None
        return answer.parse(Registration)

    def attach(self, hello: Hello) -> AbstractAsyncContextManager[Channel]:
        """Take work until the connection ends: over the server's socket file, if it has one."""
        socket = self._http.target.socket
        return self._attached(hello) if socket is None else unix.attached(socket, hello)

    @asynccontextmanager
    async def _attached(self, hello: Hello) -> AsyncGenerator[Channel]:
        failure: BaseException | None = None
        async with self._http.socket(WORKER) as socket:
            await socket.send_bytes(encode(hello))
            channel = SocketChannel(socket)
            async with anyio.create_task_group() as group:
                group.start_soon(channel.write)
                try:
                    yield channel
                except Exception as error:  # noqa: BLE001 - told on, not wrapped in a group
                    failure = error
                group.cancel_scope.cancel()
        if failure is not None:
            raise failure
