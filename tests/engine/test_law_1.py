"""Law 1: a stream exists as soon as its run does; sending early or late cannot be told apart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from headrace.errors import NotFound
from headrace.wire.channel import Ended
from headrace.wire.registration import Registration, StreamSpec
from tests.engine.house import PROD, House
from tests.engine.worker import Job, attached, parked

Moment = Callable[[House], Awaitable[None]]


async def _send(house: House, run: str) -> None:
    receipts = [await house.api.send(run, "notes", str(n).encode()) for n in range(3)]
    assert [receipt.seq for receipt in receipts] == [0, 1, 2]


async def _read(job: Job, *, stands: bool = False) -> list[tuple[bytes, int]]:
    """Take three records; `stands` says that the first wait stands already."""
    found: list[tuple[bytes, int]] = []
    for n in range(3):
        if n or not stands:
            job.stand("notes", f"/q#{n}")
        entry = await job.told()
        found.append((entry.body, entry.seq))
    return found


ALL = [(b"0", 0), (b"1", 1), (b"2", 2)]


async def test_law_1_sent_while_the_run_is_delayed(house: House) -> None:
    run = await house.start(delay="1h")
    await _send(house, run)
    async with attached(house) as worker:
        await house.pass_time(3_600_000)
        assert await _read(await worker.job(run)) == ALL


async def test_law_1_sent_while_the_run_is_queued(house: House) -> None:
    run = await house.start()
    await _send(house, run)
    async with attached(house) as worker:
        assert await _read(await worker.job(run)) == ALL


async def test_law_1_sent_while_the_run_executes(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        await _send(house, run)
        assert await _read(job) == ALL


@pytest.mark.parametrize("held", [False, True])
async def test_law_1_sent_while_a_branch_listens(house: House, *, held: bool) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.stand("notes", "/q#0", held=held)
        await house.rest()
        await _send(house, run)
        assert await _read(job, stands=True) == ALL


@pytest.mark.parametrize("cold", [False, True])
async def test_law_1_sent_while_the_run_waits(house: House, *, cold: bool) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await parked(house, await worker.job(run))
        if cold:
            job.release()
            await job.heard(Ended)
        await _send(house, run)
        if not cold:
            assert await _read(job, stands=True) == ALL
            return
        job = await worker.job(run)
        assert [(entry.body, entry.seq) for entry in job.entries] == ALL[:1]
        assert [(await _next(job, n)) for n in (1, 2)] == ALL[1:]


async def _next(job: Job, n: int) -> tuple[bytes, int]:
    job.stand("notes", f"/q#{n}")
    entry = await job.told()
    return entry.body, entry.seq


async def test_law_1_sent_between_two_attempts(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        (await worker.job(run)).fail()
        await house.rest()
        await _send(house, run)
        await house.pass_time(1_000)
        assert await _read(await worker.job(run)) == ALL


async def test_law_1_streams_of_a_run_are_apart(house: House) -> None:
    async with attached(house) as worker:
        one, two = await house.start(), await house.start()
        for run, stream, body in (
            (one, "notes", b"1"),
            (one, "orders", b"2"),
            (two, "notes", b"3"),
        ):
            assert (await house.api.send(run, stream, body)).seq == 0
        job = await worker.job(one)
        job.stand("orders")
        assert (await job.told()).body == b"2"
        assert (await house.run(one)).cursors == {"<orders": 1}


async def test_law_1_an_unknown_stream_is_refused(house: House) -> None:
    run = await house.start()
    for stream in ("unheard", "tokens", ""):
        with pytest.raises(NotFound, match="input stream"):
            await house.api.send(run, stream, b"1")
    assert (await house.api.retrieve(run)).unread == {}


async def test_law_1_a_stream_is_known_as_soon_as_any_version_declares_it(house: House) -> None:
    run = await house.start()
    with pytest.raises(NotFound):
        await house.api.send(run, "later", b"1")
    later = Registration(version="2", tasks=(), streams=(StreamSpec(name="later", inward=True),))
    await house.api.register(later)
    assert (await house.api.send(run, "later", b"1")).seq == 0
    assert (await house.api.send(run, "notes", b"1")).seq == 0


async def test_law_1_a_run_of_another_environment_is_unknown(house: House) -> None:
    run = await house.start()
    other = house.engine.at(PROD)
    with pytest.raises(NotFound, match=run):
        await other.send(run, "notes", b"1")
    with pytest.raises(NotFound, match=run):
        await anext(other.tail(run, "notes", inward=True))
    with pytest.raises(NotFound, match=run):
        await other.retrieve(run)
    with pytest.raises(NotFound, match=run):
        await other.cancel(run)
