"""What is used of the official client, with its types: its own decorators hide them.

Owns: the client's life and manners. Its own retries are off: an append that is repeated blindly is
there twice. Must never know: what is asked.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final, Protocol, cast

from s2_sdk import (
    S2,
    AppendAck,
    AppendInput,
    AppendRetryPolicy,
    BasinConfig,
    BasinInfo,
    Endpoints,
    Page,
    ReadBatch,
    ReadLimit,
    ReadUnwrittenError,
    Record,
    Retry,
    S2ClientError,
    S2Error,
    S2ServerError,
    SeqNum,
    SeqNumMismatchError,
    SequencedRecord,
    StreamConfig,
    StreamInfo,
    TailOffset,
    Timeout,
)

from headrace.backends.s2.place import Patience, Place

QUICK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)


class Stream(Protocol):
    """One stream."""

    async def append(self, inp: AppendInput, /) -> AppendAck: ...
    async def read(self, *, start: SeqNum | TailOffset, limit: ReadLimit) -> ReadBatch: ...


class Streams(Protocol):
    """The streams of one basin."""

    def stream(self, name: str, /) -> Stream: ...
    async def list_streams(
        self, *, prefix: str = "", start_after: str = "", limit: int = 1_000
    ) -> Page[StreamInfo]: ...
    async def delete_stream(self, name: str, /) -> None: ...


class Client(Protocol):
    """All basins that the token may use. It belongs to one event loop."""

    def basin(self, name: str, /) -> Streams: ...
    async def get_basin_config(self, name: str, /) -> BasinConfig: ...
    async def create_basin(self, name: str, /, *, config: BasinConfig) -> BasinInfo: ...
    async def reconfigure_basin(self, name: str, /, *, config: BasinConfig) -> BasinConfig: ...
    async def close(self) -> None: ...


def client_of(place: Place, patience: Patience) -> Client:
    """Return a client for the place."""
    where = place.endpoint
    client = S2(
        place.token,
        endpoints=Endpoints(where, where) if where else Endpoints.default(),
        timeout=Timeout(
            request=timedelta(seconds=patience.silence),
            connection=timedelta(seconds=patience.connecting),
        ),
        retry=Retry(max_attempts=1, append_retry_policy=AppendRetryPolicy.NO_SIDE_EFFECTS),
    )
    return cast("Client", client)


def leave_ways(client: Client) -> int:
    """Have the next call go by a new connection; tell how many are left behind.

    All calls share one, and the client keeps it although no answer comes on it any more: what was
    lost on the way TCP sends again, ever later. Calls that are under way on it may still end well.
    """
    count = 0
    for connection in _ways(client):
        retire = cast("Callable[[], None] | None", getattr(connection, "retire", None))
        if retire is not None:
            retire()
            count += 1
    return count


def _ways(client: Client) -> Iterator[object]:
    """Yield the connections, which the client shows nobody."""
    hosts: dict[str, list[object]] = getattr(getattr(client, "_pool", None), "_hosts", {})
    return itertools.chain.from_iterable(hosts.values())


def acknowledge_at_once(client: Client) -> int:
    """Have what arrives next acknowledged at once, where the system can; tell on how many ways.

    s2-lite sends an answer in two parts, the second when the first is acknowledged; the system
    would put that off by 40 ms, for there might be something to send along. It forgets this with
    the next request. The client shows nobody its connections: without them it is only slower.
    """
    count = 0
    for connection in _ways(client):
        writer = getattr(getattr(connection, "_conn", None), "_writer", None)
        if QUICK is None or not isinstance(writer, asyncio.StreamWriter) or writer.is_closing():
            continue
        found = writer.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.IPPROTO_TCP, QUICK, 1)
            count += 1
    return count


__all__ = [
    "AppendAck",
    "AppendInput",
    "BasinConfig",
    "Client",
    "ReadLimit",
    "ReadUnwrittenError",
    "Record",
    "S2ClientError",
    "S2Error",
    "S2ServerError",
    "SeqNum",
    "SeqNumMismatchError",
    "SequencedRecord",
    "Stream",
    "StreamConfig",
    "Streams",
    "TailOffset",
    "acknowledge_at_once",
    "client_of",
    "leave_ways",
]
