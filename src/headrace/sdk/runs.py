"""Runs, seen and stopped from anywhere.

Must never know: how an `Api` is reached.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from headrace.sdk._sync import SyncRuns
from headrace.sdk.connection import connected
from headrace.sdk.inputs import AnyRun, run_id_of
from headrace.sdk.views import Run, run_of
from headrace.wire.views import RunQuery, Status


class Runs:
    """What is asked of any run. Inside a task nothing of it is remembered: put it into a step."""

    __slots__ = ()

    async def retrieve(self, run: AnyRun) -> Run:
        """Return the run as it is now."""
        return run_of(await (await connected()).retrieve(run_id_of(run)))

    async def list(
        self,
        *,
        status: Status | Iterable[Status] = (),
        task: str | Iterable[str] = (),
        tag: str | Iterable[str] = (),
        size: int = 25,
        after: AnyRun | None = None,
    ) -> list[Run]:
        """Return up to `size` runs, newest first; those older than `after`, if it is given."""
        query = RunQuery(
            size=size,
            after=None if after is None else run_id_of(after),
            status=_statuses(status),
            task=_several(task),
            tag=_several(tag),
        )
        page = await (await connected()).list_runs(query)
        return [run_of(view) for view in page.data]

    async def cancel(self, run: AnyRun) -> Run:
        """Ask the run to stop: its task may clean up. One that is over stays as it is."""
        return run_of(await (await connected()).cancel(run_id_of(run)))

    async def subscribe(self, run: AnyRun) -> AsyncIterator[Run]:
        """Yield the run now and after every change, until it is over."""
        async for view in (await connected()).subscribe(run_id_of(run)):
            yield run_of(view)

    @property
    def sync(self) -> SyncRuns:
        """The same, blocking."""
        return SyncRuns(self)


def _several(one_or_more: str | Iterable[str]) -> tuple[str, ...]:
    return (one_or_more,) if isinstance(one_or_more, str) else tuple(one_or_more)


def _statuses(one_or_more: Status | Iterable[Status]) -> tuple[Status, ...]:
    return (one_or_more,) if isinstance(one_or_more, str) else tuple(one_or_more)


runs = Runs()
