"""A snapshot that cannot be used where the run goes on: everything that is kept is handed over."""

from __future__ import annotations

from headrace.wire.channel import Unfit
from tests.engine.house import House
from tests.engine.saving import kept, left, remembers
from tests.engine.worker import attached


async def test_who_cannot_use_it_gets_everything_else(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        await left(house, await remembers(await worker.job(run), 3))
        await house.api.send(run, "notes", b"7")
        first = await worker.job(run)
        first.post(Unfit(run, first.epoch))
        again = await worker.job(run)
        assert (again.epoch, again.assigned.snapshot, again.start) == (first.epoch, b"", 0)
        assert [entry.n for entry in again.entries] == [0, 1, 2, 3]
        again.step("/next#0")
        assert (await again.told()).n == 4
        assert await kept(house, run) == b"frames"  # somebody else may be able to


async def test_who_cannot_use_it_misses_nothing_that_happens_meanwhile(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await worker.job(run)
        job.stand("orders", "/q#1", held=True)
        await left(house, job)
        await house.api.send(run, "notes", b"7")
        first = await worker.job(run)
        first.post(Unfit(run, first.epoch))
        await house.api.send(run, "orders", b"8")
        again = await worker.job(run)
        while len(again.entries) < 2:
            await again.told()
        assert [(entry.n, entry.body) for entry in again.entries] == [(0, b"7"), (1, b"8")]


async def test_after_a_dropped_journal_only_what_is_kept_is_given(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        await left(house, await remembers(await worker.job(run), 3), drops=True)
        await house.api.send(run, "notes", b"7")
        first = await worker.job(run)
        first.post(Unfit(run, first.epoch))
        again = await worker.job(run)
        assert (again.assigned.base, again.assigned.snapshot) == (3, b"")
        assert [entry.n for entry in again.entries] == [3]
