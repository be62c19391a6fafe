"""A stream of events on its way out.

Owns: headers at once, batches of what is there, pings in silence, and the end: a stream is closed
cleanly only if it is whole, since clients come back only to one that broke.
Rule: a stream costs its request's task and one that fills its box; thousands are open at once.
Must never know: what the events say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

from starlette.types import Receive, Scope, Send

from headrace.server.calls import Events, when_leaving

PING_S: Final = 8.0
MOST: Final = 100
"""The most events of one batch: a reader that is cut off within it gets all of it again."""
MOST_BYTES: Final = 262_144


class Box:
    """What has come and is not sent yet; whoever fills it waits while it is full."""

    __slots__ = ("_news", "_room", "_size", "_waiting", "failure", "is_left", "is_over")

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._size = 0
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self.is_over = False
        """No more will come."""
        self.is_left = False
        """Nobody waits for it any more."""
        self.failure: Exception | None = None
        """Why no more will come, if that is not the end."""

    async def put(self, event: bytes) -> None:
        """Add an event once there is room."""
        while len(self._waiting) >= MOST or self._size >= MOST_BYTES:
            self._room.clear()
            await self._room.wait()
        self._waiting.append(event)
        self._size += len(event)
        self._news.set()

    def close(self, failure: Exception | None = None) -> None:
        """Say that no more will come, or why."""
        self.is_over, self.failure = True, failure
        self._news.set()

    def leave(self) -> None:
        """Say that nobody waits for it any more."""
        self.is_left = True
        self._news.set()

    async def take(self, within_s: float) -> Sequence[bytes]:
        """Return what is there; nothing at the end, or where nothing has come in time."""
        if not (self._waiting or self.is_over or self.is_left):
            self._news.clear()
            # No timeout: it would raise an error for each ping of each stream.
            timer = asyncio.get_running_loop().call_later(max(within_s, 0), self._news.set)
            try:
                await self._news.wait()
            finally:
                timer.cancel()
        taken, self._waiting, self._size = self._waiting, [], 0
        self._room.set()
        return taken


async def stream(events: Events, scope: Scope, receive: Receive, send: Send) -> None:
    """Send what comes until it ends, nobody listens, or nothing came for too long."""
    box = Box()
    async with asyncio.TaskGroup() as group:
        beside = [group.create_task(_fill(box, events))]
        if not when_leaving(scope, box.leave):
            beside.append(group.create_task(_until_gone(receive, box)))
        await _write(box, events, send)
        for task in beside:
            task.cancel()
    if box.failure is not None and not box.is_left:
        raise box.failure  # the response has begun: only breaking it tells


async def _until_gone(receive: Receive, box: Box) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    box.leave()


async def _fill(box: Box, events: Events) -> None:
    try:
        async with aclosing(events.source) as source:
            async for event in source:
                await box.put(event)
    except Exception as error:  # noqa: BLE001 - raised by whoever takes
        box.close(error)
    else:
        box.close()


async def _write(box: Box, events: Events, send: Send) -> None:
    """Send batches and pings until it is over or broke; end the body if it is whole."""
    loop = asyncio.get_running_loop()
    heard = loop.time()
    while True:
        left = PING_S
        if events.silence_s is not None:
            left = min(left, heard + events.silence_s - loop.time())
        batch = await box.take(left)
        if box.is_left or (box.failure is not None and not batch):
            return
        if batch:
            heard = loop.time()
            await _send(send, events.render(batch))
        elif box.is_over or _silent(loop.time() - heard, events.silence_s):
            await send({"type": "http.response.body", "body": b""})
            return
        else:
            await _send(send, _ping())


def _silent(for_s: float, silence_s: float | None) -> bool:
    return silence_s is not None and for_s >= silence_s


def _ping() -> bytes:
    return b"event: ping\ndata: {}\n\n"


async def _send(send: Send, text: bytes) -> None:
    await send({"type": "http.response.body", "body": text, "more_body": True})
