"""Run the door on a port.

Owns: how the server is set up, started and ended. Must never know: routes.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncGenerator, Generator
from typing import Final

import anyio
import uvicorn
from starlette.types import ASGIApp

from headrace.errors import Mistake
from headrace.server import taking
from headrace.server.protocol import Guarded
from headrace.wire import frames

DRAIN_S: Final = 9
"""So long may answers take that were asked for before the end."""
BACKLOG: Final = 2_048


class _Server(uvicorn.Server):
    """Started and ended from outside; signals are nobody's business here, and nothing ticks."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self.leaving = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def main_loop(self) -> None:
        await self.leaving.wait()


@contextlib.asynccontextmanager
async def serve(
    app: ASGIApp, *, host: str = "127.0.0.1", port: int = 8700, is_key_given: bool = False
) -> AsyncGenerator[int]:
    """Serve `app` for as long as the context lasts; give the port, which may have been 0.

    `is_key_given` says that somebody chose the secret key: without that, only this machine is
    served, since whoever set it up may not know that there is a key to keep.
    """
    if not is_key_given and not _is_loopback(host):
        raise Mistake(
            f"will not listen on {host} with a key that nobody chose",
            hint="set HEADRACE_SECRET_KEY, or listen on 127.0.0.1",
        )
    listener = await anyio.to_thread.run_sync(_bound, host, port)
    server = _Server(_config(app))
    async with anyio.create_task_group() as group:
        group.start_soon(server.serve, [listener])
        try:
            await server.listening.wait()
            yield listener.getsockname()[1]
        finally:
            server.leaving.set()


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=Guarded,
        ws="websockets-sansio",
        ws_max_size=frames.MOST,
        ws_per_message_deflate=False,
        lifespan="off",
        interface="asgi3",
        log_config=None,
        # What it would say, the door says itself.
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=taking.LOOK_S,
        timeout_graceful_shutdown=DRAIN_S,
        backlog=BACKLOG,
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bound(host: str, port: int) -> socket.socket:
    """Bind the port before anything is started, so that a taken one is a plain mistake."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise Mistake(
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            hint="another program may have the port: choose one with --port, or end the other",
        ) from None
    return listener
