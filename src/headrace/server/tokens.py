"""Routes about tokens: made, seen, completed by whoever holds them.

Owns: how their requests read and their answers look. Must never know: who waits for a token.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import Raw, Struct, UnsetType, structs

from headrace.errors import BadRequest, Mistake, NotFound, TooLarge, Unauthorized
from headrace.server.bodies import read_as
from headrace.server.calls import Answer, Call, keys_of
from headrace.server.paging import (
    CREATED,
    PAGES,
    given_once,
    moment,
    page_size,
    pages_beside,
    several,
    unknown,
)
from headrace.server.policy import Anybody, Scoped, SecretKey
from headrace.server.routes import Param, Route
from headrace.wire import durations, http, jsontext
from headrace.wire.tokenviews import (
    TOKEN_DATA,
    TOKEN_ORDER,
    TOKEN_STATUSES,
    TokenCreated,
    TokenOrder,
    TokenPage,
    TokenQuery,
    TokenStatus,
    TokenView,
)

_ENVELOPE: Final = 1
"""Levels that the body of a completion puts around its value."""
_NOTHING: Final = b"{}"
_encode: Final = msgspec.json.Encoder().encode


class Completion(Struct, frozen=True):
    """Body of a completion."""

    data: Raw = Raw()


class Completed(Struct, frozen=True):
    """Answer to a completion."""

    success: Literal[True] = True


class _Claims(Struct, frozen=True):
    sub: str
    pub: bool


async def create_token(call: Call) -> Answer:
    """Make a token."""
    body = await call.body(TOKEN_ORDER)
    order = read_as(TokenOrder, body or _NOTHING)
    _, request_key = keys_of(call)
    made = await call.api.create_token(order, request_key=request_key)
    headers = {http.CLAIMS: _encode(_Claims(sub=call.env, pub=True)).decode()}
    if not isinstance(made.public_token, UnsetType):
        headers[http.TOKEN] = made.public_token
    shown = structs.replace(made, url=call.origin + made.url, public_token=msgspec.UNSET)
    return Answer(_encode(shown), headers=headers)


async def retrieve_token(call: Call) -> Answer:
    """Show a token, and its value."""
    view = await call.api.retrieve_token(call.params["token"])
    return Answer(_encode(_reachable(view, call)))


async def list_tokens(call: Call) -> Answer:
    """List tokens, newest first."""
    page = await call.api.list_tokens(_query(call))
    shown = [_reachable(view, call) for view in page.data]
    return Answer(_encode(structs.replace(page, data=shown)))


async def complete_token(call: Call) -> Answer:
    """Give a token its value; one that has one keeps it."""
    body = await call.body(TOKEN_DATA)
    completion = read_as(Completion, body or _NOTHING, levels=_ENVELOPE)
    await call.api.complete_token(call.params["token"], bytes(completion.data))
    return Answer(_encode(Completed()))


async def call_back(call: Call) -> Answer:
    """Complete a token by its address: the whole body is the value."""
    body = await call.body(TOKEN_DATA)
    try:
        data = jsontext.check(body)
    except BadRequest:
        data = _NOTHING  # whoever calls back sends what it likes, and cannot be told better
    await call.apis.call_back(call.params["token"], call.params["proof"], data)
    return Answer(_encode(Completed()))


def _reachable(view: TokenView, call: Call) -> TokenView:
    return structs.replace(view, url=call.origin + view.url)


# --- the query -----------------------------------------------------------------------------------


def _query(call: Call) -> TokenQuery:
    given = given_once(call)
    period = given.pop("filter[createdAt][period]", "")
    after, before = pages_beside(given)
    query = TokenQuery(
        size=page_size(given),
        after=after,
        before=before,
        status=_statuses(given.pop("filter[status]", "")),
        key=given.pop("filter[idempotencyKey]", ""),
        tag=several(given.pop("filter[tags]", "")),
        since=moment(given.pop("filter[createdAt][from]", "")),
        within_ms=durations.duration_ms(period) if period else None,
        until=moment(given.pop("filter[createdAt][to]", "")),
    )
    unknown(given)
    return query


def _statuses(text: str) -> tuple[TokenStatus, ...]:
    named = several(text)
    if wrong := [name for name in named if name not in TOKEN_STATUSES]:
        known = ", ".join(TOKEN_STATUSES)
        raise BadRequest(f"{wrong[0][:80]} is no status", hint=f"there are {known}")
    return tuple(status for status in TOKEN_STATUSES if status in named)


_RETRY: Final = Param(http.REQUEST_KEY, "header", "one per call, the same on its retries")

ROUTES: Final = [
    Route(
        method="POST",
        path="/api/v1/waitpoints/tokens",
        policy=SecretKey("write", "waitpoints"),
        handler=create_token,
        summary="Make a token that anybody who holds it may complete, once.",
        takes=TokenOrder,
        optional=True,
        gives=TokenCreated,
        errors=(BadRequest, TooLarge, Mistake),
        params=(_RETRY,),
    ),
    Route(
        method="GET",
        path="/api/v1/waitpoints/tokens",
        policy=SecretKey("read", "waitpoints"),
        handler=list_tokens,
        summary="List tokens, newest first.",
        gives=TokenPage,
        errors=(BadRequest,),
        params=(
            *PAGES,
            Param("filter[status]", "query", "statuses, with commas between them"),
            Param("filter[idempotencyKey]", "query", "the key that it was made under"),
            Param("filter[tags]", "query", "tags, any of which suffices"),
            *CREATED,
        ),
    ),
    Route(
        method="GET",
        path="/api/v1/waitpoints/tokens/{token}",
        policy=SecretKey("read", "waitpoints"),
        handler=retrieve_token,
        summary="Show a token, and its value.",
        gives=TokenView,
        errors=(NotFound,),
    ),
    Route(
        method="POST",
        path="/api/v1/waitpoints/tokens/{token}/complete",
        policy=Scoped("write", "waitpoints", "token"),
        handler=complete_token,
        summary="Give a token its value; one that has one keeps it.",
        takes=Completion,
        optional=True,
        gives=Completed,
        errors=(NotFound, BadRequest, TooLarge),
    ),
    Route(
        method="POST",
        path="/api/v1/waitpoints/tokens/{token}/callback/{proof}",
        policy=Anybody(),
        handler=call_back,
        summary="Complete a token by its address alone; the body is the value, any JSON.",
        takes=Raw,
        optional=True,
        gives=Completed,
        errors=(Unauthorized, BadRequest, TooLarge),
    ),
]
