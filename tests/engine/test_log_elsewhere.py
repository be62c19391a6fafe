"""Runs in one store, streams in S2: no transaction holds both, and the laws hold all the same.

`one` and `other` are two servers on the same stores, each with a client of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from headrace.backends.s2 import open_s2
from headrace.errors import KeyReused, RunIsOver, Unavailable
from headrace.kernel.model import RunId, inward, outward
from headrace.ports import Delivering, Draft
from headrace.wire.channel import Ended
from headrace.wire.views import Receipt
from tests.engine.gates import Gates, behind
from tests.engine.house import DECLARED, Ground, House, opened
from tests.engine.saving import left, save
from tests.engine.worker import attached, emitted, parked
from tests.s2.lite import Lite, running
from tests.s2.rooms import HASTE, Chance
from tests.s2.standin import StandIn, ack_lost, call_lost


@dataclass(frozen=True, slots=True)
class Server:
    """An engine, and what makes its stores fail."""

    house: House
    gates: Gates


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lite]:
    with running(tmp_path_factory.mktemp("s2-lite")) as lite:
        yield lite


@pytest.fixture(params=["fake", "s2-lite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the streams are."""
    if request.param == "s2-lite":
        lite = request.getfixturevalue("lite")
        assert isinstance(lite, Lite)
        return f"s2://engines/{tmp_path.name}?endpoint={lite.url}"
    fake = request.getfixturevalue("fake")
    assert isinstance(fake, StandIn)
    return f"s2://engines?endpoint={fake.url}"


@asynccontextmanager
async def serving(ground: Ground, url: str, seed: str) -> AsyncGenerator[Server]:
    gates = Gates()
    async with ground.stores() as near, open_s2(url, near, Chance(), patience=HASTE) as far:
        assert not isinstance(far.streams, Delivering)
        async with opened(behind(far, gates, delivers=False), ground.clock, seed) as house:
            yield Server(house, gates)


@pytest.fixture
async def one(ground: Ground, url: str) -> AsyncIterator[Server]:
    async with serving(ground, url, "one") as server:
        await server.house.api.register(DECLARED)
        yield server


@pytest.fixture
async def other(ground: Ground, url: str, one: Server) -> AsyncIterator[Server]:
    del one  # it has declared the streams
    async with serving(ground, url, "other") as server:
        yield server


async def bodies(house: House, run: str, stream: str = "notes") -> list[bytes]:
    read = await house.stores.streams.read(RunId(run), inward(stream), 0, 1_000)
    return [record.body for record in read]


async def test_send_wait_take(one: Server, other: Server) -> None:
    here, there = one.house, other.house
    async with attached(here) as worker:
        run = await here.start()
        first = await there.api.send(run, "notes", b'"early"', key="a")
        assert first == Receipt(seq=0, duplicate=False, resumed=False)
        job = await worker.job(run)
        job.stand(held=True)
        assert (await job.told()).body == b'"early"'
        await parked(here, job, key="/q#1")
        second = await here.api.send(run, "notes", b'"late"', key="b")
        assert second == Receipt(seq=1, duplicate=False, resumed=True)
        assert (await job.told()).body == b'"late"'
        again = await there.api.send(run, "notes", b'"late"', key="b")
        assert again == Receipt(seq=1, duplicate=True, resumed=False)
        with pytest.raises(KeyReused):
            await there.api.send(run, "notes", b'"other"', key="b")
        job.complete()
        await job.heard(Ended)
        with pytest.raises(RunIsOver):
            await here.api.send(run, "notes", b"1", key="c")
        assert (await there.api.send(run, "notes", b'"early"', key="a")).duplicate
    assert await bodies(there, run) == [b'"early"', b'"late"']


async def test_a_crash_between_append_and_offer_is_healed_by_the_retry_elsewhere(
    one: Server, other: Server
) -> None:
    here, there = one.house, other.house
    async with attached(there) as worker:
        run = await there.start()
        job = await parked(there, await worker.job(run))
        one.gates.commits_fail = True  # from the append on this server does nothing any more
        with pytest.raises(Unavailable):
            await here.api.send(run, "notes", b"7", key="click")
        assert await bodies(there, run) == [b"7"]
        again = await there.api.send(run, "notes", b"7", key="click")
        assert again == Receipt(seq=0, duplicate=True, resumed=False)
        assert (await job.told()).body == b"7"
    assert await bodies(there, run) == [b"7"]


async def test_what_was_appended_unseen_as_a_run_left_is_found(one: Server, other: Server) -> None:
    """Its server might have died before it looked; here nobody is told of the append at all."""
    here, there = one.house, other.house
    async with attached(here) as worker:
        run = await here.start()
        job = await worker.job(run)
        job.stand(held=True)
        job.park()
        save(job, leaves=True)
        await job.heard(Ended)
    await here.rest()
    unseen = Draft(RunId(run), inward("notes"), 0, b"7", here.clock.now())
    await here.stores.streams.append(unseen)
    async with attached(there) as worker:
        for _ in range(2):  # of two servers, one lets the other go first
            await there.pass_time(1_000)
        job = await worker.job(run)
        assert [entry.body for entry in job.assigned.entries] == [b"7"]


async def test_a_run_that_left_after_its_wait_stood_is_not_looked_at_again(one: Server) -> None:
    house = one.house
    async with attached(house) as worker:
        run = await house.start()
        await left(house, await worker.job(run))
        assert [wait.recheck for wait in (await house.run(run)).waits] == [None]


async def test_of_two_bodies_under_one_key_at_once_one_is_refused(
    one: Server, other: Server
) -> None:
    """Nobody waits: the run stays as it is, and only the log tells."""
    here, there = one.house, other.house
    run = await there.start()
    one.gates.may_write.clear()
    async with asyncio.TaskGroup() as group:
        late = group.create_task(_refused(here, run))
        await here.until(lambda: one.gates.held_up > 0)
        first = await there.api.send(run, "notes", b'"first"', key="k")
        assert first == Receipt(seq=0, duplicate=False, resumed=False)
        one.gates.may_write.set()
    assert late.result() == 0
    assert await bodies(here, run) == [b'"first"']


async def _refused(house: House, run: str) -> object:
    with pytest.raises(KeyReused) as refused:
        await house.api.send(run, "notes", b'"second"', key="k")
    return refused.value.facts["seq"]


@pytest.mark.parametrize("ground", ["sqlite"], indirect=True)
async def test_a_commit_that_another_process_outruns_makes_no_repeat(
    one: Server, other: Server
) -> None:
    """The record stands when the send is decided again: it is this sender's own."""
    here, there = one.house, other.house
    async with attached(there) as worker:
        run = await there.start()
        assert (await here.api.send(run, "orders", b"0")).seq == 0  # here it is known as it was
        job = await parked(there, await worker.job(run))
        receipt = await here.api.send(run, "notes", b"7", key="click")
        assert receipt == Receipt(seq=0, duplicate=False, resumed=True)
        assert (await job.told()).body == b"7"


async def test_output_without_a_writer_is_written_once_though_decided_again(
    one: Server, other: Server
) -> None:
    here, there = one.house, other.house
    async with attached(there) as worker:
        run = await there.start()
        await here.api.send(run, "orders", b"0")
        await parked(there, await worker.job(run))
        for stream in ("notes", "tokens"):
            await here.core.specs.stream(here.env, stream)
        writing = here.api.write(run, "tokens", [b"1", b"2"])
        # With what ends a wait that `here` does not know of: the commit fails, the records stand.
        await asyncio.gather(writing, here.api.send(run, "notes", b"7"))
        await there.api.write(run, "tokens", [b"3"])
    read = await there.stores.streams.read(RunId(run), outward("tokens"), 0, 9)
    assert [record.body for record in read] == [b"1", b"2", b"3"]


@pytest.mark.parametrize("url", ["fake"], indirect=True)
async def test_what_is_written_in_one_go_is_appended_at_once(
    ground: Ground, url: str, fake: StandIn
) -> None:
    async with ground.stores() as near, open_s2(url, near, Chance()) as far:
        async with opened(far, ground.clock) as house, attached(house) as worker:
            await house.api.register(DECLARED)
            run = await house.start()
            values = [b"%d" % n for n in range(50)]
            for _ in range(2):
                await house.api.write(run, "tokens", values, writer="me")
            (await worker.job(run)).complete()
        read = await far.streams.read(RunId(run), outward("tokens"), 0, 99)
    assert [record.body for record in read] == values
    assert fake.requests.count("append") == 1


async def test_output_is_written_once_and_told(one: Server, other: Server) -> None:
    async with attached(one.house) as worker:
        run = await one.house.start()
        job = await worker.job(run)
        for _ in range(2):
            job.post(*[emitted(job, f"/tokens#0/{n}", b"%d" % n) for n in range(5)])
        job.complete()
        await job.heard(Ended)
    read = await other.house.stores.streams.read(RunId(run), outward("tokens"), 0, 9)
    assert [record.body for record in read] == [b"0", b"1", b"2", b"3", b"4"]


# Who takes a record elsewhere writes to the database: that is what the worker's server hears.
@pytest.mark.parametrize("ground", ["sqlite"], indirect=True)
async def test_many_senders_at_two_servers_are_each_taken_once(one: Server, other: Server) -> None:
    count, servers = 20, (one.house, other.house)
    async with attached(one.house) as worker:
        run = await one.house.start()
        job = await worker.job(run)

        async def send(n: int) -> Receipt:
            return await servers[n % 2].api.send(run, "notes", b"%d" % n, key=str(n))

        async def take() -> list[bytes]:
            taken = list[bytes]()
            for n in range(count):
                job.stand(key=f"/q#{n}", held=True)
                taken.append((await job.told()).body)
            return taken

        async with asyncio.TaskGroup() as group:
            taking = group.create_task(take())
            sending = [group.create_task(send(n)) for n in range(count)]
    receipts = [task.result() for task in sending]
    assert sorted(receipt.seq for receipt in receipts) == list(range(count))
    assert not any(receipt.duplicate for receipt in receipts)
    in_order = [b"%d" % n for n in sorted(range(count), key=lambda n: receipts[n].seq)]
    assert taking.result() == in_order == await bodies(other.house, run)


@pytest.mark.parametrize("url", ["fake"], indirect=True)
async def test_an_answer_lost_here_then_traffic_then_a_retry_there_is_one_record(
    one: Server, other: Server, fake: StandIn
) -> None:
    here, there = one.house, other.house
    run = await here.start()
    await here.api.send(run, "notes", b"0")
    fake.fail_next("append", *[ack_lost] * 100)
    fake.fail_next("read", None, *[call_lost] * 100)
    with pytest.raises(Unavailable):
        await here.api.send(run, "notes", b"7", key="click")
    fake.heal()
    for n in (1, 2):
        await there.api.send(run, "notes", b"%d" % n)
    assert await there.api.send(run, "notes", b"7", key="click") == Receipt(
        seq=1, duplicate=True, resumed=False
    )
    assert (await here.api.send(run, "notes", b"7", key="click")).seq == 1
    assert await bodies(here, run) == [b"0", b"7", b"1", b"2"]


@pytest.mark.parametrize("url", ["fake"], indirect=True)
async def test_while_s2_is_gone_nothing_is_acknowledged_and_waits_stand(
    one: Server, fake: StandIn
) -> None:
    async with attached(one.house) as worker:
        run = await one.house.start()
        job = await parked(one.house, await worker.job(run))
        fake.fail_next("append", *[call_lost] * 100)
        with pytest.raises(Unavailable):
            await one.house.api.send(run, "notes", b"7", key="click")
        assert await one.house.status(run) == "WAITING"
        fake.heal()
        receipt = await one.house.api.send(run, "notes", b"7", key="click")
        assert receipt == Receipt(seq=0, duplicate=False, resumed=True)
        assert (await job.told()).body == b"7"
