"""The `TokensApi` over HTTP."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import UNSET, structs

from headrace.client.transport import Call, Transport
from headrace.wire import http
from headrace.wire.tokenviews import (
    StreamTokenCreated,
    StreamTokenOrder,
    TokenCreated,
    TokenOrder,
    TokenPage,
    TokenQuery,
    TokenView,
)

_PATH: Final = "/api/v1/waitpoints/tokens"


class TokensClient:
    """Make, see and complete tokens of a server elsewhere."""

    def __init__(self, transport: Transport) -> None:
        self._http = transport

    async def create_token(self, order: TokenOrder, *, request_key: str = "") -> TokenCreated:
        """Make a token, or find the one that was made under the order's idempotency key."""
        call = Call("POST", _PATH, msgspec.json.encode(order), request_key=request_key)
        answer = await self._http.call(call)
        token = answer.headers.get(http.TOKEN, "")
        return structs.replace(answer.parse(TokenCreated), public_token=token or UNSET)

    async def token_of_stream(
        self, run_id: str, order: StreamTokenOrder, *, request_key: str = ""
    ) -> StreamTokenCreated:
        """Make a token that shows the next message of an input stream, without taking it."""
        path = f"/api/v1/runs/{quote(run_id, safe='')}/input-streams/wait"
        call = Call("POST", path, msgspec.json.encode(order), request_key=request_key)
        return (await self._http.call(call)).parse(StreamTokenCreated)

    async def retrieve_token(self, token: str) -> TokenView:
        """Return the token."""
        answer = await self._http.call(Call("GET", _path(token)))
        return answer.parse(TokenView)

    async def list_tokens(self, query: TokenQuery) -> TokenPage:
        """List tokens, newest first."""
        answer = await self._http.call(Call("GET", _PATH, query=_query(query)))
        return answer.parse(TokenPage)

    async def complete_token(self, token: str, data: bytes) -> None:
        """Give a token its value."""
        body = b'{"data":' + data + b"}" if data else b"{}"
        await self._http.call(Call("POST", f"{_path(token)}/complete", body))


def _path(token: str) -> str:
    return f"{_PATH}/{quote(token, safe='')}"


def _query(query: TokenQuery) -> dict[str, str]:
    parts = {
        "page[size]": str(query.size),
        "page[after]": query.after or "",
        "page[before]": query.before or "",
        "filter[status]": ",".join(query.status),
        "filter[idempotencyKey]": query.key,
        "filter[tags]": ",".join(query.tag),
        "filter[createdAt][period]": _period(query.within_ms),
        "filter[createdAt][from]": "" if query.since is None else str(query.since),
        "filter[createdAt][to]": "" if query.until is None else str(query.until),
    }
    return {name: value for name, value in parts.items() if value}


def _period(ms: int | None) -> str:
    return "" if ms is None else f"{-(-ms // 1_000)}s"
