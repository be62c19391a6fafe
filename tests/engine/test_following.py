"""Subscribing and tailing: every change is seen, the end ends it, and nothing is left behind."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TypeVar

import anyio
import pytest
from msgspec import Raw

from headrace.errors import NotFound
from headrace.kernel.model import RunId
from headrace.wire.channel import Ended, Noted
from headrace.wire.views import RecordView, RunView
from tests.engine.house import PATIENCE_S, House
from tests.engine.worker import attached, emitted, parked

T = TypeVar("T")


async def _next(found: AsyncIterator[T]) -> T:
    with anyio.fail_after(PATIENCE_S):
        return await anext(found)


async def _rest(found: AsyncGenerator[T]) -> list[T]:
    with anyio.fail_after(PATIENCE_S):
        return [one async for one in found]


class Ear:
    """Listens beside the test, and keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[RunView | RecordView] = []
        self.is_over = False

    async def listen(self, found: AsyncGenerator[RunView] | AsyncGenerator[RecordView]) -> None:
        """Keep everything until the end."""
        async with aclosing(found):
            async for one in found:
                self.heard.append(one)
        self.is_over = True


# --- subscribing --------------------------------------------------------------------------------


async def test_a_subscriber_sees_each_state(house: House) -> None:
    run = await house.start()
    async with aclosing(house.api.subscribe(run)) as views:
        seen = [(await _next(views)).status]
        async with attached(house) as worker:
            job = await worker.job(run)
            seen.append((await _next(views)).status)
            await parked(house, job)
            seen.append((await _next(views)).status)
            job.leave()
            seen.append((await _next(views)).status)
            job.complete()
        seen += [view.status for view in await _rest(views)]
    assert seen == ["QUEUED", "EXECUTING", "WAITING", "EXECUTING", "COMPLETED"]


async def test_a_subscriber_of_a_run_that_is_over_sees_it_once(house: House) -> None:
    run = await house.start()
    await house.api.cancel(run)
    assert [view.status for view in await _rest(house.api.subscribe(run))] == ["CANCELED"]


async def test_time_alone_is_no_news(house: House) -> None:
    """A run that executes has another duration at every look; a subscriber is told of changes."""
    ear = Ear()
    async with attached(house) as worker, anyio.create_task_group() as group:
        run = await house.start()
        job = await worker.job(run)
        group.start_soon(ear.listen, house.api.subscribe(run))
        await house.until(lambda: bool(ear.heard))
        for _ in range(50):
            await house.pass_time(100)
            house.core.bells.ring(RunId(run))
        await house.rest()
        assert len(ear.heard) == 1
        job.complete()
        await house.until(lambda: ear.is_over)
    assert len(ear.heard) == 2


async def test_messages_and_metadata_are_news(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        await house.rest()
        async with aclosing(house.api.subscribe(run)) as views:
            assert (await _next(views)).unread == {}
            await house.api.send(run, "notes", b"1")
            assert (await _next(views)).unread == {"notes": 1}
            job.post(Noted(run, job.epoch, "progress", b"0.5"))
            noted = await _next(views)
            assert isinstance(noted.metadata, Raw)
            assert bytes(noted.metadata) == b'{"progress":0.5}'


# --- tailing ------------------------------------------------------------------------------------


async def test_a_tail_reads_what_is_there_and_what_comes(house: House) -> None:
    run = await house.start()
    await house.api.send(run, "notes", b"0")
    async with aclosing(house.api.tail(run, "notes", inward=True)) as records:
        assert (await _next(records)).seq == 0
        for n in range(1, 5):
            await house.api.send(run, "notes", str(n).encode())
            record = await _next(records)
            assert (record.seq, bytes(record.data)) == (n, str(n).encode())
        await house.api.cancel(run)
        assert await _rest(records) == []


@pytest.mark.parametrize(("start", "expected"), [(0, 450), (1, 449), (449, 1), (450, 0), (999, 0)])
async def test_a_tail_begins_where_it_is_told(house: House, start: int, expected: int) -> None:
    """More than a page, each once and in order, also of a run that is over."""
    run = await house.start()
    for n in range(450):
        await house.api.send(run, "notes", str(n).encode())
    await house.api.cancel(run)
    records = await _rest(house.api.tail(run, "notes", inward=True, start=start))
    assert [record.seq for record in records] == list(range(start, start + expected))


async def test_output_is_tailed_while_it_is_written(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        async with aclosing(house.api.tail(run, "tokens", inward=False)) as records:
            for n in range(3):
                job.post(emitted(job, f"/o#0/{n}", str(n).encode()))
                assert bytes((await _next(records)).data) == str(n).encode()
            job.post(emitted(job, "/o#0/2", b"2"), emitted(job, "/o#0/3", b"3"))
            job.complete()
            assert [bytes(record.data) for record in await _rest(records)] == [b"3"]


async def test_the_last_record_comes_before_the_end(house: House) -> None:
    """It is appended in the commit that ends the run."""
    ear = Ear()
    async with attached(house) as worker, anyio.create_task_group() as group:
        run = await house.start()
        job = await worker.job(run)
        group.start_soon(ear.listen, house.api.tail(run, "tokens", inward=False))
        await house.rest()
        job.post(emitted(job, "/o#0", b'"last"'))
        job.complete()
        await house.until(lambda: ear.is_over)
    assert [bytes(record.data) for record in ear.heard if isinstance(record, RecordView)] == [
        b'"last"'
    ]


async def test_a_stream_that_nothing_was_written_to_is_empty(house: House) -> None:
    run = await house.start()
    await house.api.cancel(run)
    for inward in (True, False):
        assert await _rest(house.api.tail(run, "nothing", inward=inward)) == []


# --- what is left -------------------------------------------------------------------------------


async def test_nobody_who_followed_is_remembered(house: House) -> None:
    run = await house.start()
    for _ in range(3):
        async with aclosing(house.api.subscribe(run)) as views:
            await _next(views)
        async with anyio.create_task_group() as group:
            group.start_soon(Ear().listen, house.api.tail(run, "notes", inward=True))
            group.start_soon(Ear().listen, house.api.subscribe(run))
            await house.until(lambda: house.core.bells.count == 2)
            group.cancel_scope.cancel()
    await house.api.cancel(run)
    await _rest(house.api.subscribe(run))
    assert house.core.bells.count == 0


async def test_who_follows_what_is_not_there_is_told_so(house: House) -> None:
    with pytest.raises(NotFound):
        await anext(house.api.subscribe("run_nobody"))
    with pytest.raises(NotFound):
        await anext(house.api.tail("run_nobody", "notes", inward=True))
    assert house.core.bells.count == 0


async def test_many_may_follow_one_run(house: House) -> None:
    ears = [Ear() for _ in range(100)]
    async with attached(house) as worker, anyio.create_task_group() as group:
        run = await house.start()
        job = await worker.job(run)
        for ear in ears:
            group.start_soon(ear.listen, house.api.tail(run, "notes", inward=True))
        await house.rest()
        for n in range(5):
            await house.api.send(run, "notes", str(n).encode())
        job.complete()
        await job.heard(Ended)
        await house.until(lambda: all(ear.is_over for ear in ears))
    numbers = [[r.seq for r in ear.heard if isinstance(r, RecordView)] for ear in ears]
    assert numbers == [[0, 1, 2, 3, 4]] * 100
