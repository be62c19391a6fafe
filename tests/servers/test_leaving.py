"""A server that is told to end: whoever asks is answered, and finds another one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from starlette.types import Message, Receive, Scope, Send

from headrace.server import Leaving, feeds
from headrace.wire.feeds import START, FeedPage, FeedQuery, Place, RunFeed
from tests.servers.quarter import KEY, quarter

PAGE = FeedPage(Place("a-handle", "1_0"))
HEADERS = {"authorization": f"Bearer {KEY}"}


async def _answered(app: Leaving) -> list[tuple[bytes, bytes]]:
    sent = list[Message]()

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        await asyncio.sleep(0)
        sent.append(message)

    await app({"type": "http"}, receive, send)
    headers: list[tuple[bytes, bytes]] = sent[0]["headers"]
    return headers


async def test_each_answer_ends_its_connection_from_then_on() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
        await send({"type": "http.response.body", "body": b""})

    leaving = Leaving(app)
    assert await _answered(leaving) == [(b"a", b"b")]
    leaving.is_leaving = True
    assert await _answered(leaving) == [(b"a", b"b"), (b"connection", b"close")]


class _Api:
    """Tells a page after a while."""

    async def feed(self, _query: FeedQuery, _place: Place, *, wait: bool = True) -> FeedPage:
        await asyncio.sleep(0)
        if wait:
            await asyncio.Event().wait()
        return PAGE


class _Call:
    """A request to a server that ends already."""

    def __init__(self, api: object) -> None:
        self.api = api

    def when_leaving(self, end: Callable[[], None]) -> None:
        end()


@pytest.mark.parametrize("live", [True, False])
async def test_the_first_page_is_whole_though_the_server_ends(*, live: bool) -> None:
    page = feeds._page  # pyright: ignore[reportPrivateUsage]  # a test may look inside
    call, query = _Call(_Api()), RunFeed("run")
    assert await page(call, query, START, live=live) == PAGE  # type: ignore[arg-type]  # all it asks
    assert await page(call, query, PAGE.place, live=False) == PAGE  # type: ignore[arg-type]
    held = await page(call, query, Place("a-handle", "0_0"), live=True)  # type: ignore[arg-type]
    assert held == FeedPage(Place("a-handle", "0_0"))


@pytest.mark.timeout(120)
async def test_a_server_says_that_it_leaves_before_it_does(tmp_path: Path, database: str) -> None:
    async with (
        quarter(tmp_path, database) as town,
        aiohttp.ClientSession(headers=HEADERS) as session,
    ):
        server = await town.server()
        url = f"http://127.0.0.1:{server.port}"
        async with session.get(f"{url}/realtime/v1/runs?tags=a") as first:
            handle, offset = first.headers["electric-handle"], first.headers["electric-offset"]
        async with session.get(f"{url}/health") as health:
            assert (health.status, health.headers.get("connection")) == (200, None)
        query = f"tags=a&live=true&handle={handle}&offset={offset}"
        statuses, told = list[int](), list[str]()

        async def hold() -> None:
            async with session.get(f"{url}/realtime/v1/runs?{query}") as answer:
                assert answer.status == 200
                told.append(answer.headers["electric-handle"])

        async with asyncio.TaskGroup() as group:
            group.create_task(hold())
            stopping = group.create_task(town.stop(server))
            while not stopping.done():
                try:
                    async with session.get(f"{url}/health") as health:
                        statuses.append(health.status)
                except aiohttp.ClientConnectionError:
                    break
        assert told == [handle]
        assert 503 in statuses
        assert statuses == sorted(statuses)
    assert "rror" not in town.logged()
