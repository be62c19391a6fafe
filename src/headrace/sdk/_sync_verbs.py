"""The blocking twins of the async classes: the same names, for plain code.

Made by tools/unasync.py from the async classes; change those, and make this anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from typing_extensions import TypeForm

from headrace.sdk._sync import SyncHandle
from headrace.sdk.answers import Answer
from headrace.sdk.blocking import blocking, blocking_iterator
from headrace.sdk.deadlines import Duration
from headrace.sdk.views import Run
from headrace.wire.views import Status

if TYPE_CHECKING:  # those modules import this one
    from headrace.sdk.auth import Auth
    from headrace.sdk.inputs import (
        AnyRun,
        InputStreamOf,
    )
    from headrace.sdk.runs import Runs
    from headrace.sdk.tokens import AnyToken, Token
    from headrace.sdk.waits import Waits

A = ParamSpec("A")
P = TypeVar("P")
R = TypeVar("R")
T = TypeVar("T")


class SyncWaits:
    """`Waits`, blocking."""

    __slots__ = ("_of",)

    def __init__(self, of: Waits) -> None:
        self._of = of

    def for_(self, duration: Duration, *, keep_warm: Duration | None = None) -> None:
        """Wait for as long as said: `await wait.for_("1h")`."""
        return blocking(self._of.for_(duration, keep_warm=keep_warm))

    def until(self, moment: datetime, *, keep_warm: Duration | None = None) -> None:
        """Wait until an aware datetime; one that is past already ends at once."""
        return blocking(self._of.until(moment, keep_warm=keep_warm))

    def create_token(
        self,
        *,
        timeout: Duration | None = None,
        until: datetime | None = None,
        idempotency_key: str | None = None,
        idempotency_key_ttl: Duration | None = None,
        tags: Sequence[str] = (),
    ) -> Token:
        """Make a token, which whoever holds it may complete, once, until its time is over."""
        return blocking(
            self._of.create_token(
                timeout=timeout,
                until=until,
                idempotency_key=idempotency_key,
                idempotency_key_ttl=idempotency_key_ttl,
                tags=tags,
            )
        )

    @overload
    def for_token(
        self,
        token: AnyToken,
        *,
        timeout: Duration | None = ...,
        until: datetime | None = ...,
        keep_warm: Duration | None = ...,
    ) -> Answer[Any]: ...

    @overload
    def for_token(
        self,
        token: AnyToken,
        schema: TypeForm[T],
        *,
        timeout: Duration | None = ...,
        until: datetime | None = ...,
        keep_warm: Duration | None = ...,
    ) -> Answer[T]: ...

    def for_token(
        self,
        token: AnyToken,
        schema: Any = Any,
        *,
        timeout: Duration | None = None,
        until: datetime | None = None,
        keep_warm: Duration | None = None,
    ) -> Answer[Any]:
        """Wait until a token is completed; the run's memory is given back after `keep_warm`."""
        return blocking(
            self._of.for_token(token, schema, timeout=timeout, until=until, keep_warm=keep_warm)
        )

    def complete_token(self, token: AnyToken, value: Any = None, schema: Any = None) -> None:
        """Give a token its value, and wake every run that waits for it; the first value stays."""
        return blocking(self._of.complete_token(token, value, schema))


class SyncRuns:
    """`Runs`, blocking."""

    __slots__ = ("_of",)

    def __init__(self, of: Runs) -> None:
        self._of = of

    def retrieve(self, run: AnyRun) -> Run:
        """Return the run as it is now."""
        return blocking(self._of.retrieve(run))

    def list(
        self,
        *,
        status: Status | Iterable[Status] = (),
        task: str | Iterable[str] = (),
        tag: str | Iterable[str] = (),
        version: str | Iterable[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        period: Duration | None = None,
        test: bool | None = None,
        size: int = 25,
        after: AnyRun | None = None,
    ) -> list[Run]:
        """Return up to `size` runs, newest first; those older than `after`, if it is given."""
        return blocking(
            self._of.list(
                status=status,
                task=task,
                tag=tag,
                version=version,
                since=since,
                until=until,
                period=period,
                test=test,
                size=size,
                after=after,
            )
        )

    def cancel(self, run: AnyRun) -> Run:
        """Ask the run to stop: its task may clean up. One that is over stays as it is."""
        return blocking(self._of.cancel(run))

    def replay(
        self,
        run: AnyRun,
        *,
        payload: Any = ...,
        tags: str | Iterable[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        delay: Duration | datetime | None = None,
        idempotency_key: str = "",
    ) -> SyncHandle[Any]:
        """Start another run with what this one was started with, but for what is given here."""
        return blocking(
            self._of.replay(
                run,
                payload=payload,
                tags=tags,
                metadata=metadata,
                delay=delay,
                idempotency_key=idempotency_key,
            )
        ).sync

    def reschedule(self, run: AnyRun, delay: Duration | datetime) -> Run:
        """Have a run that is delayed begin after `delay` from now on, or at that moment."""
        return blocking(self._of.reschedule(run, delay))

    def tag(self, run: AnyRun, tags: str | Iterable[str]) -> tuple[str, ...]:
        """Add tags to the run, all or none; return those that it has now."""
        return blocking(self._of.tag(run, tags))

    def free_key(self, task_id: str, idempotency_key: str) -> None:
        """Let an idempotency key of a task be used again; `NotFound` if no run stands under it."""
        return blocking(self._of.free_key(task_id, idempotency_key))

    def subscribe(
        self, run: AnyRun | None = None, *, tag: str | Iterable[str] = (), within: Duration = "24h"
    ) -> Iterator[Run]:
        """Yield the run now and after every change, until it is over."""
        return blocking_iterator(self._of.subscribe(run, tag=tag, within=within))


class SyncAuth:
    """`Auth`, blocking."""

    __slots__ = ("_of",)

    def __init__(self, of: Auth) -> None:
        self._of = of

    def public_token(
        self,
        *,
        read: Iterable[InputStreamOf[Any] | AnyRun] = (),
        send: Iterable[InputStreamOf[Any] | AnyRun] = (),
        trigger: Iterable[str] = (),
        scopes: Iterable[str] = (),
        expires: Duration = "15m",
        uses: int | None = None,
        single_use: bool = False,
        actor: str = "",
    ) -> str:
        """Sign a token that may read these runs or streams, send to these or to all of a run."""
        return blocking(
            self._of.public_token(
                read=read,
                send=send,
                trigger=trigger,
                scopes=scopes,
                expires=expires,
                uses=uses,
                single_use=single_use,
                actor=actor,
            )
        )
