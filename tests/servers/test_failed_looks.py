"""A look that fails is owed until one has succeeded: no message sleeps because of a single read.

All hints are lost, so that nobody else has any reason to look again.
"""

from __future__ import annotations

from functools import partial

import pytest

from headrace.engine.jobs import nothing
from headrace.kernel.model import RunId
from headrace.ports import Stores
from headrace.wire.channel import Unread
from tests.engine.gates import Gates, behind
from tests.engine.saving import save
from tests.engine.worker import attached, parked
from tests.servers.stumbling import Stumbles, stumbling
from tests.servers.town import Site, soon, town

MANY = 20
"""More streams than are weighed at the same time."""


@pytest.mark.parametrize("failing", ["load", "sight", "read"])
@pytest.mark.parametrize("held", [False, True])
async def test_an_answer_is_told_though_the_look_for_it_failed(
    site: Site, failing: str, *, held: bool
) -> None:
    stumbles = Stumbles()
    first = partial(stumbling, stumbles=stumbles)
    async with town(site, hints=False, first=first) as (here, there), attached(here) as worker:
        job = await worker.job(await here.start())
        for n in range(3):
            job.stand("notes", f"/q#{n}", held=held)
            await soon(here, there)
            await there.api.send(job.run, "notes", str(n).encode())
            stumbles.next[failing] = 1
            await soon(here, there)
            await soon(here, there)
            assert (await job.told()).body == str(n).encode()
            stumbles.next.clear()
        may_fail = {"load": site.is_one, "sight": not site.is_one, "read": not held}[failing]
        assert bool(stumbles.failed) == may_fail


async def test_an_answer_is_told_though_the_journal_could_not_be_read_in_time(
    site: Site,
) -> None:
    stumbles = Stumbles()
    first = partial(stumbling, stumbles=stumbles)
    async with town(site, hints=False, first=first) as (here, there), attached(here) as worker:
        job = await parked(here, await worker.job(await here.start()))
        await there.api.send(job.run, "notes", b"7")
        stumbles.next.update(journal=1, sight=1)
        await soon(here, there)
        await soon(here, there)
        assert (await job.told()).body == b"7"
        assert stumbles.failed == 1


async def test_a_record_is_shown_though_the_look_at_it_failed(site: Site) -> None:
    stumbles = Stumbles()
    first = partial(stumbling, stumbles=stumbles)
    async with town(site, hints=False, first=first) as (here, there), attached(here) as worker:
        job = await worker.job(await here.start())
        await soon(here, there)
        await there.api.send(job.run, "notes", b"7")
        stumbles.next["read"] = 1
        await soon(here, there)
        await soon(here, there)
        assert (await job.heard(Unread)).body == b"7"
        assert stumbles.failed == 1


@pytest.mark.parametrize("failing", [1, 3])
@pytest.mark.parametrize("leaves", [False, True])
async def test_what_came_before_a_wait_stood_is_taken_though_the_log_could_not_be_read(
    site: Site, failing: int, *, leaves: bool
) -> None:
    """The log is none of the database: whoever sent has offered, when nothing waited yet."""
    stumbles, gates = Stumbles(), Gates()

    def first(stores: Stores) -> Stores:
        return stumbling(behind(stores, gates, delivers=False), stumbles, delivers=False)

    async with (
        town(site, hints=False, delivers=False, first=first) as (here, there),
        attached(here) as worker,
    ):
        job = await worker.job(await here.start())
        await soon(here, there)
        gates.may_commit.clear()
        job.stand(held=True)
        job.park()
        if leaves:
            save(job, leaves=True)
        await here.until(lambda: gates.committing == 1)
        assert not (await there.api.send(job.run, "notes", b"7")).resumed
        stumbles.next["read"] = failing
        gates.may_commit.set()
        for _ in range(failing):
            await soon(here, there)
        job = await worker.job(job.run) if leaves else job
        assert (job.entries[0] if leaves else await job.told()).body == b"7"
        assert stumbles.failed == failing


async def test_a_stream_that_cannot_be_weighed_holds_up_no_other(site: Site) -> None:
    stumbles = Stumbles()
    first = partial(stumbling, stumbles=stumbles, delivers=False)
    async with (
        town(site, hints=False, delivers=False, first=first) as (here, there),
        attached(here, slots=MANY) as worker,
    ):
        jobs = [await worker.job(await here.start()) for _ in range(MANY)]
        for job in jobs:
            job.stand()
        await soon(here, there)
        await there.api.send(jobs[-1].run, "notes", b"7")
        stumbles.next["backlog"] = 1
        await soon(here, there)
        assert (await jobs[-1].told()).body == b"7"
        assert stumbles.failed == 1


async def test_who_owes_a_look_is_not_given_up(site: Site) -> None:
    stumbles = Stumbles()
    first = partial(stumbling, stumbles=stumbles)
    async with town(site, hints=False, first=first) as (here, there), attached(here) as worker:
        job = await parked(here, await worker.job(await here.start()))
        desk = here.core.desk(RunId(job.run))
        idle = [desk.is_idle]
        stumbles.next.update(load=1, sight=1)
        here.core.look_at(desk)
        await here.rest()
        idle.append(desk.is_idle)
        await soon(here, there)
        assert [*idle, desk.is_idle] == [True, False, True]


async def test_a_run_that_is_forgotten_is_owed_nothing(site: Site) -> None:
    stumbles = Stumbles()
    first = partial(stumbling, stumbles=stumbles)
    async with town(site, hints=False, first=first) as (here, there):
        desk = here.core.desk(RunId("run_unknown"))
        stumbles.next.update(load=1, sight=1)
        here.core.look_at(desk)
        await here.rest()
        idle = [desk.is_idle]
        await soon(here, there)
        assert [*idle, desk.is_idle] == [False, True]


async def test_a_reading_that_comes_late_does_not_hide_a_claim(site: Site) -> None:
    """The clock stands still: nobody but who has claimed the run tells its worker."""
    stumbles = Stumbles()
    first = partial(stumbling, stumbles=stumbles)
    async with town(site, 1, first=first) as (house,):
        run = RunId(await house.start())
        stumbles.late = frozenset({"load", "sight"})
        desk = house.core.desk(run)
        house.core.look_at(desk)
        await house.until(lambda: stumbles.asked["load"] + stumbles.asked["sight"] > 0)
        async with attached(house) as worker:
            await house.until(lambda: desk.run is not None and desk.run.epoch == 1)
            stumbles.may_answer.set()
            assert (await worker.job(run)).epoch == 1
            assert (await house.core.post(run, nothing)) is None
            assert desk.certain == await house.run(run)
