"""Engines that hear each other: what one writes, the others' workers are told at once.

The clock stands still in all of these: nothing is found by looking again.
"""

from __future__ import annotations

import pytest

from headrace.wire.channel import Ended, Stopping
from tests.engine.worker import attached, parked
from tests.servers.town import Site, town


@pytest.mark.parametrize("held", [False, True])
async def test_what_is_sent_there_answers_a_wait_here(site: Site, *, held: bool) -> None:
    async with town(site) as (here, there), attached(here) as worker:
        run = await here.start()
        job = await worker.job(run)
        for n in range(3):
            job.stand("notes", f"/q#{n}", held=held)
            await here.rest()
            await there.api.send(run, "notes", str(n).encode())
            assert (await job.told()).body == str(n).encode()


async def test_what_is_sent_there_resumes_a_warm_run_here(site: Site) -> None:
    async with town(site) as (here, there), attached(here) as worker:
        run = await here.start()
        job = await parked(here, await worker.job(run))
        assert (await there.api.send(run, "notes", b"7")).resumed
        assert (await job.told()).body == b"7"
        job.complete()
        await job.heard(Ended)


async def test_who_is_cancelled_there_is_told_here(site: Site) -> None:
    async with town(site) as (here, there), attached(here) as worker:
        job = await worker.job(await here.start())
        await there.api.cancel(job.run)
        await job.heard(Stopping)
