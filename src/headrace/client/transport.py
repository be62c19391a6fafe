"""One HTTP call, made until it is answered, or not worth making again.

Owns: retries, the headers that every call carries, errors out of answers and out of silence.
Must never know: what any route means.
"""

from __future__ import annotations

import asyncio
import io
import socket
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, TypeVar

import aiohttp
import msgspec
from yarl import URL

from headrace.client.sessions import Sessions
from headrace.client.target import UNREACHABLE, Target, asked_pause_s, may_retry
from headrace.errors import HeadraceError, Unavailable
from headrace.ports import Chance, Clock
from headrace.wire import http

T = TypeVar("T")
SILENCE_S = 45.0
"""A stream that says nothing for so long, not even a ping, is broken."""
UNCONFIRMED_MS: Final = 2_000
"""What was sent on a WebSocket and is not confirmed by the other machine for so long is lost.

Less than a lease: a worker whose way is whole again keeps its runs.
"""
AT_ONCE: Final = 524_288
KEY_BYTES: Final = 12
"""Of chance in a call's name. A run keeps its trigger's for a day: 16 letters, not a UUID's 36."""
ALWAYS: Final = {
    "content-type": "application/json",
    "user-agent": "headrace",
    "x-trigger-api-version": "2025-07-16",
    "x-trigger-source": "sdk",
}
GONE = (aiohttp.ClientError, ConnectionError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Call:
    """One logical call: all its tries carry the same `request_key`."""

    method: str
    path: str
    body: bytes = b""
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    request_key: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def parse(self, shape: type[T]) -> T:
        """Return the body as a value, or say that the server is not one of ours."""
        try:
            return msgspec.json.decode(self.body, type=shape)
        except msgspec.MsgspecError as error:
            message = f"the answer is not that of a Headrace server: {error}"
            raise Unavailable(message, hint="Is HEADRACE_URL right?") from None


class Transport:
    """Calls one server. Clock and chance come from outside."""

    def __init__(self, target: Target, clock: Clock, chance: Chance) -> None:
        self._target, self._clock, self._chance = target, clock, chance
        self._sessions = Sessions(target)

    @property
    def target(self) -> Target:
        """Return where the server is."""
        return self._target

    async def aclose(self) -> None:
        """Close what the running loop has opened."""
        await self._sessions.aclose()

    async def call(self, call: Call, wanted: Collection[int] = ()) -> Answer:
        """Make the call until it is answered for good; raise what the answer means.

        A status that is `wanted` means nothing wrong.
        """
        patience, started = self._target.patience, time.monotonic()
        key = call.request_key or self.new_key()
        for attempt in range(1, patience.attempts + 1):
            tried = await self._try(call, key)
            if isinstance(tried, Answer) and (tried.status < 300 or tried.status in wanted):  # noqa: PLR2004 - success
                return tried
            pause = self._pause_s(attempt, tried)
            if pause is None or time.monotonic() - started + pause > patience.total_s:
                raise self._problem(tried)
            await asyncio.sleep(pause)
        raise AssertionError("the last attempt has no pause after it")

    def jitter(self) -> float:
        """Return a number in [0, 1): whoever pauses, pauses as nobody else does."""
        return self._chance.jitter()

    def new_key(self) -> str:
        """Return a name for one logical call."""
        return urlsafe_b64encode(self._chance.unique(KEY_BYTES)).decode("ascii")

    def _pause_s(self, attempt: int, tried: Answer | Unavailable) -> float | None:
        patience = self._target.patience
        if attempt >= patience.attempts:
            return None
        jitter = self.jitter()
        if isinstance(tried, Unavailable):
            return patience.pause_s(attempt, jitter)
        if not may_retry(tried.status, tried.headers):
            return None
        asked = asked_pause_s(tried.headers, self._clock.now())
        return patience.pause_s(attempt, jitter) if asked is None else asked * (1 + jitter / 4)

    def _problem(self, tried: Answer | Unavailable) -> HeadraceError:
        if isinstance(tried, Unavailable):
            return tried
        return http.error_of(tried.status, tried.body, tried.headers)

    async def _try(self, call: Call, key: str) -> Answer | Unavailable:
        session = await self._sessions.current()
        timeout = aiohttp.ClientTimeout(total=self._target.patience.answer_s, sock_connect=5.0)
        headers = {**ALWAYS, http.REQUEST_KEY: key, **call.headers}
        try:
            async with session.request(
                call.method,
                self._url(call),
                data=_body(call.body),
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                return Answer(response.status, _lower(response), await response.read())
        except GONE as error:
            return self.unavailable(error)

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncGenerator[aiohttp.ClientResponse]:
        """Open a stream of events, once; raise what the answer means, or `Unavailable`."""
        session = await self._sessions.current()
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=SILENCE_S)
        headers = {**ALWAYS, "accept": "text/event-stream", **call.headers}
        try:
            async with session.get(
                self._url(call), headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                if response.status >= 300:  # noqa: PLR2004 - no success
                    raise http.error_of(response.status, await response.read(), _lower(response))
                yield response
        except GONE as error:
            raise self.unavailable(error) from error

    @asynccontextmanager
    async def socket(self, path: str) -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
        """Open a WebSocket, once."""
        session = await self._sessions.current()
        url = self._url(Call("GET", path))
        try:
            link = await session.ws_connect(url, heartbeat=15.0, compress=0, max_msg_size=0)
        except aiohttp.WSServerHandshakeError as error:
            raise http.error_of(error.status, b"", {}) from None
        except GONE as error:
            raise self.unavailable(error) from None
        async with link:
            _give_up_when_unconfirmed(link)
            yield link

    def unavailable(self, error: BaseException) -> Unavailable:
        """Say that nobody answers, what happened, and what to start."""
        reason = "it took too long" if isinstance(error, TimeoutError) else _reason(error)
        return Unavailable(f"no answer from {self._target.url}: {reason}", hint=UNREACHABLE)

    def _url(self, call: Call) -> URL:
        url = URL(self._target.url.rstrip("/") + call.path, encoded=True)
        return url.with_query(call.query) if call.query else url


def _give_up_when_unconfirmed(link: aiohttp.ClientWebSocketResponse) -> None:
    """Have the system end a connection whose way is lost (RFC 5482): it repeats ever later else."""
    raw = link.get_extra_info("socket")
    option = getattr(socket, "TCP_USER_TIMEOUT", None)  # on Linux; elsewhere the heartbeat is all
    if raw is not None and option is not None:
        raw.setsockopt(socket.IPPROTO_TCP, option, UNCONFIRMED_MS)


def _body(body: bytes) -> bytes | io.BytesIO:
    # What is large is read bit by bit, or the library warns that it holds up the event loop.
    return body if len(body) <= AT_ONCE else io.BytesIO(body)


def _lower(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _reason(error: BaseException) -> str:
    """Say in a few words why there is no connection; an exception's own text may quote headers."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return "its certificate is not trusted"
        case aiohttp.ClientConnectorDNSError():
            return "its name cannot be resolved"
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError() | FileNotFoundError()):
            return "nothing listens there"
        case aiohttp.InvalidURL():
            return "that is no URL"
        case _:
            return "the connection broke"
