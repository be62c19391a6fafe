"""Routes about streams: send to a run, read what was sent and what it writes.

Owns: how a message is taken out of its body, and the framing of records.
Must never know: cursors, waits.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from headrace.errors import (
    BadRequest,
    BadValue,
    KeyReused,
    Mistake,
    NotFound,
    RunIsOver,
    Throttled,
    TooLarge,
)
from headrace.server.calls import Answer, Call, Events, keys_of
from headrace.server.policy import OfRun, ReadsInput, Sends, is_trusted
from headrace.server.routes import NONE, Param, Route
from headrace.wire import http, jsontext
from headrace.wire.views import Receipt, RecordView

SEND_BODY: Final = 3 * jsontext.MAX_DATA + 1_024
"""Text that is all escapes is thrice as long as its compact form, which is what is limited."""
LATEST: Final = -1
_MOST_SEQ: Final = 2**53
_SECONDS: Final = (1, 600)
_encode: Final = msgspec.json.Encoder().encode


class Message(Struct, frozen=True):
    """Body of a send."""

    data: msgspec.Raw = msgspec.Raw(b"null")


class Record(Struct, frozen=True):
    """One record of a batch. `body` is the JSON text of `{data, id}`."""

    seq_num: int
    timestamp: int
    body: str
    headers: tuple[()] = ()


class Batch(Struct, frozen=True):
    """Records, in order."""

    records: list[Record]


class _Body(Struct, frozen=True):
    data: msgspec.Raw
    id: str


async def send(call: Call) -> Answer:
    """Send to an input stream. What is wrong with the message is told after what comes first."""
    run, stream = call.params["run"], call.params["stream"]
    key = request_key = ""
    try:
        key, request_key = keys_of(call)
        data: bytes | Mistake = _data(await call.body(SEND_BODY))
    except (BadRequest, TooLarge) as mistake:
        data = mistake
    api = call.apis.at(call.env, trusted=is_trusted(call))
    receipt = await api.send(run, stream, data, key=key, request_key=request_key)
    return Answer(_encode(receipt))


def _data(body: bytes) -> bytes:
    """Return the message, compact. A body without one carries nothing: null."""
    value, text = jsontext.parse(body, depth=jsontext.MAX_DEPTH + 1)
    if not isinstance(value, dict):
        raise BadRequest('Invalid request body: it must be an object, {"data": ...}')
    if len(value) == 1 and text.startswith(b'{"data":'):
        data = text[len(b'{"data":') : -1]
    else:
        data = jsontext.encode(value.get("data"))
    if len(data) > jsontext.MAX_DATA:
        raise TooLarge(
            f"Request body too large: a message has at most {jsontext.MAX_DATA} bytes of JSON,"
            f" this one {len(data)}"
        )
    return data


async def tail(call: Call) -> Events:
    """Read an input stream and wait for more."""
    return await _records(call, inward=True)


async def read(call: Call) -> Events:
    """Read an output stream and wait for more."""
    return await _records(call, inward=False)


async def _records(call: Call, *, inward: bool) -> Events:
    run, stream = call.params["run"], call.params["stream"]
    start, silence_s = _start(call), _silence_s(call)
    await call.api.retrieve(run)

    async def records() -> AsyncGenerator[bytes]:
        found = call.api.tail(run, stream, inward=inward, start=start)
        async with aclosing(found) as views:
            async for view in views:
                yield _record(view)

    return Events(records(), _batch, silence_s, {http.STREAM_VERSION: "v2"})


def _record(view: RecordView) -> bytes:
    body = _encode(_Body(data=view.data, id=view.id)).decode()
    return _encode(Record(seq_num=view.seq, timestamp=view.timestamp, body=body))


def _batch(records: Sequence[bytes]) -> bytes:
    return b'event: batch\ndata: {"records":[' + b",".join(records) + b"]}\n\n"


def _start(call: Call) -> int:
    """Return the first number to read: behind the last one that the reader has."""
    last = call.header(http.LAST_EVENT_ID).strip()
    if not last:
        return LATEST if call.header(http.STREAM_START).strip() == "latest" else 0
    if last == "-1":  # what the clients make of a start index of 0
        return 0
    if not last.isascii() or not last.isdecimal() or int(last) > _MOST_SEQ:
        raise BadRequest("Last-Event-ID is the number of a record")
    return int(last) + 1


def _silence_s(call: Call) -> float | None:
    text = call.header(http.TIMEOUT_SECONDS).strip()
    if not text:
        return None
    least, most = _SECONDS
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not least <= seconds <= most:
        raise BadRequest(f"Timeout-Seconds is a number from {least} to {most}")
    return seconds


_READS: Final = (
    Param(
        http.LAST_EVENT_ID,
        "header",
        "the number of the last record that the reader has",
        Annotated[int, Meta(ge=-1, le=_MOST_SEQ)] | NONE,
    ),
    Param(http.STREAM_START, "header", "`latest`: only what comes from now on"),
    Param(
        http.TIMEOUT_SECONDS,
        "header",
        "1 to 600: end after so long without a record",
        Annotated[float, Meta(ge=_SECONDS[0], le=_SECONDS[1])] | NONE,
    ),
)

ROUTES: Final = [
    Route(
        method="POST",
        path="/realtime/v1/streams/{run}/input/{stream}",
        policy=Sends(),
        handler=send,
        repeats=True,
        summary="Send to an input stream of a run.",
        takes=Message,
        gives=Receipt,
        errors=(NotFound, KeyReused, RunIsOver, TooLarge, BadRequest, BadValue, Throttled),
        params=(
            Param("idempotency-key", "header", "the same key again gives the same receipt"),
            Param(http.REQUEST_KEY, "header", "one per call, the same on its retries"),
        ),
    ),
    Route(
        method="GET",
        path="/realtime/v1/streams/{run}/input/{stream}",
        policy=ReadsInput(),
        handler=tail,
        summary="Read an input stream of a run: events `batch`, until the run has ended.",
        kind="events",
        event="batch",
        gives=Batch,
        errors=(NotFound, BadRequest),
        params=_READS,
    ),
    Route(
        method="GET",
        path="/realtime/v1/streams/{run}/{stream}",
        policy=OfRun("read"),
        handler=read,
        summary="Read an output stream of a run: events `batch`, until the run has ended.",
        kind="events",
        event="batch",
        gives=Batch,
        errors=(NotFound, BadRequest),
        params=_READS,
    ),
]
