"""Whoever holds a run has a lease, or is found out: no run is left in the hands of nobody."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from headrace.engine.dispatch import LEASE_MS, ROUND_MS, Warden
from headrace.engine.jobs import nothing
from headrace.kernel.model import Queued, RunId, Running, WorkerId, later
from headrace.wire import channel as ch
from headrace.wire.channel import Ended
from tests.engine.house import DECLARED, House, opened
from tests.engine.worker import CAUSE, attached, parked
from tests.servers.town import Site, at_rest, soon, town

LOST = WorkerId("dev/lost")


async def _given_up(house: House) -> None:
    """Give the lost worker up, as a server does whose clock is somewhat ahead."""
    await house.stores.leases.drop(LOST, later(house.clock.now(), LEASE_MS))


async def _lapse(*houses: House) -> None:
    """Let the lease end, bit by bit: a jump would look as if the servers had stood still."""
    for _ in range(LEASE_MS // ROUND_MS + 1):
        await at_rest(*houses)
        houses[0].clock.advance(ROUND_MS)
    await at_rest(*houses)


@pytest.mark.parametrize("hints", [True, False])
async def test_what_a_worker_got_that_was_given_up_is_taken_from_it(
    site: Site, *, hints: bool
) -> None:
    """It was on its way when others looked at what the worker held."""
    async with (
        town(site, hints=hints) as (here, there),
        attached(here, name="lost", lasts=False) as lost,
    ):
        await _given_up(there)
        run = await here.start()
        await lost.job(run)
        assert (await there.run(run)).state == Running(LOST)
        async with attached(there, name="heir") as heir:
            await soon(here, there)
            assert (await heir.job(run)).epoch == 2
            assert (await there.run(run)).lost == 1


async def test_a_warm_run_of_a_worker_that_was_given_up_turns_cold(site: Site) -> None:
    async with (
        town(site, hints=False) as (here, there),
        attached(here, name="lost", lasts=False) as lost,
    ):
        job = await parked(here, await lost.job(await here.start()))
        await _given_up(there)
        await soon(here, there)
        assert await there.stores.runs.held(LOST) == []
        async with attached(there, name="heir") as heir:
            await there.api.send(job.run, "notes", b"7")
            await soon(here, there)
            assert [entry.body for entry in (await heir.job(job.run)).entries] == [b"7"]


async def test_a_silent_worker_is_given_nothing_after_its_lease(site: Site) -> None:
    """Its server has not heard that it is gone: else each round would count another loss."""
    async with (
        town(site, 3) as houses,
        attached(houses[2], name="lost", lasts=False) as lost,
    ):
        run = await houses[2].start()
        await lost.job(run)
        await _lapse(*houses)
        found = await houses[0].run(run)
        assert (found.epoch, found.lost) == (1, 1)
        assert not houses[2].core.seats.all()
        again = await houses[2].start()
        async with attached(houses[0], name="heir") as heir:
            await soon(*houses)
            assert [(await heir.job(one)).epoch for one in (run, again)] == [2, 1]


async def test_a_worker_is_given_up_when_its_lease_ends_and_no_round_later(site: Site) -> None:
    async with town(site, 1) as (here,):
        await at_rest(here)
        here.clock.advance(ROUND_MS // 2)
        await at_rest(here)
        async with attached(here, name="lost", lasts=False) as lost:
            run = await here.start()
            await lost.job(run)
            for step in (
                ROUND_MS // 2,
                *[ROUND_MS] * (LEASE_MS // ROUND_MS - 1),
                ROUND_MS // 2 - 1,
            ):
                here.clock.advance(step)
                await at_rest(here)
            assert isinstance((await here.run(run)).state, Running)
            here.clock.advance(1)
            await at_rest(here)
            assert isinstance((await here.run(run)).state, Queued)


async def test_a_server_gives_nothing_to_who_has_no_lease_by_what_it_knows(site: Site) -> None:
    async with (
        town(site, hints=False) as (here, there),
        attached(here, name="lost", lasts=False) as lost,
    ):
        await lost.job(await here.start())
        for _ in range(LEASE_MS // ROUND_MS - 1):
            await at_rest(here, there)
            here.clock.advance(ROUND_MS)
        await at_rest(here, there)
        seat = here.core.seats.of(LOST)
        assert seat is not None
        await here.until(lambda: seat.free > 0)  # it has none while runs are being claimed for it
        here.clock.advance(ROUND_MS)
        assert not seat.free
        await at_rest(here, there)
        assert not seat.is_open


async def test_a_server_that_starts_makes_no_lease_longer(site: Site) -> None:
    """Another one served all the time: who did not renew there is gone."""
    async with (
        town(site, 1) as (here,),
        attached(here, name="lost", lasts=False) as lost,
    ):
        run = await here.start()
        await lost.job(run)
        await at_rest(here)
        here.clock.advance(ROUND_MS)
        async with opened(here.stores, site.clock, "new") as new:
            for _ in range(LEASE_MS // ROUND_MS - 1):
                assert isinstance((await here.run(run)).state, Running)
                await at_rest(here, new)
                here.clock.advance(ROUND_MS)
            await at_rest(here, new)
            assert isinstance((await here.run(run)).state, Queued)


async def test_the_only_server_gives_workers_the_time_of_a_lease_when_it_starts(
    site: Site,
) -> None:
    async with site.stores() as stores:
        async with opened(stores, site.clock, "old") as old:
            await old.api.register(DECLARED)
            async with attached(old, name="lost", lasts=False) as lost:
                run = await old.start()
                await lost.job(run)
        site.clock.advance(2 * LEASE_MS)
        async with opened(stores, site.clock, "new") as new:
            await _blamed_after_a_lease(new, run)


async def test_a_server_that_stood_still_gives_workers_the_time_of_a_lease(site: Site) -> None:
    async with (
        town(site, 1) as (here,),
        attached(here, name="lost", lasts=False) as lost,
    ):
        run = await here.start()
        await lost.job(run)
        await at_rest(here)
        here.clock.advance(2 * LEASE_MS)
        await _blamed_after_a_lease(here, run)


async def _blamed_after_a_lease(house: House, run: str) -> None:
    for _ in range(LEASE_MS // ROUND_MS):
        await at_rest(house)
        assert (await house.run(run)).state == Running(LOST)
        house.clock.advance(ROUND_MS)
    await at_rest(house)
    assert isinstance((await house.run(run)).state, Queued)


async def test_a_worker_that_has_come_back_is_not_given_up(site: Site) -> None:
    """It was listed as lost before it sat down again."""
    async with town(site, hints=False) as (here, there), attached(here, name="lost") as lost:
        job = await lost.job(await here.start())
        for house in (here, there):
            await Warden(house.core).bury(LOST)
        await at_rest(here, there)
        job.step("/s#0")
        assert (await job.told()).key == "/s#0"
        assert (await there.run(job.run)).epoch == 1


async def test_who_takes_runs_from_a_lost_worker_trusts_no_memory(site: Site) -> None:
    async with town(site, hints=False) as (here, there):
        run = await here.start()
        await there.core.post(RunId(run), nothing)  # it remembers the run as queued
        async with attached(here, name="lost", lasts=False) as lost:
            await lost.job(run)
            await _given_up(there)
            await Warden(there.core).bury(LOST)
            assert isinstance((await there.run(run)).state, Queued)


async def test_who_tries_blocked_runs_again_trusts_no_memory(site: Site) -> None:
    async with (
        town(site, hints=False) as (here, there),
        attached(here, name="old") as old,
    ):
        job = await old.job(await here.start())
        await at_rest(here, there)  # a worker that has come tries once what is blocked by then
        await there.core.post(RunId(job.run), nothing)  # it remembers the run as executing
        job.post(ch.Blocked(job.run, job.epoch, CAUSE))
        await job.heard(Ended)
        await here.api.register(replace(DECLARED, version="2"))
        async with attached(there, name="new", version="2") as new:
            assert (await new.job(job.run)).epoch == 2
