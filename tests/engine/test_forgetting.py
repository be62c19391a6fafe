"""What an engine notes about runs is let go of once it can be of no use any more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headrace.backends.memory import open_memory
from headrace.backends.memory.waitmap import MemoryWaitMap
from headrace.engine.presence import HEARD_MS
from headrace.kernel.model import RunId
from headrace.testing.clock import ManualClock
from headrace.wire import channel as ch
from tests.engine.gates import Gates, behind
from tests.engine.house import DECLARED, House, opened
from tests.engine.saving import save
from tests.engine.worker import attached
from tests.servers.town import Site, at_rest, town

STEP_MS = 1_000


async def test_a_server_without_workers_forgets_whom_messages_came_for(clock: ManualClock) -> None:
    async with open_memory(clock) as stores:
        elsewhere = behind(stores, Gates(), delivers=False)
        seen = replace(elsewhere, waitmap=MemoryWaitMap(clock))
        async with opened(seen, clock) as house:
            await house.api.register(DECLARED)
            for _ in range(30):
                await house.api.send(await house.start("strict", delay="1h"), "notes", b"1")
                clock.advance(STEP_MS)
            assert _heard_of(house) <= HEARD_MS // STEP_MS


def _heard_of(house: House) -> int:
    presence = house.core.presence
    assert presence is not None
    return len(presence._heard)  # pyright: ignore[reportPrivateUsage]  # a test may look inside


async def test_what_was_answered_elsewhere_is_forgotten_once_the_worker_has_heard_of_it(
    clock: ManualClock,
) -> None:
    async with town(Site(clock)) as (here, there), attached(here) as worker:
        job = await worker.job(await here.start())
        answered = here.core.seats.all()[0].answered
        for n in range(30):
            key, seen = f"/q#{n}", job.next_n
            job.post(ch.Standing(job.run, job.epoch, key, "notes", held=True, seen=seen))
            await at_rest(here, there)
            await there.api.send(job.run, "notes", b"7")
            await job.told()
            assert key in answered[RunId(job.run)]
        assert len(answered[RunId(job.run)]) <= 2


@pytest.mark.parametrize("saves", [False, True])
async def test_a_worker_shows_what_it_has_heard_by_parking_and_by_saving(
    clock: ManualClock, *, saves: bool
) -> None:
    async with town(Site(clock)) as (here, there), attached(here) as worker:
        job = await worker.job(await here.start())
        job.stand(held=True)
        await at_rest(here, there)
        await there.api.send(job.run, "notes", b"7")
        await job.told()
        answered = here.core.seats.all()[0].answered[RunId(job.run)]
        job.post(ch.Parked(job.run, job.epoch, 0))  # before it has heard of it
        await at_rest(here, there)
        assert list(answered) == ["/q#0"]
        if saves:
            save(job)
        else:
            job.park()
        await at_rest(here, there)
        assert list(answered) == []
