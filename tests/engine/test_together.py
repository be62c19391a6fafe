"""Two engines on one file, as two servers: what one does, the other's workers and callers see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from headrace.kernel.model import RunId
from headrace.testing.clock import ManualClock
from headrace.wire.channel import Ended, Fenced, Stopping, Unread
from headrace.wire.registration import Registration, StreamSpec
from tests.engine.house import DECLARED, PATIENCE_S, Ground, House
from tests.engine.worker import attached, parked


@pytest.fixture
async def ground(clock: ManualClock, tmp_path: Path) -> AsyncIterator[Ground]:
    async with Ground(clock, tmp_path / "headrace.db") as ground:
        yield ground


@pytest.fixture
async def here(ground: Ground) -> AsyncIterator[House]:
    """The engine that the workers are attached to."""
    async with ground.house("here") as house:
        await house.api.register(DECLARED)
        yield house


@pytest.fixture
async def there(ground: Ground, here: House) -> AsyncIterator[House]:
    """The engine that the callers talk to."""
    async with ground.house("there") as house:
        yield house


async def test_a_run_that_is_started_there_is_executed_here(here: House, there: House) -> None:
    async with attached(here) as worker:
        await here.rest()
        run = await there.start()
        job = await worker.job(run)
        job.complete(b"7")
        await job.heard(Ended)
    assert await there.status(run) == "COMPLETED"


@pytest.mark.parametrize("held", [False, True])
async def test_what_is_sent_there_answers_a_wait_here(
    here: House, there: House, *, held: bool
) -> None:
    async with attached(here) as worker:
        run = await here.start()
        job = await worker.job(run)
        for n in range(3):
            job.stand("notes", f"/q#{n}", held=held)
            await here.rest()
            await there.api.send(run, "notes", str(n).encode())
            assert (await job.told()).body == str(n).encode()


async def test_what_is_sent_there_resumes_a_warm_run_here(here: House, there: House) -> None:
    async with attached(here) as worker:
        run = await here.start()
        job = await parked(here, await worker.job(run))
        assert (await there.api.send(run, "notes", b"7")).resumed
        assert (await job.told()).body == b"7"
        job.complete()
        await job.heard(Ended)


async def test_what_is_sent_there_is_shown_here(here: House, there: House) -> None:
    async with attached(here) as worker:
        run = await here.start()
        job = await worker.job(run)
        await there.api.send(run, "notes", b"7")
        assert (await job.heard(Unread)).body == b"7"


async def test_a_cancellation_there_stops_a_run_here(here: House, there: House) -> None:
    async with attached(here) as worker:
        run = await here.start()
        job = await worker.job(run)
        await there.api.cancel(run)
        await job.heard(Stopping)
        job.complete()
        await job.heard(Ended)


async def test_an_end_there_is_told_here(here: House, there: House) -> None:
    """The grace is over by the other engine's clock hand; this one's worker must let go."""
    async with attached(here, slots=1) as worker:
        run = await here.start()
        job = await worker.job(run)
        await there.api.cancel(run)
        await job.heard(Stopping)
        there.clock.advance(30_000)
        await job.heard(Fenced)
        assert (await worker.job(await there.start())).epoch == 1


async def test_a_wait_that_stood_here_times_out_though_this_engine_is_gone(
    ground: Ground, clock: ManualClock
) -> None:
    async with ground.house("there") as there:
        async with ground.house("here") as here:
            await here.api.register(DECLARED)
            async with attached(here) as worker:
                run = await here.start()
                await there.api.send(run, "orders", b"1")  # so it has read the run
                job = await worker.job(run)
                job.stand(timeout_ms=60_000)
                await here.rest()
        clock.advance(60_000)
        with anyio.fail_after(PATIENCE_S):
            while not await there.stores.runs.journal(RunId(run)):
                await anyio.lowlevel.checkpoint()
        (entry,) = await there.stores.runs.journal(RunId(run))
        assert entry.ending == "timeout"


async def test_a_worker_may_come_back_to_the_other_engine(here: House, there: House) -> None:
    run = await here.start()
    async with attached(here) as worker:
        job = await parked(here, await worker.job(run))
    await here.api.send(run, "notes", b"7")
    async with attached(there, job.holding) as worker:
        job.moves_to(worker)
        assert (await job.told()).body == b"7"
        job.complete()
        await job.heard(Ended)
    assert await here.status(run) == "COMPLETED"


async def test_what_is_declared_there_is_known_here(here: House, there: House) -> None:
    run = await here.start()
    streams = (StreamSpec(name="numbers", inward=True),)
    assert (await here.api.send(run, "numbers", b"1")).seq == 0
    await there.api.register(Registration(version="2", tasks=(), streams=streams))
    with anyio.fail_after(PATIENCE_S):
        spec = await here.core.specs.stream(here.env, "numbers")
        while spec is None or spec.schema:
            await anyio.lowlevel.checkpoint()
            spec = await here.core.specs.stream(here.env, "numbers")
    assert (await here.api.send(run, "numbers", b'"no number"')).seq == 1


async def test_a_subscriber_there_sees_what_happens_here(here: House, there: House) -> None:
    run = await here.start()
    async with aclosing(there.api.subscribe(run)) as views:
        assert (await anext(views)).status == "QUEUED"
        async with attached(here) as worker:
            job = await worker.job(run)
            assert (await anext(views)).status == "EXECUTING"
            job.complete()
        assert [view.status async for view in views] == ["COMPLETED"]


async def test_two_hundred_senders_are_each_acknowledged_once(here: House, there: House) -> None:
    """Half of them there, each message twice with one key; a loop here takes them all."""
    count, numbers = 200, dict[int, int]()

    async def send(run: str, n: int) -> None:
        house = (here, there)[n % 2]
        for _ in range(2):
            receipt = await house.api.send(run, "notes", str(n).encode(), key=str(n))
            assert numbers.setdefault(n, receipt.seq) == receipt.seq

    async with attached(here) as worker:
        run = await here.start()
        job = await worker.job(run)
        taken: list[tuple[int, bytes]] = []
        async with anyio.create_task_group() as group:
            for n in range(count):
                group.start_soon(send, run, n)
            for n in range(count):
                job.stand("notes", f"/q#{n}")
                entry = await job.told()
                taken.append((entry.seq, entry.body))
    assert [seq for seq, _ in taken] == list(range(count))
    assert {int(body): seq for seq, body in taken} == numbers
    assert (await there.api.retrieve(run)).unread == {}
