"""Those who read many runs are told in time though no hint comes, and nobody waits behind them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing

import anyio
import pytest

from headrace.engine import readers, watching
from headrace.errors import Unavailable
from headrace.kernel.model import RunId, StreamId, outward
from headrace.ports import Backlog, Draft, Stores
from headrace.testing.clock import ManualClock
from headrace.testing.faults import FailingStreams, Fault, Faults
from headrace.wire.feeds import RunFeed
from tests.engine.house import House
from tests.servers.town import Site, town

MANY = 120
IN_TIME_S = 5.0


class SlowStreams(FailingStreams):
    """Streams that answer a look once so many are under way; and never, of some runs."""

    def __init__(self, stores: Stores, together: int) -> None:
        super().__init__(stores.streams, Faults(Fault(at=0)))
        self._together, self._under_way = together, 0
        self._may_answer = asyncio.Event()
        self.broken = frozenset[RunId]()

    async def ends(self, run_id: RunId) -> Mapping[StreamId, Backlog]:
        """Weigh all streams together with others."""
        if run_id in self.broken:
            raise Unavailable("a read was made to fail")
        self._under_way += 1
        if self._under_way >= self._together:
            self._may_answer.set()
        await self._may_answer.wait()
        return await super().ends(run_id)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (readers, watching):
        monkeypatch.setattr(module, "RECHECK_S", 0.1)


async def _read(house: House, run: RunId, told: Counter[RunId]) -> None:
    async with aclosing(house.api.tail(run, "tokens", inward=False)) as records:
        async for _ in records:
            told[run] += 1


async def _append(house: House, run: RunId) -> None:
    stream = outward("tokens")
    await house.stores.streams.append(Draft(run, stream, 0, b"1", house.clock.now(), b"k"))


async def test_many_readers_are_looked_for_together() -> None:
    async with town(Site(ManualClock()), 1) as (house,):
        slow = SlowStreams(house.stores, readers.READ_AT_ONCE)
        house.core.readers._streams = slow  # pyright: ignore[reportPrivateUsage]
        runs, told = [RunId(await house.start()) for _ in range(MANY)], Counter[RunId]()
        slow.broken = frozenset(runs[:3])
        async with anyio.create_task_group() as group:
            for run in runs:
                group.start_soon(_read, house, run, told)
            await house.until(lambda: house.engine.listeners == MANY)
            for run in runs:
                await _append(house, run)
            with anyio.fail_after(IN_TIME_S):
                await house.until(lambda: told == Counter(runs[3:]))
            slow.broken = frozenset()
            with anyio.fail_after(IN_TIME_S):
                await house.until(lambda: told == Counter(runs))
            group.cancel_scope.cancel()


async def test_who_follows_a_run_does_not_wait_for_those_who_read() -> None:
    async with town(Site(ManualClock()), 1) as (house,):
        house.core.readers._streams = SlowStreams(house.stores, 2)  # pyright: ignore[reportPrivateUsage]
        run, told = RunId(await house.start()), Counter[RunId]()
        place = (await house.api.feed(RunFeed(run))).place
        async with anyio.create_task_group() as group:
            group.start_soon(_read, house, run, told)
            await house.until(lambda: house.engine.listeners == 1)
            await house.stores.runs.metadata(run, b'{"by":"another process"}')
            with anyio.fail_after(IN_TIME_S):
                page = await house.api.feed(RunFeed(run), place)
            assert page.rows[0].metadata == b'{"by":"another process"}'
            group.cancel_scope.cancel()
