"""Tokens: values that anybody who holds the token may complete, once, for all runs that wait.

Owns: what a token may be asked for, and who is woken by its completion.
Must never know: HTTP, who may complete which token.

Rule 1: a completion counts when the store has written it; whoever waits is told after that.
Rule 2: who could not be told is still listed by the store as owed (`Warden` looks there).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from msgspec import UNSET, UnsetType

from headrace.engine.callbacks import is_proof
from headrace.engine.core import Core
from headrace.engine.ids import waitpoint_id
from headrace.engine.jobs import CatchUp
from headrace.engine.listed import post_listed
from headrace.engine.streamtokens import reads_stream
from headrace.errors import BadRequest, Mistake, NotFound, TooLarge, Unauthorized
from headrace.kernel.model import EnvId, Instant, Run, RunId, WaitpointId, at_waitpoint, later
from headrace.ports import RecordAt, Retried, Waitpoint, WaitpointFilter
from headrace.wire.durations import delay_until, duration_ms, iso
from headrace.wire.tokenviews import TOKEN_DATA, TokenOrder, TokenQuery, TokenView

TAGS_AT_MOST: Final = 10
TAG_LENGTH: Final = 128
KEY_LENGTH: Final = 2_048
KEY_TTL_MS: Final = 30 * 86_400_000
RETRY_TTL_MS: Final = 86_400_000
AT_ONCE: Final = 500
"""Runs that are woken together; whoever completes the token waits for the first ones."""
_LATE: Final = '{"name":"WaitTimeout","message":"the token was not completed in time"}'


async def known_token(core: Core, env: EnvId, token: str) -> Waitpoint:
    """Return the token, or say that there is none here, whether or not there is one elsewhere."""
    known = await core.stores.waitpoints.load(WaitpointId(token))
    if known is None or known.env != env:
        raise NotFound(f"there is no token {token[:80]!r} in this environment")
    return known


def new_token(
    core: Core, env: EnvId, order: TokenOrder, awaits: RecordAt | None = None
) -> Waitpoint:
    """Return what is ordered, or say what is wrong with it."""
    now = core.now()
    token = waitpoint_id(now, core.chance)
    key, ttl = order.idempotency_key or "", order.idempotency_key_ttl
    if len(key) > KEY_LENGTH:
        raise BadRequest(f"an idempotency key has at most {KEY_LENGTH} characters")
    return Waitpoint(
        id=token,
        env=env,
        created=now,
        deadline=None if order.timeout is None else delay_until(order.timeout, now),
        callback=core.callbacks.digest(token) if awaits is None else b"",
        tags=_tags(order),
        key=key,
        key_until=later(now, KEY_TTL_MS if ttl is None else duration_ms(ttl))
        if key
        else Instant(0),
        awaits=awaits,
    )


def retried(core: Core, request_key: str) -> Retried | None:
    """Return by what a retry of the same call is known."""
    return Retried(request_key, later(core.now(), RETRY_TTL_MS)) if request_key else None


def _tags(order: TokenOrder) -> tuple[str, ...]:
    given = order.tags
    tags = () if given is None else (given,) if isinstance(given, str) else tuple(given)
    tags = tuple(dict.fromkeys(tags))
    if len(tags) > TAGS_AT_MOST:
        raise Mistake(f"a token has at most {TAGS_AT_MOST} tags, this would have {len(tags)}")
    if any(not 0 < len(tag) <= TAG_LENGTH for tag in tags):
        raise BadRequest(f"a token's tag has 1 to {TAG_LENGTH} characters")
    return tags


# --- the callback --------------------------------------------------------------------------------


async def call_back(core: Core, token: str, proof: str, data: bytes) -> None:
    """Complete a token for whoever was given its callback.

    It is not told whether there is such a token.
    """
    known = await core.stores.waitpoints.load(WaitpointId(token))
    digest = b"" if known is None else known.callback
    if not is_proof(proof, digest) or known is None:
        raise Unauthorized("Invalid URL, hash doesn't match")
    await complete(core, known, data)


# --- completion ----------------------------------------------------------------------------------


async def complete(core: Core, token: Waitpoint, data: bytes) -> None:
    """Give the token its value, and wake whoever waits for it; the first value stays."""
    if token.awaits is not None:
        raise reads_stream(token)
    if len(data) > TOKEN_DATA:
        raise TooLarge(f"a token's value has at most {TOKEN_DATA} bytes, this has {len(data)}")
    if token.state(core.now()) == "WAITING":
        await core.stores.waitpoints.complete(token.id, data)
    waiting = await core.stores.waitpoints.waiters(token.id)
    await _tell(core, token.id, waiting[:AT_ONCE])
    if len(waiting) > AT_ONCE:
        core.start(_tell(core, token.id, waiting[AT_ONCE:]))


async def _tell(core: Core, token: WaitpointId, waiting: Sequence[RunId]) -> None:
    """Have the runs take the value. What fails here is done later by `pay`."""
    for start in range(0, len(waiting), AT_ONCE):
        answers = [_woken(core, run_id, token) for run_id in waiting[start : start + AT_ONCE]]
        await asyncio.gather(*answers, return_exceptions=True)


async def pay(core: Core) -> None:
    """Tell those who wait for a value that is there: a process ended before it could."""
    for run_id, token in await core.stores.waitpoints.owed(AT_ONCE):
        _woken(core, run_id, token)


def _woken(core: Core, run_id: RunId, token: WaitpointId) -> asyncio.Future[object]:
    stream = at_waitpoint(token)

    def waits(run: Run) -> bool:
        return any(wait.stream == stream for wait in run.waits)

    return post_listed(core, run_id, CatchUp(stream), waits)


# --- views ---------------------------------------------------------------------------------------


def show_token(token: Waitpoint, url: str, now: Instant, *, whole: bool) -> TokenView:
    """Show a token, with its value if the `whole` of it is asked for."""
    status = token.state(now)
    output: str | UnsetType = UNSET
    if whole and status == "COMPLETED" and token.output:
        output = token.output.decode()
    elif whole and status == "TIMED_OUT":
        output = _LATE
    return TokenView(
        id=token.id,
        url=url,
        status=status,
        tags=list(token.tags),
        created_at=iso(token.created),
        timeout_at=_when(token.deadline),
        completed_at=_when(token.completed),
        idempotency_key=token.key or UNSET,
        idempotency_key_expires_at=iso(token.key_until) if token.key else UNSET,
        output=output,
        output_type=UNSET if isinstance(output, UnsetType) else "application/json",
        output_is_error=UNSET if isinstance(output, UnsetType) else status == "TIMED_OUT",
    )


def _when(moment: Instant | None) -> str | UnsetType:
    return UNSET if moment is None else iso(moment)


def filter_of(env: EnvId, query: TokenQuery, now: Instant) -> WaitpointFilter:
    """Ask for one more than is shown, to know whether there is a page behind."""
    since = query.since
    if query.within_ms is not None:
        since = max(since or 0, now - query.within_ms)
    return WaitpointFilter(
        env=env,
        size=query.size + 1,
        now=now,
        after=None if query.after is None else WaitpointId(query.after),
        before=None if query.before is None else WaitpointId(query.before),
        states=query.status,
        tags=query.tag,
        key=query.key,
        since=None if since is None else Instant(since),
        until=None if query.until is None else Instant(query.until),
    )
