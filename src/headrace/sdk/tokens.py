"""Tokens: values that somebody outside completes, once, for every run that waits for them.

Owns: what a task's code holds of a token, and the questions about it.
Must never know: how a completion reaches a run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
from msgspec import UnsetType

from headrace.errors import BadRequest, WaitTimeout
from headrace.kernel.model import WaitpointId, at_waitpoint
from headrace.sdk import execution
from headrace.sdk.answers import Answer, Ok, TimedOut
from headrace.sdk.codecs import Codec, codec_for
from headrace.sdk.connection import connected
from headrace.sdk.deadlines import Deadline, Duration, seconds_text
from headrace.sdk.execution_question import Place
from headrace.sdk.scope import here
from headrace.wire.durations import duration_ms, iso, moment
from headrace.wire.tokenviews import TOKEN_DATA, TokenCreated, TokenOrder

T = TypeVar("T")
NAME: Final = "token"
_made = msgspec.json.Decoder(TokenCreated).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was made. A POST to `url`, with any JSON, completes it.

    `public_token` permits a browser to do so. A token that was made inside a run has none.
    """

    id: str
    url: str
    public_token: str = ""
    is_cached: bool = False


AnyToken: TypeAlias = str | Token


def token_id(token: AnyToken) -> WaitpointId:
    """Return the id of what stands for a token."""
    name = token if isinstance(token, str) else token.id
    if not name.startswith("waitpoint_"):
        raise BadRequest(
            f"{name[:80]!r} is no token", hint="Pass what wait.create_token gave, or its id."
        )
    return WaitpointId(name)


def ordered(
    timeout: Duration | None,
    until: datetime | None,
    key: str | None,
    ttl: Duration | None,
    tags: Iterable[str],
) -> TokenOrder:
    """Return the order for a token."""
    if timeout is not None and until is not None:
        raise BadRequest("both timeout= and until= were given", hint="Say one of them.")
    limit: str | float | None = None
    if timeout is not None:
        limit = duration_ms(timeout) / 1_000
    elif until is not None:
        limit = iso(moment(until))
    return TokenOrder(
        timeout=limit,
        idempotency_key=key,
        idempotency_key_ttl=None if ttl is None else seconds_text(ttl),
        tags=list(tags) or None,
    )


async def created(order: TokenOrder, line: str) -> Token:
    """Make a token; inside a run the same one again on replay."""
    run = execution.current()
    if run is None:
        return _token(await (await connected()).create_token(order))
    scope = here()
    request_key = "" if scope is None else f"{run.run_id}/{scope.upcoming(f'create {NAME}')}"

    async def ask() -> bytes:
        made = await (await connected()).create_token(order, request_key=request_key)
        # What the browser's token permits is not to be read in a journal.
        return _encode(msgspec.structs.replace(made, public_token=msgspec.UNSET))

    return _token(_made(await run.step(f"create {NAME}", ask, fingerprint="", line=line)))


async def completed(token: AnyToken, value: Any, form: Any, line: str) -> None:
    """Give a token its value; the first one stays."""
    name = token_id(token)
    codec = codec_for(type(value) if form is None else form)
    raw = codec.encode(value, f"value of {name}", most=TOKEN_DATA)
    run = execution.current()

    async def ask() -> bytes:
        await (await connected()).complete_token(name, raw)
        return b"null"

    if run is None:
        await ask()
    else:
        await run.step(f"complete {NAME}", ask, fingerprint=name, line=line)


async def awaited(
    token: AnyToken, codec: Codec[T], limit: Deadline, keep_warm: Duration | None, line: str
) -> Answer[T]:
    """Wait for the value of a token."""
    name = token_id(token)
    taken = await execution.require("wait.for_token").take(
        at_waitpoint(name),
        f"{NAME}:{name}",
        fits=lambda raw: codec.decode(raw, f"value of {name}"),
        timeout_ms=limit.timeout_ms,
        until=limit.until,
        parks=True,
        line=line,
        on_invalid="raise",  # there will be no other
        keep_warm_ms=None if keep_warm is None else duration_ms(keep_warm),
        shown=limit.shown,
    )
    return _answer(taken, name, limit.shown)


async def awaited_again(place: Place, codec: Codec[T], line: str) -> Answer[T]:
    """Go on with a wait in which a snapshot was made."""
    name = WaitpointId(place.name.partition(":")[2])
    taken = await execution.take_on(
        execution.require("wait.for_token"),
        at_waitpoint(name),
        place,
        fits=lambda raw: codec.decode(raw, f"value of {name}"),
        line=line,
        on_invalid="raise",
    )
    return _answer(taken, name, place.shown)


def _answer(taken: execution.Taken[T] | None, name: str, shown: str) -> Answer[T]:
    if taken is None:
        return TimedOut(WaitTimeout(f"{name} was not completed {shown or 'in its time'}"))
    return Ok(taken.value)


def _token(made: TokenCreated) -> Token:
    public = "" if isinstance(made.public_token, UnsetType) else made.public_token
    return Token(made.id, made.url, public, made.is_cached)
