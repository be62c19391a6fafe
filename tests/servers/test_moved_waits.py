"""Waits in memory, of which a server knows nothing new any more: their worker sits elsewhere."""

from __future__ import annotations

import pytest

from headrace.engine import core
from headrace.kernel.model import inward
from tests.engine.house import House
from tests.engine.saving import remembers, save
from tests.engine.worker import Job, attached
from tests.servers.town import Site, at_rest, town


async def _taken(house: House, job: Job) -> int:
    """Return how many messages the run has taken."""
    return (await house.run(job.run)).cursors.get(inward("notes"), 0)


@pytest.mark.parametrize("delivers", [True, False])
async def test_what_was_answered_elsewhere_and_let_go_of_takes_nothing_more(
    site: Site, *, delivers: bool
) -> None:
    async with (
        town(site, hints=False, delivers=delivers) as (here, there),
        attached(here) as worker,
    ):
        job = await worker.job(await here.start())
        job.stand()
        await at_rest(here, there)
        async with attached(there, job.holding) as again:
            job.moves_to(again)
            job.stand()
            await at_rest(here, there)
            await there.api.send(job.run, "notes", b"7")
            assert (await job.told()).body == b"7"
            save(await remembers(job, 3), drops=True)
            await at_rest(here, there)
            assert (await here.run(job.run)).base == job.next_n
            receipt = await here.api.send(job.run, "notes", b"8")
            assert (receipt.resumed, await _taken(here, job)) == (False, 1)


async def test_a_desk_whose_worker_has_left_is_not_kept(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "DESKS_KEPT", 3)
    async with town(site, hints=False) as (here, there):
        async with attached(here) as worker:
            for _ in range(8):
                job = await worker.job(await here.start())
                job.stand()
            await at_rest(here, there)
            assert len(here.core.desks()) == 8
        for _ in range(4):
            await here.api.send(await here.start("strict", delay="1h"), "notes", b"1")
        assert len(here.core.desks()) <= 4
