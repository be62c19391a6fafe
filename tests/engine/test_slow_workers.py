"""A worker that does not read holds up nobody's memory: of what is unread it is owed the newest."""

from __future__ import annotations

from headrace.wire.channel import Told, Unread
from tests.engine.house import House
from tests.engine.worker import Job, attached

LARGE = b'"' + b"x" * 100_000 + b'"'


async def _send(house: House, job: Job, *streams: str) -> None:
    for stream in streams:
        await house.api.send(job.run, stream, LARGE)


async def test_a_newer_record_takes_the_place_of_one_that_was_not_read(house: House) -> None:
    async with attached(house) as worker:
        first = await worker.job(await house.start())
        second = await worker.job(await house.start())
        for _ in range(20):
            await _send(house, first, "notes", "orders")
            await _send(house, second, "notes")
        await house.rest()
        owed = [(p.run, p.stream, p.seq) for p in worker.unread() if isinstance(p, Unread)]
        assert owed == [
            (first.run, "notes", 19),
            (first.run, "orders", 19),
            (second.run, "notes", 19),
        ]


async def test_a_newer_record_comes_behind_what_was_told_before_it(house: House) -> None:
    async with attached(house) as worker:
        job = await worker.job(await house.start())
        await _send(house, job, "notes")
        job.stand()
        await house.rest()
        await _send(house, job, "notes")
        await house.rest()
        assert [type(push) for push in worker.unread()] == [Told, Unread]
        assert (await job.told()).seq == 0
        assert (await job.heard(Unread)).seq == 1
