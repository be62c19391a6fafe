"""Four ways to send one message; each returns the receipt or raises an error of `headrace.errors`.

Owns: what each puts on the wire. Must never know: whether it is a retry.
"""

from __future__ import annotations

import asyncio
import os
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from http.client import HTTPException
from itertools import cycle
from typing import Final, TypeAlias

import aiohttp
import msgspec

from headrace.errors import Unavailable
from headrace.wire.http import error_of
from headrace.wire.views import Receipt
from tests.chaos.workload import STREAMS

ANSWER_S: Final = float(os.environ.get("HEADRACE_TEST_ANSWER_S", "10"))
"""How long the two that are no client of ours wait for an answer."""
KINDS: Final = ("http", "sync", "async", "raw")
SERVERS: Final = "HEADRACE_TEST_SERVERS"
"""Names several, for those that can go from one to the other."""

Caller: TypeAlias = Callable[[str, str, str, str], Awaitable[Receipt]]
"""Sends to a run and stream a text under a key."""


@asynccontextmanager
async def calling(kind: str) -> AsyncGenerator[Caller]:
    """Yield the way that is called `kind`."""
    if kind == "raw":
        async with aiohttp.ClientSession() as session:
            yield _raw(session)
    else:
        yield _http() if kind == "http" else {"sync": _sync, "async": _async}[kind]


async def _async(run: str, stream: str, text: str, key: str) -> Receipt:
    """The Python client in a coroutine."""
    return await STREAMS[stream].send(run, text, idempotency_key=key)


async def _sync(run: str, stream: str, text: str, key: str) -> Receipt:
    """The Python client in plain code, in a thread."""
    send = STREAMS[stream].sync.send
    return await asyncio.to_thread(send, run, text, idempotency_key=key)


def _http() -> Caller:
    """The standard library's client with a secret key and an idempotency key, in a thread."""
    servers = _servers()

    async def send(run: str, stream: str, text: str, key: str) -> Receipt:
        request = urllib.request.Request(  # noqa: S310 - our own server
            _url(next(servers), run, stream),
            data=_body(text),
            headers={**_headers(), "idempotency-key": key},
            method="POST",
        )
        return await asyncio.to_thread(_opened, request)

    return send


def _opened(request: urllib.request.Request) -> Receipt:
    try:
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310 - ours
                return _receipt(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise error_of(error.code, error.read(), {}) from None
    except (OSError, HTTPException) as error:
        raise Unavailable(f"no answer: {error!r}") from error


def _raw(session: aiohttp.ClientSession) -> Caller:
    """A bare POST whose only key is the one that retries of the same request carry."""
    servers = _servers()

    async def send(run: str, stream: str, text: str, key: str) -> Receipt:
        headers = {**_headers(), "x-trigger-request-idempotency-key": key}
        timeout = aiohttp.ClientTimeout(total=ANSWER_S)
        try:
            async with session.post(
                _url(next(servers), run, stream),
                data=_body(text),
                headers=headers,
                timeout=timeout,
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unavailable(f"no answer: {error!r}") from error
        if answer.status >= 300:
            raise error_of(answer.status, body, {})
        return _receipt(body)

    return send


def _servers() -> Iterator[str]:
    """Return the servers in turn: what one did not answer goes to the next."""
    return cycle((os.environ.get(SERVERS) or os.environ["HEADRACE_URL"]).split())


def _url(server: str, run: str, stream: str) -> str:
    return f"{server}/realtime/v1/streams/{run}/input/{stream}"


def _headers() -> dict[str, str]:
    key = os.environ["HEADRACE_SECRET_KEY"]
    return {"authorization": f"Bearer {key}", "content-type": "application/json"}


def _body(text: str) -> bytes:
    return msgspec.json.encode({"data": text})


def _receipt(body: bytes) -> Receipt:
    try:
        return msgspec.json.decode(body, type=Receipt)
    except msgspec.MsgspecError as error:
        raise Unavailable(f"half an answer: {error}") from error
