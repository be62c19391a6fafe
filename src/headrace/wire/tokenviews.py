"""What goes over HTTP, and through every `Api`, about tokens (waitpoints, by their older name).

Must never know: how a token is stored or completed.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from msgspec import UNSET, UnsetType, field

from headrace.wire.views import Pagination, Wire

TokenStatus: TypeAlias = Literal["WAITING", "COMPLETED", "TIMED_OUT"]
TOKEN_STATUSES: tuple[TokenStatus, ...] = get_args(TokenStatus)
TOKEN_DATA = 3 * 1_048_576
"""The most bytes of the body that completes a token."""
TOKEN_ORDER = 10_240
"""The most bytes of the body that makes one."""


class TokenOrder(Wire, frozen=True, kw_only=True):
    """How to make a token. `timeout` is a duration ("7d", seconds) or an ISO date."""

    timeout: str | int | float | None = None
    idempotency_key: str | None = None
    idempotency_key_ttl: str | None = field(default=None, name="idempotencyKeyTTL")
    tags: str | list[str] | None = None


class StreamTokenOrder(TokenOrder, frozen=True, kw_only=True):
    """How to make a token of an input stream. `last_seq_num` is the last record that is known."""

    stream_id: str
    last_seq_num: int | None = None


class StreamTokenCreated(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """A token of a stream that was made."""

    waitpoint_id: str
    is_cached: bool


class TokenCreated(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """A token that was made. A POST to `url`, by anybody, completes it."""

    id: str
    is_cached: bool
    url: str
    public_token: str | UnsetType = UNSET
    """It permits a browser to complete the token. Over HTTP it travels as a header."""


class TokenView(Wire, frozen=True, kw_only=True):
    """A token as everybody outside sees it. Instants are ISO 8601 text."""

    id: str
    url: str
    status: TokenStatus
    tags: list[str]
    created_at: str
    timeout_at: str | UnsetType = UNSET
    completed_at: str | UnsetType = UNSET
    idempotency_key: str | UnsetType = UNSET
    idempotency_key_expires_at: str | UnsetType = UNSET
    output: str | UnsetType = UNSET
    """JSON text; only where one token is asked for."""
    output_type: Literal["application/json"] | UnsetType = UNSET
    output_is_error: bool | UnsetType = UNSET


class TokenPage(Wire, frozen=True, kw_only=True):
    """Tokens, newest first."""

    data: list[TokenView]
    pagination: Pagination


class TokenQuery(Wire, frozen=True, kw_only=True):
    """Which tokens to list. Empty means all. `after` and `before` are ids; instants are in ms.

    `within_ms` is how long ago a token was made at the most.
    """

    size: int = 25
    after: str | None = None
    before: str | None = None
    status: tuple[TokenStatus, ...] = ()
    key: str = ""
    tag: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    within_ms: int | None = None
