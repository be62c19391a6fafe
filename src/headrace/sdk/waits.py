"""Waiting for time to pass, or for a token to be completed.

Must never know: clocks, or who completes a token.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from datetime import datetime
from typing import Any, TypeVar, overload

from typing_extensions import TypeForm

from headrace.sdk import execution
from headrace.sdk._sync_verbs import SyncWaits
from headrace.sdk.answers import Pending
from headrace.sdk.awaited import Awaited
from headrace.sdk.codecs import Codec, codec_for
from headrace.sdk.deadlines import Deadline, Duration, deadline
from headrace.sdk.execution_question import Place
from headrace.sdk.lines import caller_line
from headrace.sdk.tokens import AnyToken, Token, awaited, awaited_again, completed, created, ordered
from headrace.wire.durations import duration_ms

T = TypeVar("T")


class Waits:
    """Durable pauses: the run's memory may be given back, and no restart starts them again."""

    __slots__ = ()

    def for_(
        self, duration: Duration, *, keep_warm: Duration | None = None
    ) -> Coroutine[Any, Any, None]:
        """Wait for as long as said: `await wait.for_("1h")`."""
        return _slept("wait.for_", deadline(duration, None), keep_warm)

    def until(
        self, moment: datetime, *, keep_warm: Duration | None = None
    ) -> Coroutine[Any, Any, None]:
        """Wait until an aware datetime; one that is past already ends at once."""
        return _slept("wait.until", deadline(None, moment), keep_warm)

    def create_token(
        self,
        *,
        timeout: Duration | None = None,
        until: datetime | None = None,
        idempotency_key: str | None = None,
        idempotency_key_ttl: Duration | None = None,
        tags: Sequence[str] = (),
    ) -> Coroutine[Any, Any, Token]:
        """Make a token, which whoever holds it may complete, once, until its time is over.

        Inside a task this is remembered. The same `idempotency_key` again gives the same token.
        """
        order = ordered(timeout, until, idempotency_key, idempotency_key_ttl, tags)
        return created(order, caller_line())

    @overload
    def for_token(
        self,
        token: AnyToken,
        *,
        timeout: Duration | None = ...,
        until: datetime | None = ...,
        keep_warm: Duration | None = ...,
    ) -> Pending[Any]: ...
    @overload
    def for_token(
        self,
        token: AnyToken,
        schema: TypeForm[T],
        *,
        timeout: Duration | None = ...,
        until: datetime | None = ...,
        keep_warm: Duration | None = ...,
    ) -> Pending[T]: ...
    def for_token(
        self,
        token: AnyToken,
        schema: Any = Any,
        *,
        timeout: Duration | None = None,
        until: datetime | None = None,
        keep_warm: Duration | None = None,
    ) -> Pending[Any]:
        """Wait until a token is completed; the run's memory is given back after `keep_warm`.

        It times out with the token, or when its own time is over. A value that is none of the type
        is a `BadValue`.
        """
        codec, limit = codec_for(schema), deadline(timeout, until)
        return Pending(awaited(token, codec, limit, keep_warm, caller_line()), keeps=codec)

    def complete_token(
        self, token: AnyToken, value: Any = None, schema: Any = None
    ) -> Coroutine[Any, Any, None]:
        """Give a token its value, and wake every run that waits for it; the first value stays.

        Without a `schema` the value is written as its own type. Inside a task this is remembered.
        """
        return completed(token, value, schema, caller_line())

    @property
    def sync(self) -> SyncWaits:
        """The same, blocking."""
        return SyncWaits(self)


def _slept(what: str, limit: Deadline, keep_warm: Duration | None) -> Awaited[None]:
    slept = execution.require(what).sleep(
        timeout_ms=limit.timeout_ms,
        until=limit.until,
        line=caller_line(),
        keep_warm_ms=None if keep_warm is None else duration_ms(keep_warm),
    )
    return Awaited(slept)


def again(place: Place) -> Awaited[None]:
    """Go on with a pause in which a snapshot was made."""
    return Awaited(execution.sleep_on(execution.require("wait"), place, line=caller_line()))


def for_token_again(place: Place, codec: Codec[Any]) -> Pending[Any]:
    """Go on with a wait for a token in which a snapshot was made."""
    return Pending(awaited_again(place, codec, caller_line()), keeps=codec)


wait = Waits()
