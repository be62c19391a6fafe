"""Law 9 between servers: all hints are lost, and nothing takes longer than 2 s of the store's time.

What is looked for by the store's clock gets exactly that; what is looked for by the loop's is
waited for.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

import anyio
import pytest

from headrace.engine import readers, watching
from headrace.engine.bells import RECHECK_S
from headrace.kernel.model import RunId
from headrace.wire.channel import Ended, Fenced, Stopping, Unread
from headrace.wire.feeds import Place, RunFeed, TagFeed
from tests.engine.house import House
from tests.engine.worker import attached, emitted, parked
from tests.servers.town import Site, soon, town

T = TypeVar("T")
LATE_S = 4.0
"""2 s, and room for a machine that has other things to do."""


async def next_of(source: AsyncGenerator[T]) -> T:
    """Return what comes next, if it comes in time."""
    with anyio.fail_after(LATE_S):
        return await anext(source)


@pytest.mark.parametrize("delivers", [True, False])
@pytest.mark.parametrize("held", [False, True])
async def test_an_answer_is_found(site: Site, *, held: bool, delivers: bool) -> None:
    async with (
        town(site, hints=False, delivers=delivers) as (here, there),
        attached(here) as worker,
    ):
        job = await worker.job(await here.start())
        for n in range(3):
            job.stand("notes", f"/q#{n}", held=held)
            await here.rest()
            await there.api.send(job.run, "notes", str(n).encode())
            await soon(here, there)
            assert (await job.told()).body == str(n).encode()


async def test_a_warm_run_goes_on(site: Site) -> None:
    async with town(site, hints=False) as (here, there), attached(here) as worker:
        job = await parked(here, await worker.job(await here.start()))
        assert (await there.api.send(job.run, "notes", b"7")).resumed
        await soon(here, there)
        assert (await job.told()).body == b"7"
        job.complete()
        await job.heard(Ended)


async def test_a_record_that_nobody_waits_for_is_shown(site: Site) -> None:
    async with town(site, hints=False) as (here, there), attached(here) as worker:
        job = await worker.job(await here.start())
        await soon(here, there)
        await there.api.send(job.run, "notes", b"7")
        await soon(here, there)
        assert (await job.heard(Unread)).body == b"7"


async def test_a_cancellation_and_its_end_are_told(site: Site) -> None:
    async with town(site, hints=False) as (here, there), attached(here) as worker:
        job = await worker.job(await here.start())
        await there.api.cancel(job.run)
        await soon(here, there)
        await job.heard(Stopping)
        here.clock.advance(30_000)
        await soon(here, there)
        await job.heard(Fenced)


async def test_a_timeout_is_told_whoever_noticed_it(site: Site) -> None:
    async with town(site, hints=False) as (here, there), attached(here) as worker:
        jobs = [await worker.job(await here.start()) for _ in range(4)]
        for job in jobs:
            job.stand(timeout_ms=60_000, held=True)
            job.park()
        await here.rest()
        here.clock.advance(60_000)
        await soon(here, there)
        assert [(await job.told()).ending for job in jobs] == ["timeout"] * 4
        for job in jobs:
            assert len(await there.stores.runs.journal(RunId(job.run))) == 1


async def test_a_queued_run_finds_a_worker_elsewhere(site: Site) -> None:
    async with town(site, hints=False) as (here, there), attached(here) as worker:
        await here.rest()
        run, delayed = await there.start(), await there.start(delay="1m")
        await soon(here, there)
        assert (await worker.job(run)).epoch == 1
        here.clock.advance(60_000)
        await soon(here, there)
        assert (await worker.job(delayed)).epoch == 1


async def test_readers_elsewhere_get_what_is_new(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert RECHECK_S <= 2
    for module in (readers, watching):
        monkeypatch.setattr(module, "RECHECK_S", 0.2)
    async with town(site, hints=False) as (here, there), attached(here) as worker:
        job = await worker.job(await here.start(tags=["a"]))
        place = (await there.api.feed(RunFeed(job.run))).place
        of_tag = (await there.api.feed(TagFeed(("a",)))).place
        fed = list[str]()
        async with (
            anyio.create_task_group() as group,
            aclosing(there.api.tail(job.run, "tokens", inward=False)) as records,
        ):
            group.start_soon(_follow, there, RunFeed(job.run), place, fed)
            group.start_soon(_follow, there, TagFeed(("a",)), of_tag, fed)
            for n in range(2):
                job.post(emitted(job, f"/t#{n}", str(n).encode()))
                assert (await next_of(records)).seq == n
            job.complete()
            with pytest.raises(StopAsyncIteration):
                await next_of(records)
        assert fed == ["COMPLETED_SUCCESSFULLY"] * 2


async def _follow(house: House, query: RunFeed | TagFeed, place: Place, fed: list[str]) -> None:
    with anyio.fail_after(2 * LATE_S):
        while True:
            page = await house.api.feed(query, place)
            place = page.place
            if page.rows[-1].ended is not None:
                fed.append(page.rows[-1].status)
                return


async def test_a_worker_that_has_moved_is_let_go(site: Site) -> None:
    async with town(site, hints=False) as (here, there), attached(here) as before:
        job = await parked(here, await before.job(await here.start()))
        async with attached(there, job.holding):
            for _ in range(4):  # it is silent for longer than a lease lasts
                await soon(here, there)
            await before.ended()
            assert not here.core.seats.all()
            assert there.core.seats.all()
