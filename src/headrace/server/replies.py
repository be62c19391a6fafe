"""Answers on their way out: bytes, headers, errors.

Owns: what every answer carries, so that a browser of any origin can read it, errors included.
Must never know: any route.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from headrace.errors import HeadraceError
from headrace.server import sse
from headrace.server.calls import Answer, Events, Reply
from headrace.wire import http

# A bearer header is no credential that a browser would add by itself: any origin may read.
OPEN: Final = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"*"),
)
_JSON: Final = ((b"content-type", b"application/json"), *OPEN)
_EVENTS: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
    *OPEN,
)
_ASKED: Final = 1_000


def refusal(error: HeadraceError) -> Answer:
    """Say an error."""
    return Answer(http.body_of(error), http.status_of(error), http.headers_of(error))


def with_headers(reply: Reply, headers: Mapping[str, str]) -> Reply:
    """Return the same reply with more headers."""
    return replace(reply, headers={**reply.headers, **headers}) if headers else reply


def failure(request_id: str) -> Answer:
    """Say that it is our fault, and under which name the log tells more."""
    body = f'{{"ok":false,"error":"Internal Server Error","requestId":"{request_id}"}}'
    return Answer(body.encode(), 500, {http.REQUEST_ID: request_id})


def not_allowed(method: str, allow: str) -> Answer:
    """Say which methods there are."""
    body = {"ok": False, "error": f"{method} is not allowed here", "code": "method_not_allowed"}
    return Answer(msgspec.json.encode(body), 405, {"allow": allow})


def preflight(scope: Scope) -> Answer:
    """Let a browser's page ask with any header."""
    asked = dict(scope["headers"]).get(b"access-control-request-headers", b"")[:_ASKED]
    return Answer(
        b"{}",
        headers={
            "access-control-allow-methods": "GET,HEAD,PUT,PATCH,POST,DELETE",
            "access-control-allow-headers": asked.decode("latin-1") or "authorization,content-type",
            "access-control-max-age": "300",
        },
    )


async def deliver(reply: Reply, scope: Scope, receive: Receive, send: Send) -> None:
    """Send the reply; of a HEAD request only the headers."""
    match reply:
        case Answer():
            await _answer(reply, send, empty=scope["method"] == "HEAD")
        case Events():
            await send(_start(200, [*_EVENTS, *_raw(reply.headers)]))
            if scope["method"] == "HEAD":
                await reply.source.aclose()
                await send({"type": "http.response.body", "body": b""})
            else:
                await sse.stream(reply, scope, receive, send)


async def _answer(answer: Answer, send: Send, *, empty: bool) -> None:
    kind = OPEN if "content-type" in answer.headers else _JSON
    headers = [*kind, (b"content-length", b"%d" % len(answer.body))]
    if answer.headers:
        headers += _raw(answer.headers)
    await send(_start(answer.status, headers))
    await send({"type": "http.response.body", "body": b"" if empty else answer.body})


def _start(status: int, headers: list[tuple[bytes, bytes]]) -> dict[str, object]:
    return {"type": "http.response.start", "status": status, "headers": headers}


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
