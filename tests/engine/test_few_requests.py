"""How often S2 is asked, where it has the streams: no more often than it has to be."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from headrace.backends.s2 import open_s2
from headrace.engine.jobs import look
from headrace.engine.sheet import Sheet, Tails
from headrace.kernel.model import RunId, inward
from headrace.ports import Draft
from headrace.wire.channel import Unread
from tests.engine.house import DECLARED, Ground, House, opened
from tests.engine.worker import attached
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
    async with two_on(ground, fake) as (one, other), attached(one) as worker:
        run = await one.start()
        job = await worker.job(run)
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


async def test_a_look_asks_once_about_each_stream(ground: Ground, fake: StandIn) -> None:
    """Which streams there are, and where they end: that tells of every wait, and of the rest."""
    async with two_on(ground, fake) as (one, other), attached(one) as worker:
        run = await one.start()
        job = await worker.job(run)
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
    async with two_on(ground, fake) as (one, other), attached(one) as worker:
        run = await one.start()
        job = await worker.job(run)
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
