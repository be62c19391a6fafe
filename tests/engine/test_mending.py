"""Blocked runs that go on: what happens around it, in the engine."""

from __future__ import annotations

import asyncio

import pytest

from headrace.engine import sends
from headrace.engine.sheet import Sheet, Tails
from headrace.errors import Mistake, Throttled
from headrace.kernel import commands as c
from headrace.kernel.journal import skipping
from headrace.kernel.model import EPOCH, Cause, Entry, Key, Run
from headrace.wire.channel import Blocked, Ended, Sent, Started, Told
from headrace.wire.views import Acceptance, RunQuery
from tests.engine.house import House
from tests.engine.saving import kept, left, remembers
from tests.engine.worker import Job, Worker, attached

CAUSE = Cause("-step a\n+step b", "Diverged")
FOURTEEN = b'"0123456789ab"'


async def blocked(house: House, job: Job) -> str:
    job.post(Blocked(job.run, job.epoch, CAUSE))
    await job.heard(Ended)
    assert await house.status(job.run) == "PENDING_VERSION"
    return job.run


async def begun(house: House, worker: Worker) -> Job:
    await house.rest()  # a worker that has come tries once what is blocked by then
    return await worker.job(await house.start())


async def test_a_run_goes_on_at_whatever_worker_has_room(house: House) -> None:
    async with attached(house) as worker:
        run = await blocked(house, await begun(house, worker))
    await house.api.unblock(run)
    assert await house.status(run) == "QUEUED"
    async with attached(house, name="another") as worker:
        again = await worker.job(run)
        assert (again.assigned.attempt, again.epoch) == (1, 2)


async def test_of_two_who_say_so_at_once_one_is_refused(house: House) -> None:
    async with attached(house) as worker:
        run = await blocked(house, await begun(house, worker))
        calls = house.api.restart(run), house.api.unblock(run), house.api.restart(run)
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(one, Mistake) for one in outcomes] == [False, True, True]


async def test_a_snapshot_stays_where_something_is_accepted_and_goes_with_a_restart(
    house: House,
) -> None:
    async with attached(house) as worker:
        job = await remembers(await begun(house, worker), 3)
        await left(house, job)
        await house.api.send(job.run, "notes", b"7")
        run = await blocked(house, await worker.job(job.run))
        await house.api.accept(run, Acceptance(skip=(1,)))
        again = await worker.job(run)
        assert (again.assigned.snapshot, again.assigned.saved) == (b"frames", 3)
        assert [(entry.n, entry.key) for entry in again.entries] == [(3, "/q#0"), (4, "/s#1-")]
        await blocked(house, again)
        await house.api.restart(run)
        anew = await worker.job(run)
        assert (anew.assigned.snapshot, anew.assigned.base, anew.entries) == (b"", 0, [])
        assert await kept(house, run) is None


async def test_a_run_that_begins_again_has_all_its_messages_unread(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They count again against the limit, also where the engine knew of none."""
    monkeypatch.setattr(sends, "UNREAD_BYTES_AT_MOST", 30)
    async with attached(house) as worker:
        job = await begun(house, worker)
        job.stand("notes", "/q#0")
        await house.api.send(job.run, "notes", b'"0123456789abcdef"')
        await job.told()
        await house.api.send(job.run, "orders", FOURTEEN)
        run = await blocked(house, job)
        assert (await house.api.retrieve(run)).unread == {"orders": 1}
        await house.api.restart(run)
        assert (await house.api.retrieve(run)).unread == {"notes": 1, "orders": 1}
        with pytest.raises(Throttled):
            await house.api.send(run, "orders", FOURTEEN)


async def test_what_was_started_and_sent_is_found_again(house: House) -> None:
    async with attached(house, slots=1) as worker:
        job = await begun(house, worker)
        target = await house.start("strict", b"7")
        told = [await _reached(job, target)]
        run = await blocked(house, job)
        await house.api.restart(run)
        told.append(await _reached(await worker.job(run), target))
    children = [body for bodies in told for body in bodies[:1]]
    assert children[0].split(b",")[0] == children[1].split(b",")[0]
    assert len((await house.api.list_runs(RunQuery())).data) == 3
    assert (await house.api.retrieve(target)).unread == {"notes": 1}


async def _reached(job: Job, target: str) -> list[bytes]:
    """Start a run and send to another from inside a run; return the answers."""
    run, epoch = job.run, job.epoch
    job.post(Started(run, epoch, "trigger:strict#0", "strict", b'{"payload":7}'))
    child = await job.told()
    job.post(Sent(run, epoch, "send:notes#0", target, "notes", b"1"))
    return [child.body, (await job.told()).body]


async def test_a_worker_of_before_is_fenced_out(house: House) -> None:
    async with attached(house) as worker:
        job = await begun(house, worker)
        run = await blocked(house, job)
        await house.api.restart(run)
        again = await worker.job(run)
        job.step("/late#0")
        await worker.fenced(run)
        again.step("/next#0")
        told = await worker.pushed(Told, run)
        assert [(entry.n, entry.key) for entry in told.entries] == [(0, "/next#0")]


# --- one commit -----------------------------------------------------------------------------------


def _step(n: int) -> Entry:
    return Entry(n, Key(f"/s#{n}"), "step", "value", b"1", EPOCH)


async def test_all_in_one_commit_is_as_one_after_the_other(house: House) -> None:
    """Saved with its journal dropped, blocked, begun again and gone on, before anything landed."""
    async with attached(house) as worker:
        job = await remembers(await begun(house, worker), 2)
        run = await house.run(job.run)
    sheet = _sheet(house, run)
    epoch = run.epoch
    sheet.apply(c.Remember(epoch, (_step(2),)))
    sheet.apply(c.Save(epoch, 3, b"frames", drops=True))
    sheet.apply(c.Block(epoch, CAUSE))
    sheet.apply(c.Restart())
    sheet.apply(c.Claim(house.worker("worker"), "2"))
    sheet.apply(c.Remember(epoch + 1, (_step(0),)))
    await house.stores.runs.commit(sheet.change())
    after = await house.run(run.id)
    assert (after.entries, after.base, after.saved, after.code) == (1, 0, None, "2")
    assert [entry.n for entry in await house.stores.runs.journal(run.id)] == [0]


async def test_accepted_and_blocked_again_in_one_commit(house: House) -> None:
    async with attached(house) as worker:
        run = await house.run(await blocked(house, await remembers(await begun(house, worker), 2)))
    sheet = _sheet(house, run)
    sheet.apply(c.Accept((skipping(_step(0)),)))
    sheet.apply(c.Claim(house.worker("worker"), "1"))
    sheet.apply(c.Block(run.epoch + 1, CAUSE))
    sheet.apply(c.Accept((skipping(_step(1)),)))
    await house.stores.runs.commit(sheet.change())
    entries = await house.stores.runs.journal(run.id)
    assert [entry.key for entry in entries] == ["/s#0", "/s#1", "/s#0-", "/s#1-"]


def _sheet(house: House, run: Run) -> Sheet:
    return Sheet(run, house.stores, Tails(), house.clock.now())
