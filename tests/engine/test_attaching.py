"""A worker comes, goes and comes back: it is told what it missed, and nothing is done twice."""

from __future__ import annotations

import anyio
import pytest

from headrace.kernel.model import RunId, later, outward
from headrace.wire import channel as ch
from headrace.wire.channel import Assigned, Emit, Ended, Fenced, Holding, Unread
from headrace.wire.views import RunQuery
from tests.engine.gates import Gates
from tests.engine.house import House
from tests.engine.worker import attached, emitted, parked, sent, started
from tests.servers.town import at_rest


async def test_a_worker_is_told_all_that_it_needs(house: House) -> None:
    run = await house.start(payload=b"7", tags=["t"], metadata={"m": 1})
    await house.api.send(run, "notes", b"1")
    await house.api.send(run, "notes", b"2")
    async with attached(house) as worker:
        given = (await worker.job(run)).assigned
    assert (given.payload, given.metadata, given.tags) == (b"7", b'{"m":1}', ("t",))
    assert (given.task, given.attempt, given.epoch, given.entries) == ("work", 1, 1, ())
    assert given.newest == {"notes": (1, b"2")}
    assert not given.stopping


async def test_what_is_sent_meanwhile_is_shown_once(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        for n in range(3):
            await house.api.send(run, "notes", str(n).encode())
            assert (await job.heard(Unread)).seq == n
        job.stand()
        assert (await job.told()).seq == 0
        assert worker.unread() == []


async def test_a_worker_that_comes_back_is_told_what_it_missed(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await worker.job(run)
        job.step("/s#0")
        await job.told()
        await parked(house, job)
    await house.api.send(run, "notes", b"7")
    await house.api.send(run, "notes", b"8")
    async with attached(house, job.holding) as worker:
        job.moves_to(worker)
        entry = await job.told()
        assert (entry.n, entry.body) == (1, b"7")
        assert (await job.heard(Unread)).body == b"8"
        assert job.again == []
        job.complete()
        await job.heard(Ended)


async def test_what_is_asked_again_is_not_done_again(house: House) -> None:
    """It asks at once, before it has heard what it missed: everything had been answered."""
    run, target = await house.start(), await house.start("strict")
    async with attached(house) as worker:
        job = await worker.job(run)
        await house.api.send(run, "notes", b"7")
        again: list[ch.Operation] = [
            ch.Standing(run, job.epoch, "/q#0", "notes", held=True),
            sent(job, "/m#0", target),
            started(job, "/t#0"),
            emitted(job, "/o#0"),
        ]
        holding = job.holding
        job.post(*again)
        job.step("/s#0")
        for _ in range(4):
            await job.told()
        await job.heard(Emit)
    async with attached(house, holding) as worker:
        job.moves_to(worker)
        job.post(*again)
        job.step("/s#0")
        job.step("/last#0")
        assert (await job.told()).key == "/last#0"
        assert [entry.n for entry in job.again] == [0, 1, 2, 3]
        await job.heard(Emit)
        await house.rest()
        assert worker.unread(run) == []
        assert (await house.run(run)).waits == ()
        assert (await house.api.send(run, "notes", b"8")).seq == 1
    assert (await house.api.retrieve(target)).unread == {"notes": 1}
    assert len((await house.api.list_runs(RunQuery(task=("work",)))).data) == 2
    assert len(await house.stores.runs.journal(RunId(run))) == 5


async def test_what_was_answered_since_it_came_back_does_not_stand_again(house: House) -> None:
    """The answer is on its way to it while it posts again what it had not heard of."""
    run = await house.start()
    async with attached(house) as worker:
        job = await worker.job(run)
        again = ch.Standing(run, job.epoch, "/q#0", "notes", timeout_ms=60_000, seen=0)
        job.post(again)
        await house.rest()
    async with attached(house, job.holding) as worker:
        job.moves_to(worker)
        await house.rest()  # it has been told what it missed: nothing
        await house.api.send(run, "notes", b"7")
        job.post(again)
        assert (await job.told()).key == "/q#0"
        job.step("/s#0")
        assert (await job.told()).key == "/s#0"
        assert (await house.run(run)).waits == ()


async def test_a_wait_that_the_journal_answers_is_let_go_of_for_good(house: House) -> None:
    """However it came to stand: it must not take the next message, nor fail what takes it."""
    run = await house.start()
    async with attached(house) as worker:
        job = await worker.job(run)
        job.step("/q#0")
        await job.told()
        again = ch.Standing(run, job.epoch, "/q#0", "notes", timeout_ms=60_000)
        job.post(again)
        await house.rest()
        assert [wait.key for wait in (await house.run(run)).waits] == ["/q#0"]
        await house.api.send(run, "notes", b"7")
        assert (await house.run(run)).waits == ()
        await house.api.send(run, "notes", b"8")
        job.stand("notes", "/next#0", timeout_ms=60_000)
        assert (await job.told()).body == b"7"


async def test_output_under_a_key_of_the_journal_is_output_all_the_same(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await worker.job(run)
        holding = job.holding
        job.step("/same#0")
        await job.told()
    async with attached(house, holding) as worker:
        job.moves_to(worker)
        job.post(emitted(job, "/same#0", b"7"))
        assert (await job.heard(Emit)).key == "/same#0"
        assert list(await house.stores.streams.ends(RunId(run))) == [outward("tokens")]


async def test_what_stands_still_may_be_asked_again(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await worker.job(run)
        job.stand("notes", "/0/q#0")
        job.stand("notes", "/1/q#0", held=True)
        await house.rest()
    async with attached(house, job.holding) as worker:
        job.moves_to(worker)
        job.stand("notes", "/0/q#0")
        job.stand("notes", "/1/q#0", held=True)
        await house.rest()
        for n in range(2):
            await house.api.send(run, "notes", str(n).encode())
        assert [(await job.told()).key for _ in range(2)] == ["/0/q#0", "/1/q#0"]


async def test_who_has_sat_down_elsewhere_is_let_go(house: House) -> None:
    async with attached(house, lasts=False) as worker:
        name = house.worker("worker")
        worker.channel.post([ch.Renewed(slots=8)])
        await house.rest()
        assert house.core.seats.of(name) is not None
        await house.stores.leases.sit(name, later(house.clock.now(), 5_000))
        worker.channel.post([ch.Renewed(slots=8)])
        await house.rest()
        assert house.core.seats.of(name) is None


async def test_an_assignment_that_was_lost_on_the_way_is_pushed_again(house: House) -> None:
    async with attached(house):
        run = await house.start()
        await house.rest()
    async with attached(house) as worker:
        job = await worker.job(run)
        assert job.epoch == 1
        job.complete()
        await job.heard(Ended)


async def test_a_run_that_the_worker_forgot_is_given_to_it_again(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await worker.job(run)
        job.step("/s#0", b"7")
        await job.told()
    async with attached(house) as worker:
        job = await worker.job(run)
        assert (job.epoch, [entry.body for entry in job.entries]) == (1, [b"7"])


@pytest.mark.parametrize("epoch", [0, 1, 2])
async def test_what_the_worker_does_not_hold_is_fenced(house: House, epoch: int) -> None:
    run = await house.start("strict")
    holdings = [Holding(run, epoch, 0), Holding("run_nobody", epoch, 0)]
    async with attached(house, *holdings, slots=1) as worker:
        for holding in holdings:
            assert (await worker.pushed(Fenced, holding.run)).epoch == epoch
        fresh = await house.start()  # and its slot is free
        await worker.job(fresh)


async def test_a_run_that_is_over_is_fenced(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.complete()
        await house.rest()
    async with attached(house, job.holding) as worker:
        job.moves_to(worker)
        await job.heard(Fenced)
        job.complete()
        await house.rest()
        assert worker.unread() == []


async def test_an_older_hold_is_fenced_and_the_newer_given(house: House) -> None:
    """The worker lost the run, and was given it again; it has heard of neither."""
    run = await house.start()
    async with attached(house, lasts=False) as worker:
        job = await worker.job(run)
        for _ in range(12):
            await at_rest(house)
            house.clock.advance(500)
        await at_rest(house)
    async with attached(house):
        await house.rest()
        assert (await house.run(run)).epoch == 2
    async with attached(house, job.holding) as worker:
        await house.rest()
        assert [(type(push), push.epoch) for push in worker.unread(run)] == [
            (Fenced, 1),
            (Assigned, 2),
        ]


async def test_an_attachment_ends_with_the_next_of_the_same_worker(house: House) -> None:
    async with attached(house) as first:
        run = await house.start()
        job = await first.job(run)
        async with attached(house, job.holding) as second:
            await first.ended()
            job.complete(b'"from the first"')  # nobody listens there any more
            job.moves_to(second)
            job.step("/s#0")
            assert (await job.told()).key == "/s#0"
            assert await house.status(run) == "EXECUTING"
        assert len(house.core.seats.all()) == 0


async def test_slots_are_those_of_what_it_says_it_holds(house: House) -> None:
    """Until it is known which of its runs only wait, none of them leaves room for another."""
    async with attached(house, slots=2) as worker:
        jobs = [await worker.job(await house.start()) for _ in range(2)]
        waiting = [await house.start() for _ in range(2)]
    async with attached(house, *(job.holding for job in jobs), slots=2) as worker:
        await house.rest()
        assert [push.run for push in worker.unread() if isinstance(push, Assigned)] == []
        jobs[0].moves_to(worker)
        await parked(house, jobs[0])
        assert (await worker.job(waiting[0])).run == waiting[0]


async def test_what_a_worker_missed_and_cannot_be_read_ends_its_attachment(
    troubled: tuple[House, Gates],
) -> None:
    house, gates = troubled
    run = await house.start()
    async with attached(house) as worker:
        job = await parked(house, await worker.job(run))
    await house.api.send(run, "notes", b"7")
    gates.journals_fail = True
    async with attached(house, job.holding) as worker:
        await worker.ended()
    gates.journals_fail = False
    async with attached(house, job.holding) as worker:
        job.moves_to(worker)
        assert (await job.told()).body == b"7"


@pytest.mark.parametrize("returns", [True, False])
async def test_a_worker_that_left_while_its_run_was_created_does_not_keep_it(
    troubled: tuple[House, Gates], *, returns: bool
) -> None:
    house, gates = troubled
    ids: list[str] = []

    async def start() -> None:
        ids.append(await house.start())

    async with anyio.create_task_group() as group:
        gates.may_create.clear()
        async with attached(house, lasts=returns):
            group.start_soon(start)
            await house.until(lambda: gates.creating > 0)
        async with attached(house, name="worker" if returns else "heir") as worker:
            await house.rest()
            gates.may_create.set()
            for _ in range(0 if returns else 12):
                await house.pass_time(500)
            await house.until(lambda: bool(ids))
            assert (await worker.job(ids[0])).epoch == (1 if returns else 2)
