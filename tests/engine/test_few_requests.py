"""How often S2 is asked, where it has the streams: no more often than it has to be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from headrace.backends.s2 import open_s2
from headrace.engine.core import Core
from headrace.engine.hints import Written, said
from headrace.engine.jobs import look
from headrace.engine.sheet import Sheet, Tails
from headrace.kernel import machine
from headrace.kernel.commands import Lose
from headrace.kernel.model import RunId, inward
from headrace.ports import Draft
from headrace.wire.channel import Fenced, Stopping, Unread
from headrace.wire.views import Receipt
from tests.engine.house import DECLARED, Ground, House, opened
from tests.engine.worker import Job, attached
from tests.s2.rooms import HASTE, Chance
from tests.s2.standin import StandIn


@asynccontextmanager
async def two_on(ground: Ground, fake: StandIn) -> AsyncGenerator[tuple[House, House]]:
    """Run two servers on plain S2, whose requests can be counted."""
    url = f"s2://engines?endpoint={fake.url}"
    async with (
        ground.stores() as near,
        open_s2(url, near, Chance(), patience=HASTE) as here,
        open_s2(url, near, Chance(), patience=HASTE) as there,
        opened(here, ground.clock, "here") as one,
        opened(there, ground.clock, "there") as other,
    ):
        await one.api.register(DECLARED)
        yield one, other


@asynccontextmanager
async def at_work(ground: Ground, fake: StandIn) -> AsyncGenerator[tuple[House, House, Job]]:
    """Run them with a worker at the first, which has taken a run up."""
    async with two_on(ground, fake) as (one, other), attached(one) as worker:
        yield one, other, await worker.job(await one.start())


async def test_of_a_stream_that_has_grown_elsewhere_no_more_is_asked_than_its_end(
    ground: Ground, fake: StandIn
) -> None:
    """An append that comes too late, what was in its way, which keys there are now, an append."""
    async with two_on(ground, fake) as (one, other):
        run = await one.start()
        for number, house in enumerate([one, other] * 4):
            if number == 4:  # by now both have met the run
                fake.requests.clear()
            await house.api.send(run, "notes", b"%d" % number, key=f"k{number}")
        assert fake.requests == ["append", "read", "read", "append"] * 4
        read = await one.stores.streams.read(RunId(run), inward("notes"), 0, 9)
        assert [record.body for record in read] == [b"%d" % number for number in range(8)]


async def test_who_hears_that_a_stream_has_grown_asks_of_that_stream_alone(
    ground: Ground, fake: StandIn
) -> None:
    async with at_work(ground, fake) as (one, other, job):
        run = job.run
        for number in range(4):
            job.stand(key=f"/q#{number}")
            await one.rest()
            fake.requests.clear()
            await other.api.send(run, "notes", b"%d" % number)
            assert (await job.told()).body == b"%d" % number
            await one.rest()
        assert fake.requests == ["append", "read", "read"]  # what is new, and that it is all
        await other.api.send(run, "orders", b"7")
        unread = await job.heard(Unread)
        assert (unread.stream, unread.body) == ("orders", b"7")
        assert fake.requests == ["append", "read", "read"] * 2


async def test_what_another_has_written_is_read_and_no_stream_that_has_not_grown(
    ground: Ground, fake: StandIn
) -> None:
    async with at_work(ground, fake) as (one, other, job):
        run = job.run
        await other.api.send(run, "orders", b"1")
        job.stand("orders", "/o#0")
        await job.told()
        for number in range(3):
            job.stand("notes", f"/n#{number}", held=True)
            await one.rest()
            fake.requests.clear()
            receipt = await other.api.send(run, "notes", b"%d" % number)
            assert receipt.resumed
            assert (await job.told()).body == b"%d" % number
            await one.rest()
        assert "list" not in fake.requests
        assert len(fake.requests) < 6
        fake.requests.clear()
        await other.api.retrieve(run)
        shown = list(fake.requests)
        fake.requests.clear()
        await other.api.cancel(run)  # shows the run
        await job.heard(Stopping)
        await one.rest()
        assert fake.requests == shown


async def test_what_another_has_written_tells_of_each_stream_that_has_grown(
    ground: Ground, fake: StandIn
) -> None:
    """One commit: a wait has its answer, and another stream a record that nobody waits for."""
    async with at_work(ground, fake) as (one, other, job):
        run = job.run
        job.stand("notes", "/n#0", held=True)
        await one.rest()
        streams = ("notes", "orders")
        for stream in streams:
            await other.core.specs.stream(other.env, stream)
        receipts = await asyncio.gather(*[other.api.send(run, one, b"7") for one in streams])
        assert [receipt.resumed for receipt in receipts] == [True, False]
        unread = await job.heard(Unread)
        assert (unread.stream, unread.body) == ("orders", b"7")
        assert (await job.told()).body == b"7"


async def test_of_what_is_sent_again_the_waiting_are_told(
    ground: Ground, fake: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who let it in first died before he told; the wait lives in memory: no commit shows it."""
    async with at_work(ground, fake) as (one, other, job):
        run = job.run
        job.stand()
        await one.rest()
        with monkeypatch.context() as dead:
            dead.setattr(Core, "tell", _silent)
            await other.api.send(run, "notes", b"7", key="click")
        again = await other.api.send(run, "notes", b"7", key="click")
        assert again == Receipt(seq=0, duplicate=True, resumed=False)
        assert (await job.told()).body == b"7"


async def _silent(_core: Core, _hint: RunId) -> None:
    """Tell nobody."""


async def test_a_run_that_another_has_put_back_is_taken_up_at_once(
    ground: Ground, fake: StandIn
) -> None:
    """No stream has grown, and still it is due to somebody here."""
    async with at_work(ground, fake) as (one, other, job):
        run, worker = RunId(job.run), job.worker
        await one.rest()
        lost = machine.decide(await one.run(run), Lose(one.worker(worker.name)), one.clock.now())
        await other.stores.runs.commit(lost)
        await other.core.tell(said(Written(run, frozenset())))
        await job.heard(Fenced)
        assert (await worker.job(run)).epoch == job.epoch + 1


async def test_a_look_asks_once_about_each_stream(ground: Ground, fake: StandIn) -> None:
    """Which streams there are, and where they end: that tells of every wait, and of the rest."""
    async with at_work(ground, fake) as (one, other, job):
        run = job.run
        for stream in ("notes", "orders"):
            await other.api.send(run, stream, b"1")
            job.stand(stream, f"/{stream}#0")
            assert (await job.told()).body == b"1"
            job.stand(stream, f"/{stream}#1")
        await one.rest()
        fake.requests.clear()
        one.core.look_at(one.core.desk(RunId(run)))
        await one.rest()
        assert fake.requests == ["list", "read", "read"]
        draft = Draft(RunId(run), inward("orders"), 1, b"2", one.clock.now())
        await other.stores.streams.append(draft)
        fake.requests.clear()
        one.core.look_at(one.core.desk(RunId(run)))
        assert (await job.told()).body == b"2"
        await one.rest()
        assert fake.requests == ["list", *["read"] * 3]  # what is new, and that it is all


async def test_a_look_forgets_nothing_that_is_about_to_be_appended(
    ground: Ground, fake: StandIn
) -> None:
    async with two_on(ground, fake) as (one, other):
        run, stream = await one.run(await one.start()), inward("notes")
        await other.stores.streams.append(Draft(run.id, stream, 0, b"1", one.clock.now()))
        sheet = Sheet(run, one.stores, Tails(), one.clock.now())
        seqs = [await sheet.append(stream, body, b"", b"") for body in (b"2", b"3")]
        await look(sheet)
        seqs.append(await sheet.append(stream, b"4", b"", b""))
        assert seqs == [1, 2, 3]


async def test_at_a_deadline_only_what_is_due_is_asked_for(ground: Ground, fake: StandIn) -> None:
    async with at_work(ground, fake) as (one, other, job):
        run = job.run
        await other.api.send(run, "notes", b"1")
        job.stand("notes", "/a#0")
        await job.told()
        job.stand("notes", "/a#1", held=True)
        job.stand("orders", "/b#0", timeout_ms=900)
        await one.rest()
        fake.requests.clear()
        one.clock.advance(900)
        assert (await job.told()).ending == "timeout"
        assert fake.requests == ["read"]
