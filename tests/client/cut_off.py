"""`python -m tests.client.cut_off`: a WebSocket whose requests get lost, in a network of its own.

Prints what its client notices, a line each; never ends while it notices nothing.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final

import aiohttp
from aiohttp import web

from headrace.app.system import SystemChance, wall_now
from headrace.backends.clocks import CarriedClock
from headrace.client import Target
from headrace.client.transport import Transport
from headrace.errors import Unavailable
from tests.chaos import apart

ADDRESS: Final = "127.0.0.2"
PATH: Final = "/link"


async def _serve(request: web.Request) -> web.WebSocketResponse:
    link = web.WebSocketResponse()
    await link.prepare(request)
    async for _ in link:
        await link.send_str("heard")
    return link


async def _speak(link: aiohttp.ClientWebSocketResponse) -> None:
    while not link.closed:
        await link.send_str("anybody?")
        await asyncio.sleep(0.2)


async def _until_lost(link: aiohttp.ClientWebSocketResponse) -> None:
    async with asyncio.TaskGroup() as group:
        speaking = group.create_task(_speak(link))
        async for _ in link:
            pass
        speaking.cancel()


def _tell(what: str) -> None:
    sys.stdout.write(f"{what}\n")


async def main() -> None:
    """Be connected, be cut off, knock in vain, be connected again."""
    app = web.Application()
    app.router.add_get(PATH, _serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, ADDRESS, 0)
    await site.start()
    port: int = runner.addresses[0][1]
    target = Target(f"http://{ADDRESS}:{port}", "a key")
    transport, wire = Transport(target, CarriedClock(wall_now()), SystemChance()), apart.Wire()
    async with transport.socket(PATH) as link:
        wire.drop_requests(ADDRESS, port)
        await _until_lost(link)
        _tell("lost")
    try:
        async with transport.socket(PATH):
            _tell("connected through nothing")
    except Unavailable as error:
        _tell(error.message)
    wire.mend()
    async with transport.socket(PATH):
        _tell("back")
    await transport.aclose()
    await runner.cleanup()


if __name__ == "__main__":
    apart.enter("tests.client.cut_off", sys.argv[1:])
    asyncio.run(main())
