"""A stream of events on its way out.

Owns: headers at once, batches of what is there, pings in silence, and the end: a stream is closed
cleanly only if it is whole, since clients come back only to one that broke.
Must never know: what the events say.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

import anyio
from starlette.types import Receive, Send

from headrace.server.calls import Events

PING_S: Final = 8.0
MOST: Final = 100
"""The most events of one batch: a reader that is cut off within it gets all of it again."""
MOST_BYTES: Final = 262_144


class Box:
    """What has come and is not sent yet; whoever fills it waits while it is full."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._size = 0
        self._over: Exception | bool = False
        self._news, self._room = anyio.Event(), anyio.Event()

    async def put(self, event: bytes) -> None:
        """Add an event once there is room."""
        while len(self._waiting) >= MOST or self._size >= MOST_BYTES:
            self._room = anyio.Event()
            await self._room.wait()
        self._waiting.append(event)
        self._size += len(event)
        self._news.set()

    def close(self, reason: Exception | None = None) -> None:
        """Say that no more will come, or why."""
        self._over = reason or True
        self._news.set()

    async def take(self) -> Sequence[bytes]:
        """Return what is there, at least one; nothing at the end. Raise why it broke."""
        if not self._waiting and not self._over:
            self._news = anyio.Event()
            await self._news.wait()
        taken, self._waiting, self._size = self._waiting, [], 0
        self._room.set()
        if not taken and isinstance(self._over, Exception):
            raise self._over
        return taken


async def stream(events: Events, receive: Receive, send: Send) -> None:
    """Send what comes until it ends, nobody listens, or nothing came for too long."""
    box, failure = Box(), None
    async with anyio.create_task_group() as group:
        group.start_soon(_until_gone, receive, group.cancel_scope)
        group.start_soon(_fill, box, events)
        failure = await _write(box, events, send)
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def _fill(box: Box, events: Events) -> None:
    try:
        async with aclosing(events.source) as source:
            async for event in source:
                await box.put(event)
    except Exception as error:  # noqa: BLE001 - raised by whoever takes
        box.close(error)
    else:
        box.close()


async def _write(box: Box, events: Events, send: Send) -> Exception | None:
    """Send batches and pings; return why it broke, or end the body."""
    heard = anyio.current_time()
    while True:
        batch: Sequence[bytes] | None = None
        left = PING_S
        if events.silence_s is not None:
            left = min(left, heard + events.silence_s - anyio.current_time())
        try:
            with anyio.move_on_after(max(left, 0)):
                batch = await box.take()
        except Exception as error:  # noqa: BLE001 - the response has begun: only breaking it tells
            return error
        if batch:
            heard = anyio.current_time()
            await _send(send, events.render(batch))
        elif batch is not None or _silent(heard, events.silence_s):
            await send({"type": "http.response.body", "body": b""})
            return None
        else:
            await _send(send, _ping())


def _silent(heard: float, silence_s: float | None) -> bool:
    return silence_s is not None and anyio.current_time() - heard >= silence_s


def _ping() -> bytes:
    return b"event: ping\ndata: {}\n\n"


async def _send(send: Send, text: bytes) -> None:
    await send({"type": "http.response.body", "body": text, "more_body": True})
