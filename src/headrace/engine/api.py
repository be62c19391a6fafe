"""The use cases for one environment: the engine's face.

Owns: nothing; each verb is a line or two onto the parts beside it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager

import msgspec
from msgspec import UNSET

from headrace.engine import sends, triggers, work
from headrace.engine.bells import rung
from headrace.engine.changing import Changing
from headrace.engine.core import Core
from headrace.engine.feeding import Feeding
from headrace.engine.fitting import fitting
from headrace.engine.hints import Declared, said
from headrace.engine.keys import EnvKeys
from headrace.engine.mending import Mending
from headrace.engine.paging import beside, page_of
from headrace.engine.parcels import Parcels
from headrace.engine.sheet import Sheet
from headrace.engine.signing import Sign
from headrace.engine.specs import check
from headrace.engine.tokening import Tokening
from headrace.engine.views import find_run, show
from headrace.engine.writing import Writing
from headrace.errors import Mistake
from headrace.kernel.commands import Cancel
from headrace.kernel.machine import GRACE_MS
from headrace.kernel.model import EnvId, Instant, RunId, TaskId
from headrace.ports import Channel, Filter, Ticket
from headrace.wire.channel import Hello
from headrace.wire.registration import Registration
from headrace.wire.statuses import states_of
from headrace.wire.views import (
    FINAL,
    Pagination,
    Receipt,
    RecordView,
    RunPage,
    RunQuery,
    RunView,
    Triggered,
    TriggerOrder,
)


class EnvApi(Feeding, Writing, Changing, Parcels, Mending, EnvKeys, Tokening):
    """An `Api` bound to one environment.

    `trusted` says that its caller holds a secret key, or a token that names the stream; a `ticket`,
    that it may start one run. `skips` are columns of feeds that it does not see: nor do the tokens
    that it is given.
    """

    def __init__(
        self,
        core: Core,
        env: EnvId,
        sign: Sign,
        *,
        trusted: bool = True,
        ticket: Ticket | None = None,
        skips: Sequence[str] | None = None,
    ) -> None:
        super().__init__(core, env)
        self._sign, self._trusted, self._ticket, self._skips = sign, trusted, ticket, skips

    async def trigger(self, task: str, order: TriggerOrder, *, request_key: str = "") -> Triggered:
        """Start a run of `task`."""
        start = triggers.Start(self._env, task, order, request_key, ticket=self._ticket)
        created = await triggers.trigger(self._core, start)
        return triggers.triggered(created, self._sign(self._env, created.run_id, self._skips))

    async def retrieve(self, run_id: str) -> RunView:
        """Return the run, and how it goes on with the newest code."""
        run = await find_run(self._core, self._env, run_id)
        view, code = await show(self._core, run), await fitting(self._core, run)
        return view if code is None else msgspec.structs.replace(view, code=code)

    async def list_runs(self, query: RunQuery) -> RunPage:
        """List runs, newest first."""
        if query.nothing or (query.status and not _states(query)):
            return RunPage(data=[], pagination=Pagination())
        found = await self._core.stores.runs.find(_filter(self._env, query, self._core.now()))
        page = page_of(query, found)
        data = [_brief(await show(self._core, run)) for run in page]
        return RunPage(data=data, pagination=beside(query, found, [run.id for run in page]))

    async def cancel(self, run_id: str) -> RunView:
        """Ask the run to stop."""
        run = await find_run(self._core, self._env, run_id)
        await self._core.post(run.id, _cancel)
        return await self.retrieve(run_id)

    async def subscribe(self, run_id: str) -> AsyncGenerator[RunView]:
        """Yield the run now and after every change, until it is final."""
        shown: RunView | None = None
        with self._core.bells.bell(RunId(run_id)) as bell:
            while shown is None or shown.status not in FINAL:
                bell.clear()
                view = await show(self._core, await find_run(self._core, self._env, run_id))
                if shown is None or _timeless(view) != _timeless(shown):
                    shown = view
                    yield view
                else:
                    await rung(bell)

    async def send(
        self,
        run_id: str,
        stream: str,
        data: bytes | Mistake,
        *,
        key: str = "",
        request_key: str = "",
    ) -> Receipt:
        """Append `data` to an input stream of the run."""
        core = self._core
        spec = await core.specs.stream(self._env, stream)
        message = sends.Message(
            core, self._env, stream, data, self._key(key, request_key), self._trusted, spec
        )
        return await sends.send(core, message, run_id)

    def _key(self, key: str, request_key: str) -> bytes:
        if key:
            return sends.key_of("key", key)
        if request_key:
            return sends.key_of("request", request_key)
        return self._core.chance.unique(16)

    def tail(
        self, run_id: str, stream: str, *, inward: bool, start: int = 0
    ) -> AsyncGenerator[RecordView]:
        """Yield the records of a stream from number `start` on, waiting for more."""
        return sends.tail(self._core, self._env, run_id, stream, is_inward=inward, start=start)

    async def register(self, registration: Registration) -> None:
        """Declare tasks and streams, durably."""
        check(registration)
        core = self._core
        await core.stores.catalog.register(self._env, registration, core.now())
        core.specs.forget()
        await core.tell(said(Declared(self._env)))

    async def listing(self) -> Registration | None:
        """Return what all workers of the environment have declared."""
        return await self._core.stores.catalog.listing(self._env)

    def attach(self, hello: Hello) -> AbstractAsyncContextManager[Channel]:
        """Take work."""
        return work.attach(self._core, self._env, hello)


def _brief(view: RunView) -> RunView:
    """Leave out what may be megabytes: a page would be many of them."""
    return msgspec.structs.replace(view, payload=UNSET, output=UNSET, large=())


def _timeless(view: RunView) -> RunView:
    """Leave out what changes by itself while the run executes."""
    return msgspec.structs.replace(view, duration_ms=0)


async def _cancel(sheet: Sheet) -> object:
    return sheet.apply(Cancel(GRACE_MS))


def _states(query: RunQuery) -> tuple[str, ...]:
    return tuple(sorted({state for status in query.status for state in states_of(status)}))


def _filter(env: EnvId, query: RunQuery, now: Instant) -> Filter:
    """Ask for one run more than is shown, to know whether there is a page behind."""
    return Filter(
        env=env,
        size=query.size + 1,
        after=None if query.after is None else RunId(query.after),
        before=None if query.before is None else RunId(query.before),
        states=_states(query),
        tasks=tuple(TaskId(task) for task in query.task),
        tags=query.tag,
        versions=query.version,
        since=_since(query, now),
        until=None if query.until is None else Instant(query.until),
        test=query.test,
    )


def _since(query: RunQuery, now: Instant) -> Instant | None:
    """Return the later of both beginnings that may be named."""
    begins = [] if query.since is None else [query.since]
    if query.within_ms is not None:
        begins.append(max(0, now - query.within_ms))
    return Instant(max(begins)) if begins else None
