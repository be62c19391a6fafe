"""Routes about output streams that others write: create, lines as they come, one part, how far.

Owns: how values are cut out of a body, and who their writer is. Must never know: what is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from headrace.errors import (
    BadRequest,
    BadValue,
    KeyReused,
    Mistake,
    NotFound,
    RunIsOver,
    TooLarge,
)
from headrace.ports import Target
from headrace.server.calls import Answer, Call, keys_of
from headrace.server.policy import SecretKey
from headrace.server.routes import NONE, Param, Route
from headrace.wire import http, jsontext
from headrace.wire.views import Wire

PAUSE_S: Final = 900.0
"""So long may a writer think between two lines."""
LINE: Final = 3 * jsontext.MAX_DATA
"""Text that is all escapes is thrice as long as its compact form, which is what is limited."""
PART: Final = 524_288
AT_ONCE: Final = 200
"""Values that are appended in one commit."""
_MOST_CHUNK: Final = 2**53
_LONGEST_ID: Final = 256
_targets: Final[dict[str, Target]] = {"self": "self", "parent": "parent", "root": "root"}


class _Created(Wire, frozen=True, kw_only=True, omit_defaults=False):
    version: Literal["v1"] = "v1"


class _Appended(Wire, frozen=True, kw_only=True, omit_defaults=False):
    ok: Literal[True] = True


class Lines:
    """Takes a body apart into its lines, wherever the network has cut it."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, part: bytes) -> list[bytes]:
        """Return the lines that are whole now, without those that hold nothing."""
        if len(self._rest) > LINE:
            raise TooLarge(f"Request body too large: a line has at most {LINE} bytes")
        *lines, rest = part.split(b"\n")
        if lines:
            lines[0] = bytes(self._rest) + lines[0]
            self._rest.clear()
        self._rest += rest
        return [line for line in lines if line.strip()]

    def end(self) -> list[bytes]:
        """Return the last line, if nothing ended it."""
        return self.feed(b"\n")


async def create(call: Call) -> Answer:
    """Say that a stream can be written, and that its lines are to be posted here."""
    await _write(call, (), "", 0)
    return Answer(msgspec.json.encode(_Created()), 202)


async def ingest(call: Call) -> Answer:
    """Append each line as it comes; what was appended stays if the connection breaks."""
    writer, number = _writer(call), _first(call)
    # Is there such a run? Whether it is over counts for new lines only: all may be there already.
    await _count(call, writer)
    lines = Lines()
    async with aclosing(call.parts(PAUSE_S)) as parts:
        async for part in parts:
            number = await _append(call, lines.feed(part), writer, number)
    await _append(call, lines.end(), writer, number)
    return Answer(b"")


async def _append(call: Call, lines: Sequence[bytes], writer: str, number: int) -> int:
    """Append what the lines hold; those before one that is refused are there. Return the next."""
    values, refused = _values(lines)
    for start in range(0, len(values), AT_ONCE):
        some = values[start : start + AT_ONCE]
        try:
            await _write(call, some, writer, number + start)
        except (BadValue, KeyReused):
            for place, value in enumerate(some, number + start):
                await _write(call, (value,), writer, place)
    if refused is not None:
        raise refused
    return number + len(values)


def _values(lines: Sequence[bytes]) -> tuple[list[bytes], Mistake | None]:
    """Return the values before the first line that holds none, and what is wrong with that."""
    values = list[bytes]()
    for line in lines:
        try:
            values.append(_value(line))
        except (BadRequest, TooLarge) as mistake:
            return values, mistake
    return values, None


async def resume(call: Call) -> Answer:
    """Say the number of the writer's last line that is there; -1 for none."""
    count = await _count(call, _writer(call))
    return Answer(b"", headers={http.LAST_CHUNK: str(count - 1)})


async def _count(call: Call, writer: str) -> int:
    run, stream = call.params["run"], call.params["stream"]
    return await call.api.written(run, stream, writer=writer, target=_target(call))


async def append(call: Call) -> Answer:
    """Append a text; the same part again is passed over."""
    try:
        text = (await call.body(PART)).decode()
    except UnicodeDecodeError:
        raise BadRequest("Invalid request body: it must be UTF-8") from None
    _, request_key = keys_of(call)
    part = call.header(http.PART_ID)
    if len(part) > _LONGEST_ID:
        raise BadRequest(f"{http.PART_ID} has at most {_LONGEST_ID} characters")
    writer = f"part:{part}" if part else f"request:{request_key}" if request_key else ""
    await _write(call, (jsontext.encode(text),), writer, 0)
    return Answer(msgspec.json.encode(_Appended()))


async def _write(call: Call, values: Sequence[bytes], writer: str, first: int) -> None:
    run, stream = call.params["run"], call.params["stream"]
    target = _target(call)
    await call.api.write(run, stream, values, writer=writer, first=first, target=target)


def _target(call: Call) -> Target:
    target = _targets.get(call.params["target"])
    if target is None:
        raise NotFound(
            "Not found", hint=f"a stream's target is one of {', '.join(_targets)}, or input"
        )
    return target


def _value(line: bytes) -> bytes:
    # What JavaScript makes of a value that is undefined.
    value = b"null" if line.strip() == b"undefined" else jsontext.check(line)
    if len(value) > jsontext.MAX_DATA:
        raise TooLarge(f"Request body too large: a record has at most {jsontext.MAX_DATA} bytes")
    return value


def _writer(call: Call) -> str:
    name = call.header(http.CLIENT_ID)
    if len(name) > _LONGEST_ID:
        raise BadRequest(f"{http.CLIENT_ID} has at most {_LONGEST_ID} characters")
    return f"client:{name}" if name else ""


def _first(call: Call) -> int:
    text = call.header(http.RESUME_FROM).strip() or "0"
    if not text.isascii() or not text.isdecimal() or int(text) > _MOST_CHUNK:
        raise BadRequest(f"{http.RESUME_FROM} is the number of a line")
    return int(text)


_PATH: Final = "/realtime/v1/streams/{run}/{target}/{stream}"
_NAME: Final = Annotated[str, Meta(max_length=_LONGEST_ID)]
_CLIENT: Final = Param(http.CLIENT_ID, "header", "who writes; numbers its lines from 0 on", _NAME)

ROUTES: Final = [
    Route(
        method="PUT",
        path=_PATH,
        policy=SecretKey("write", "runs"),
        handler=create,
        summary="Say how an output stream of a run that is not over is written: line by line.",
        status=202,
        gives=_Created,
        errors=(NotFound, RunIsOver, BadRequest),
    ),
    Route(
        method="POST",
        path=_PATH,
        policy=SecretKey("write", "runs"),
        handler=ingest,
        summary="Append lines of JSON to an output stream, each as it comes.",
        takes=str,
        takes_as=("application/x-ndjson",),
        optional=True,
        errors=(NotFound, RunIsOver, BadRequest, TooLarge, BadValue, KeyReused),
        params=(
            _CLIENT,
            Param(
                http.RESUME_FROM,
                "header",
                "the number of the first line here, normally 0",
                Annotated[int, Meta(ge=0, le=_MOST_CHUNK)] | NONE,
            ),
        ),
    ),
    Route(
        method="HEAD",
        path=_PATH,
        policy=SecretKey("write", "runs"),
        handler=resume,
        summary="Say, in x-last-chunk-index, the number of the writer's last line.",
        errors=(NotFound, BadRequest),
        params=(_CLIENT,),
    ),
    Route(
        method="POST",
        path=_PATH + "/append",
        policy=SecretKey("write", "runs"),
        handler=append,
        summary="Append a text to an output stream.",
        takes=str,
        takes_as=("text/plain",),
        optional=True,
        gives=_Appended,
        errors=(NotFound, RunIsOver, BadRequest, TooLarge, BadValue, KeyReused),
        params=(
            Param(http.PART_ID, "header", "the same part again is passed over", _NAME),
            Param(http.REQUEST_KEY, "header", "one per call, the same on its retries"),
        ),
    ),
]
