"""The `StreamsApi` over HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from headrace.client.following import Following
from headrace.client.sse import Event
from headrace.client.transport import Call, Transport
from headrace.errors import Mistake
from headrace.wire import http
from headrace.wire.views import Receipt, RecordView


class _Sent(Struct, frozen=True):
    data: Raw


class _Body(Struct, frozen=True):
    data: Raw = Raw(b"null")
    id: str = ""


class _Line(Struct, frozen=True):
    seq_num: int
    timestamp: int
    body: str


class _Batch(Struct, frozen=True):
    records: list[_Line]


_batch: Final = msgspec.json.Decoder(_Batch).decode
_body: Final = msgspec.json.Decoder(_Body).decode


class StreamsClient:
    """Send to input streams and read any stream of a server elsewhere."""

    def __init__(self, transport: Transport) -> None:
        self._http = transport

    async def send(
        self,
        run_id: str,
        stream: str,
        data: bytes | Mistake,
        *,
        key: str = "",
        request_key: str = "",
    ) -> Receipt:
        """Append `data` to an input stream of the run."""
        if isinstance(data, Mistake):
            raise data  # nothing that could be sent; the door has nothing to add
        call = Call(
            "POST",
            _path(run_id, stream, inward=True),
            msgspec.json.encode(_Sent(Raw(data))),
            headers={http.IDEMPOTENCY_KEY: key} if key else {},
            request_key=request_key,
        )
        return (await self._http.call(call)).parse(Receipt)

    async def tail(
        self, run_id: str, stream: str, *, inward: bool, start: int = 0
    ) -> AsyncGenerator[RecordView]:
        """Yield the records of a stream from `start` on, until the run is over and all is read.

        A server ends such a stream cleanly only then; one that breaks is opened again.
        """
        place = _Place(_path(run_id, stream, inward=inward), start)
        async with aclosing(Following(self._http, place.call).events()) as events:
            async for event in events:
                for record in place.records(event):
                    yield record


def _path(run_id: str, stream: str, *, inward: bool) -> str:
    kind = "/input" if inward else ""
    return f"/realtime/v1/streams/{quote(run_id, safe='')}{kind}/{quote(stream, safe='')}"


class _Place:
    """How far a tail has come."""

    def __init__(self, path: str, next_seq: int) -> None:
        self._path, self._next_seq = path, next_seq

    def call(self) -> Call:
        """Ask for what comes after the last record seen."""
        headers: dict[str, str] = {}
        if self._next_seq > 0:
            headers[http.LAST_EVENT_ID] = str(self._next_seq - 1)
        elif self._next_seq < 0:
            headers[http.STREAM_START] = "latest"
        return Call("GET", self._path, headers=headers)

    def records(self, event: Event) -> Iterator[RecordView]:
        """Yield what is new in an event."""
        if event.name != "batch":
            return
        for line in _batch(event.data).records:
            if line.seq_num >= self._next_seq:
                self._next_seq = line.seq_num + 1
                body, at = _body(line.body), line.timestamp
                yield RecordView(seq=line.seq_num, timestamp=at, id=body.id, data=body.data)
