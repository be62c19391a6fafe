"""The whole `Api` over HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from headrace.client.blocked import BlockedClient
from headrace.client.changes import ChangesClient
from headrace.client.feeds import FeedClient
from headrace.client.keys import KeysClient
from headrace.client.outputs import OutputsClient
from headrace.client.packets import PacketsClient
from headrace.client.runs import RunsClient
from headrace.client.streams import StreamsClient
from headrace.client.target import Target
from headrace.client.tokens import TokensClient
from headrace.client.transport import Transport
from headrace.client.work import WorkClient
from headrace.ports import Chance, Clock


class Client(
    RunsClient,
    ChangesClient,
    PacketsClient,
    BlockedClient,
    FeedClient,
    StreamsClient,
    OutputsClient,
    TokensClient,
    WorkClient,
    KeysClient,
):
    """A server elsewhere. It may be used from several event loops, and closes with each."""

    def __init__(self, target: Target, clock: Clock, chance: Chance) -> None:
        super().__init__(Transport(target, clock, chance))

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    @property
    def url(self) -> str:
        """Return where the server is."""
        return self._http.target.url

    async def aclose(self) -> None:
        """Close what the running event loop has opened; it may be opened again."""
        await self._http.aclose()


@asynccontextmanager
async def open_client(target: Target, clock: Clock, chance: Chance) -> AsyncGenerator[Client]:
    """Give a client whose connections end with the block."""
    client = Client(target, clock, chance)
    try:
        yield client
    finally:
        await client.aclose()
