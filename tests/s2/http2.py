"""HTTP/2 without TLS, as little of it as the fake needs. Must never know: what is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError

CHUNK = 16_384


@dataclass(frozen=True, slots=True)
class Request:
    """One request, whole."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, whole."""

    status: int
    body: bytes = b""


Handler = Callable[[Request], Awaitable[Answer | None]]


@asynccontextmanager
async def serving(handler: Handler, port: int = 0) -> AsyncGenerator[int]:
    """Serve on a port of this machine; then end every connection, whatever is under way."""
    writers, answers = set[asyncio.StreamWriter](), set[asyncio.Task[None]]()
    async with asyncio.TaskGroup() as group:

        def start(work: Coroutine[None, None, None]) -> None:
            answers.add(group.create_task(work))

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.add(writer)
            try:
                await _Connection(reader, writer, handler, start).run()
            finally:
                writers.discard(writer)
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", port)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for writer in writers:
                writer.transport.abort()
            await server.wait_closed()
            for answer in answers:
                answer.cancel()


@dataclass(slots=True)
class _Asking:
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)


class _Connection:
    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        handler: Handler,
        start: Callable[[Coroutine[None, None, None]], None],
    ) -> None:
        self._reader, self._writer, self._handler, self._start = reader, writer, handler, start
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._asking: dict[int, _Asking] = {}
        self._room = asyncio.Event()

    async def run(self) -> None:
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(1 << 24)
        self._flush()
        with suppress(ConnectionError, ProtocolError):
            while data := await self._reader.read(1 << 16):
                for event in self._h2.receive_data(data):
                    self._take(event)
                self._flush()

    def _take(self, event: Event) -> None:
        match event:
            case RequestReceived(stream_id=int(id), headers=headers):
                self._asking[id] = _Asking({str(name): str(value) for name, value in headers})
            case DataReceived(stream_id=int(id), data=bytes(data)) if id in self._asking:
                self._asking[id].body += data
                self._h2.acknowledge_received_data(event.flow_controlled_length or 0, id)
            case StreamEnded(stream_id=int(id)) if id in self._asking:
                self._start(self._answer(id, self._asking.pop(id)))
            case StreamReset(stream_id=int(id)):
                self._asking.pop(id, None)
            case WindowUpdated():
                self._room.set()
            case _:
                pass

    async def _answer(self, id: int, asking: _Asking) -> None:
        headers = asking.headers
        request = Request(headers[":method"], headers[":path"], headers, bytes(asking.body))
        answer = await self._handler(request)
        if answer is None:
            self._writer.transport.abort()
            return
        with suppress(ProtocolError, ConnectionError):  # who asked may be gone
            self._h2.send_headers(id, [(":status", str(answer.status))])
            await self._send(id, answer.body)

    async def _send(self, id: int, body: bytes) -> None:
        while body:
            room = min(self._h2.local_flow_control_window(id), CHUNK)
            if room <= 0:
                self._room.clear()
                await self._room.wait()
                continue
            self._h2.send_data(id, body[:room])
            self._flush()
            body = body[room:]
        self._h2.end_stream(id)
        self._flush()

    def _flush(self) -> None:
        self._writer.write(self._h2.data_to_send())
