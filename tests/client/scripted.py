"""A server that answers what the test says, in turn, and notes what it was asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from headrace.client import Client, Patience, Target, open_client
from headrace.testing.clock import ManualClock

KEY = "tr_dev_canary"  # must never be seen anywhere
Asked = tuple[str, str, dict[str, str]]
Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]
HASTY = Patience(first_s=0.001, most_s=0.002, total_s=5.0, answer_s=2.0)


class Counting:
    """Chance that counts: the same at every run of a test."""

    def __init__(self) -> None:
        self._next = 0

    def jitter(self) -> float:
        return 0.0

    def unique(self, size: int) -> bytes:
        self._next += 1
        return self._next.to_bytes(size)


@dataclass(slots=True)
class Script:
    """What will be answered, and what was asked."""

    replies: list[Reply]
    asked: list[Asked] = field(default_factory=list[Asked])
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Give the next reply."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.method, request.raw_path, headers))
        return await self.replies.pop(0)(request)

    def header(self, name: str) -> list[str]:
        """Return the header of every request, empty where it had none."""
        return [headers.get(name, "") for _, _, headers in self.asked]


def said(status: int, body: str = "{}", **headers: str) -> Reply:
    """Answer with this."""

    async def reply(_: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=body, headers=named)

    return reply


def streamed(*chunks: bytes, broken: bool = False) -> Reply:
    """Answer with a stream of events; `broken` cuts the connection instead of ending it."""

    async def reply(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        if broken and request.transport is not None:
            request.transport.close()  # not `abort`: it would take back what was sent
        return response

    return reply


async def cut(request: web.Request) -> web.StreamResponse:
    """Cut the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@asynccontextmanager
async def serving(*replies: Reply) -> AsyncGenerator[Script]:
    """Run the server on a free port."""
    script = Script(list(replies))
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", script.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        script.url = f"http://{host}:{port}"
        yield script
    finally:
        await runner.cleanup()


@asynccontextmanager
async def asking(script: Script, patience: Patience = HASTY) -> AsyncGenerator[Client]:
    """Give a client of it."""
    target = Target(script.url, KEY, patience=patience)
    async with open_client(target, ManualClock(), Counting()) as client:
        yield client
