"""Errors and headers over HTTP, for both ends.

Owns: code to status and body, and back; the names of headers.
Must never know: a server or a client library.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from headrace.errors import (
    BadRequest,
    BadValue,
    Forbidden,
    HeadraceError,
    Mistake,
    NotFound,
    Throttled,
    TooLarge,
    Trouble,
    Unauthorized,
    Unavailable,
    Unencodable,
    Verdict,
)

AUTHORIZATION: Final = "authorization"
IDEMPOTENCY_KEY: Final = "idempotency-key"
REQUEST_KEY: Final = "x-trigger-request-idempotency-key"
TOKEN: Final = "x-trigger-jwt"  # noqa: S105 - the name of a header
CLAIMS: Final = "x-trigger-jwt-claims"
SHOULD_RETRY: Final = "x-should-retry"
RETRY_AFTER: Final = "retry-after"
RATE_LIMIT: Final = "x-ratelimit-limit"
RATE_LEFT: Final = "x-ratelimit-remaining"
RATE_RESET: Final = "x-ratelimit-reset"
REQUEST_ID: Final = "x-request-id"
STREAM_VERSION: Final = "x-stream-version"
STREAM_START: Final = "x-trigger-stream-start"
LAST_EVENT_ID: Final = "last-event-id"
TIMEOUT_SECONDS: Final = "timeout-seconds"
CLIENT_ID: Final = "x-client-id"
RESUME_FROM: Final = "x-resume-from-chunk"
LAST_CHUNK: Final = "x-last-chunk-index"
PART_ID: Final = "x-part-id"
API_VERSION: Final = "x-trigger-api-version"
PRESENT_API: Final = "2025-07-16"
"""The version in which statuses have their present names."""

TRIGGER_BODY: Final = 3 * 1_048_576
"""The most bytes of a trigger's body."""
LONGEST_KEY: Final = 2_048
"""The most characters of an idempotency key."""

STATUS: Final[Mapping[str, int]] = {
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "run_is_over": 400,
    "key_reused": 422,
    "bad_request": 400,
    "bad_value": 422,
    "unencodable": 422,
    "too_large": 413,
    "stream_has_handler": 422,
    "outside_run": 422,
    "diverged": 422,
    "mistake": 422,
    "unavailable": 503,
    "trouble": 503,
    "throttled": 429,
}
_OWN: Final = frozenset({"ok", "error", "code", "hint", "param", "type", "requestId"})
Fact = str | float | int | None


def status_of(error: HeadraceError) -> int:
    """Return the status that says `error`; what no caller should see is 500."""
    return STATUS.get(error.code, 500)


def headers_of(error: HeadraceError) -> dict[str, str]:
    """Return the headers that go with `error`."""
    match error:
        case NotFound():
            return {SHOULD_RETRY: "false"}
        case Throttled(retry_after=seconds):
            return {RETRY_AFTER: str(max(1, int(-(-seconds // 1))))}
        case Unauthorized():
            return {"www-authenticate": "Bearer"}
        case _:
            return {}


def body_of(error: HeadraceError) -> bytes:
    """Return the JSON body that says `error`: what happened, its code, the hint and the facts."""
    body: dict[str, object] = {"ok": False, "error": error.message, "code": error.code}
    if error.hint:
        body["hint"] = error.hint
    body |= {
        name: fact
        for name, fact in error.facts.items()
        if name not in _OWN and fact is not None and fact != ""
    }
    if isinstance(error, Forbidden):
        # The very words that the official clients know.
        body |= {"code": "unauthorized", "param": "access_token", "type": "authorization"}
    return msgspec.json.encode(body)


def error_of(status: int, body: bytes, headers: Mapping[str, str]) -> HeadraceError:
    """Return the error that an answer of `status` says. Header names are in lower case."""
    members = _members(body)
    message = _text(members.get("error")) or f"the server answered {status}"
    hint = _text(members.get("hint"))
    kind = _kind(status, _text(members.get("code")))
    facts = {
        name: fact
        for name, fact in members.items()
        if name not in _OWN and isinstance(fact, str | float | int) and not isinstance(fact, bool)
    }
    if issubclass(kind, BadValue | Unencodable):
        return kind(message, path=_text(facts.get("path")), hint=hint)
    if issubclass(kind, Throttled):
        return kind(message, retry_after=_seconds(facts, headers), hint=hint)
    return kind(message, hint=hint, **facts)


def _members(body: bytes) -> dict[str, object]:
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _seconds(facts: Mapping[str, Fact], headers: Mapping[str, str]) -> float:
    exact = facts.get("retry_after")
    if isinstance(exact, float | int):
        return float(exact)
    text = headers.get(RETRY_AFTER, "")
    return float(text) if text.isdecimal() else 1.0


def _kind(status: int, code: str) -> type[HeadraceError]:
    match status:
        case 401:
            return Unauthorized
        case 403:
            return Forbidden
        case _:
            return _KINDS.get(code) or _BY_STATUS.get(status) or _unknown(status)


def _unknown(status: int) -> type[HeadraceError]:
    # Anything that is not plainly the caller's fault may have happened, and may be tried again.
    return Mistake if 400 <= status < 500 and status != 408 else Unavailable  # noqa: PLR2004


def _tree(kind: type[HeadraceError]) -> Iterator[type[HeadraceError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _tree(below)


_KINDS: Final = {kind.code: kind for root in (Mistake, Trouble, Verdict) for kind in _tree(root)}
_BY_STATUS: Final[Mapping[int, type[HeadraceError]]] = {
    400: BadRequest,
    404: NotFound,
    413: TooLarge,
    429: Throttled,
}
