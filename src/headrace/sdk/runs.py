"""Runs, seen and stopped from anywhere.

Must never know: how an `Api` is reached.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec import UNSET, Raw

from headrace.errors import Mistake
from headrace.sdk._sync_verbs import SyncRuns
from headrace.sdk.codecs import codec_for
from headrace.sdk.connection import connected
from headrace.sdk.deadlines import Duration
from headrace.sdk.following import tagged_views
from headrace.sdk.handles import Handle
from headrace.sdk.inputs import AnyRun, run_id_of
from headrace.sdk.tasks import delay_text, raw_metadata
from headrace.sdk.views import Run, run_of
from headrace.wire.changes import ReplayOrder
from headrace.wire.durations import duration_ms, moment
from headrace.wire.feeds import TagFeed
from headrace.wire.views import RunQuery, Status

_any = codec_for(Any)


class Runs:
    """What is asked of any run. Inside a task nothing of it is remembered: put it into a step."""

    __slots__ = ()

    async def retrieve(self, run: AnyRun) -> Run:
        """Return the run as it is now."""
        api = await connected()
        return run_of(await api.whole(await api.retrieve(run_id_of(run))))

    async def list(
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
        """Return up to `size` runs, newest first; those older than `after`, if it is given.

        `version` is that of the code that they began on; they were created between `since` and
        `until`, both included, and within `period` up to now.
        """
        query = RunQuery(
            size=size,
            after=None if after is None else run_id_of(after),
            status=_statuses(status),
            task=_several(task),
            tag=_several(tag),
            version=_several(version),
            since=None if since is None else moment(since),
            until=None if until is None else moment(until),
            within_ms=None if period is None else duration_ms(period),
            test=test,
        )
        page = await (await connected()).list_runs(query)
        return [run_of(view) for view in page.data]

    async def cancel(self, run: AnyRun) -> Run:
        """Ask the run to stop: its task may clean up. One that is over stays as it is."""
        api = await connected()
        return run_of(await api.whole(await api.cancel(run_id_of(run))))

    async def replay(
        self,
        run: AnyRun,
        *,
        payload: Any = ...,
        tags: str | Iterable[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        delay: Duration | datetime | None = None,
        idempotency_key: str = "",
    ) -> Handle[Any]:
        """Start another run with what this one was started with, but for what is given here.

        Its metadata begins as that of the first run began.
        """
        api = await connected()
        given = await api.retrieve(run_id_of(run))
        order = ReplayOrder(
            payload=UNSET if payload is ... else Raw(_any.encode(payload, "payload")),
            tags=None if tags is None else list(_several(tags)),
            metadata=UNSET if metadata is None else raw_metadata(metadata),
            delay=delay_text(delay),
            idempotency_key=idempotency_key or None,
        )
        started = await api.replay(given.id, order)
        return Handle(started.id, given.task_identifier, _any)

    async def reschedule(self, run: AnyRun, delay: Duration | datetime) -> Run:
        """Have a run that is delayed begin after `delay` from now on, or at that moment."""
        at, api = delay_text(delay), await connected()
        view = await api.reschedule(run_id_of(run), 0 if at is None else at)
        return run_of(await api.whole(view))

    async def tag(self, run: AnyRun, tags: str | Iterable[str]) -> tuple[str, ...]:
        """Add tags to the run, all or none; return those that it has now."""
        return await (await connected()).tag(run_id_of(run), _several(tags))

    async def free_key(self, task_id: str, idempotency_key: str) -> None:
        """Let an idempotency key of a task be used again; `NotFound` if no run stands under it."""
        await (await connected()).free_key(task_id, idempotency_key)

    async def subscribe(
        self,
        run: AnyRun | None = None,
        *,
        tag: str | Iterable[str] = (),
        within: Duration = "24h",
    ) -> AsyncIterator[Run]:
        """Yield the run now and after every change, until it is over.

        With `tag` instead, yield every run with that tag (with all of them, if there are several)
        that was created since `within` ago, and each again after a change; that has no end.
        """
        tags, api = _several(tag), await connected()
        match run, tags:
            case None, (_, *_):
                views = tagged_views(api, TagFeed(tags, duration_ms(within)))
            case None, _:
                raise Mistake("nothing to subscribe to", hint="name a run, or a tag")
            case _, ():
                views = api.subscribe(run_id_of(run))
            case _:
                raise Mistake("a run and a tag at once", hint="subscribe to each by itself")
        async for view in views:
            yield run_of(await api.whole(view))

    @property
    def sync(self) -> SyncRuns:
        """The same, blocking."""
        return SyncRuns(self)


def _several(one_or_more: str | Iterable[str]) -> tuple[str, ...]:
    return (one_or_more,) if isinstance(one_or_more, str) else tuple(one_or_more)


def _statuses(one_or_more: Status | Iterable[Status]) -> tuple[Status, ...]:
    return (one_or_more,) if isinstance(one_or_more, str) else tuple(one_or_more)


runs = Runs()
