"""One request on its way through, and what comes of it.

Owns: the shapes that handlers take and give, and reading a body within its limits.
Must never know: any route.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope

from headrace.errors import BadRequest, TooLarge
from headrace.kernel.model import EnvId, Instant
from headrace.ports import Api, Ticket
from headrace.wire import http
from headrace.wire.scopes import Permits
from headrace.wire.tokens import PublicToken

Headers: TypeAlias = Mapping[bytes, bytes]
LEAVING: Final = "headrace.leaving"
"""The extension of a scope by which a held answer hears that nobody waits for it any more."""
LET_PAUSE: Final = "headrace.let_pause"
"""Where the connection leaves, in the state of its requests, what lets their bodies pause."""


def when_leaving(scope: Scope, end: Callable[[], None]) -> bool:
    """Have `end` called when the client goes away or the server stops; tell if it can be told."""
    tell = scope.get("extensions", {}).get(LEAVING)
    if tell is not None:
        tell["on"](end)
    return tell is not None


class Apis(Protocol):
    """Gives the use cases of an environment."""

    def at(
        self,
        env: EnvId,
        *,
        trusted: bool = True,
        ticket: Ticket | None = None,
        skips: Sequence[str] | None = None,
    ) -> Api:
        """Return them; `trusted` is a caller with a secret key, or a token that names a stream.

        A `ticket` lets one run be started; tokens that are given do not show what it `skips`.
        """
        ...

    async def call_back(self, token: str, proof: str, data: bytes) -> None:
        """Complete a token of whichever environment, whose address proves itself."""
        ...


class Gone(Exception):
    """The client went away; nobody waits for an answer."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the holder of a secret key, or of a token.

    `permits` is what the caller may do: None of a root key, which may do everything. `digest` is
    that of the key, or of the token.
    """

    env: EnvId
    token: PublicToken | None = None
    permits: Permits | None = None
    digest: bytes = b""

    @property
    def is_secret(self) -> bool:
        """Tell whether it is a secret key, root or restricted."""
        return self.token is None


@dataclass(slots=True)
class Call:
    """One request, made at `now`.

    `caller` is set before any policy or handler sees it, unless it is open.
    """

    scope: Scope
    receive: Receive
    headers: Headers
    params: Mapping[str, str]
    apis: Apis
    now: Instant
    caller: Caller | None = None

    @property
    def env(self) -> EnvId:
        """Return the caller's environment."""
        if self.caller is None:
            raise TypeError("an open route has no environment")
        return self.caller.env

    @property
    def api(self) -> Api:
        """Return the use cases of the caller's environment."""
        token = None if self.caller is None else self.caller.token
        if token is None:
            return self.apis.at(self.env)
        ticket = Ticket(token.digest, token.expires) if token.single_use else None
        return self.apis.at(self.env, ticket=ticket, skips=token.skip_columns)

    def header(self, name: str) -> str:
        """Return a header's text, empty where there is none."""
        raw = self.headers.get(name.encode(), b"")
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw.decode("latin-1")

    @property
    def query(self) -> QueryParams:
        """Return the parameters behind the question mark."""
        return QueryParams(self.scope["query_string"])

    def when_leaving(self, end: Callable[[], None]) -> None:
        """Have `end` called when the client goes away or the server stops, if it can be told."""
        when_leaving(self.scope, end)

    @property
    def origin(self) -> str:
        """Return where the caller has reached the server, for addresses that it is to hand on."""
        # Behind a proxy the scheme is another; who lies about it deceives nobody but himself.
        is_safe = self.header("x-forwarded-proto") == "https"
        scheme = "https" if is_safe else self.scope["scheme"]
        return f"{scheme}://{self.header('host')}"

    async def body(self, most: int) -> bytes:
        """Read the body, counting as it arrives; what is over `most` bytes is never kept."""
        self._demand_plain()
        declared = self.headers.get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > most:
            raise _too_large(most)
        parts, size = list[bytes](), 0
        while True:
            part, is_last = await self._part()
            parts.append(part)
            size += len(part)
            if size > most:
                raise _too_large(most)
            if is_last:
                return parts[0] if len(parts) == 1 else b"".join(parts)

    async def parts(self, pause_s: float) -> AsyncGenerator[bytes]:
        """Yield the body as it arrives; its sender may pause for so long."""
        self._demand_plain()
        # Another server than ours has its own idea of how long a body may pause.
        if (let_pause := self.scope.get("state", {}).get(LET_PAUSE)) is not None:
            let_pause(pause_s)
        is_last = False
        while not is_last:
            part, is_last = await self._part()
            yield part

    def _demand_plain(self) -> None:
        if self.headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise BadRequest("the body is compressed; send it as it is")

    async def _part(self) -> tuple[bytes, bool]:
        """Return what has arrived, and whether that is the end."""
        message = await self.receive()
        if message["type"] == "http.disconnect":
            raise Gone
        return message.get("body", b""), not message.get("more_body", False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; the body is JSON, unless the headers say what it is."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Events:
    """A stream of events. `render` makes text of what has come; `silence_s` without any ends it."""

    source: AsyncGenerator[bytes]
    render: Callable[[Sequence[bytes]], bytes]
    silence_s: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


Reply: TypeAlias = Answer | Events


def keys_of(call: Call) -> tuple[str, str]:
    """Return the caller's idempotency key, and that of the client's retries."""
    key, request_key = call.header(http.IDEMPOTENCY_KEY), call.header(http.REQUEST_KEY)
    if max(len(key), len(request_key)) > http.LONGEST_KEY:
        raise BadRequest(f"an idempotency key has at most {http.LONGEST_KEY} characters")
    return key, request_key


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"Request body too large: the most is {most} bytes")
