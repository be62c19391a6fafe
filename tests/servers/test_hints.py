"""Engines that hear each other: what one writes, the others' workers are told at once.

The clock stands still in all of these: nothing is found by looking again.
"""

from __future__ import annotations

from contextlib import aclosing

import anyio
import pytest

from headrace.engine.hints import Declared, Grown, Here, Hint, Left, Seated, Written, heard, said
from headrace.kernel.model import EnvId, RunId, TaskId, WorkerId, inward
from headrace.wire.channel import Ended, Renewed, Stopping
from tests.engine.worker import attached, parked
from tests.servers.town import Site, at_rest, town


@pytest.mark.parametrize(
    "hint",
    [
        Left(EnvId("dev"), TaskId("my task")),
        Seated(WorkerId("dev/a worker"), 7),
        Here(is_new=True),
        Here(is_new=False),
        *(
            word(RunId("run_1"), frozenset(map(inward, names)))
            for word in (Grown, Written)
            for names in ((), ("notes",), ("my notes", "notes", "a\N{NO-BREAK SPACE}b"))
        ),
        Declared(EnvId("dev")),
    ],
)
def test_what_is_said_is_heard(hint: Hint) -> None:
    assert heard(said(hint)) == hint


def test_what_is_no_hint_or_of_a_newer_server_means_nothing() -> None:
    assert heard(RunId("run_1")) is None
    assert heard(RunId("?novel\nword\nwith\nparts")) is None


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


async def test_a_run_without_a_worker_there_is_taken_up_here(site: Site) -> None:
    async with town(site) as (here, there), attached(here) as worker:
        await at_rest(here, there)
        run = await there.start()
        assert (await worker.job(run)).epoch == 1


async def test_what_a_full_server_leaves_is_taken_up_by_another(site: Site) -> None:
    async with (
        town(site) as (here, there),
        attached(there, name="small", slots=1) as small,
        attached(here, name="large") as large,
    ):
        await at_rest(here, there)
        runs = [await there.start() for _ in range(4)]
        assert (await small.job(runs[0])).epoch == 1
        for run in runs[1:]:
            assert (await large.job(run)).epoch == 1


async def test_what_comes_into_the_queue_there_is_taken_up_here(site: Site) -> None:
    """Its last worker gives it back; nobody has room there."""
    async with town(site) as (here, there), attached(there, name="small", slots=1) as small:
        job = await small.job(await there.start())
        async with attached(here, name="large") as large:
            await at_rest(here, there)
            small.post(Renewed(0))
            job.release()
            assert (await large.job(job.run)).epoch == 2


async def test_of_many_runs_left_over_not_each_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with town(site) as (here, there):
        told, tell = list[RunId](), there.stores.wakeups.announce

        async def announce(run_id: RunId, by: str = "") -> None:
            told.append(run_id)
            await tell(run_id, by)

        monkeypatch.setattr(there.stores.wakeups, "announce", announce)
        for _ in range(50):
            await there.start()
            await there.rest()
        async with attached(here, slots=100) as worker:
            await worker.job(await there.start())
        assert 0 < len([hint for hint in told if isinstance(heard(hint), Left)]) < 25


async def test_a_claimed_run_is_told_to_who_follows_it_elsewhere(site: Site) -> None:
    async with town(site) as (here, there):
        run, seen = await here.start(), list[str]()

        async def follow() -> None:
            async with aclosing(there.api.subscribe(run)) as views:
                async for view in views:
                    seen.append(view.status)

        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            await there.until(lambda: seen == ["QUEUED"])
            await at_rest(here, there)
            async with attached(here) as worker:
                await worker.job(run)
                with anyio.fail_after(1):
                    await there.until(lambda: seen == ["QUEUED", "EXECUTING"])
            group.cancel_scope.cancel()


async def test_a_worker_that_moves_sits_at_one_server_only(site: Site) -> None:
    """Its old connection is half open: nobody has told the old server that it is gone."""
    async with town(site) as (here, there), attached(here) as before:
        job = await parked(here, await before.job(await here.start()))
        async with attached(there, job.holding) as worker:
            await before.ended()
            job.moves_to(worker)
            await here.api.send(job.run, "notes", b"7")
            assert (await job.told()).body == b"7"
            assert not here.core.seats.all()
            runs = [await here.start() for _ in range(3)]
            for run in runs:
                assert (await worker.job(run)).epoch == 1


async def test_a_word_of_an_old_seat_unseats_nobody(site: Site) -> None:
    async with town(site) as (here, there), attached(here) as worker:
        await there.core.tell(said(Seated(here.worker("worker"), 0)))
        await there.core.tell(said(Seated(here.worker("another"), 99)))
        await at_rest(here, there)
        assert (await worker.job(await there.start())).epoch == 1
