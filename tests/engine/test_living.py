"""Sends to a run that lives, where its log is not in the database: what they ask of it.

`here` is the server at which the worker sits, `there` another. Every call of a port of the database
is counted, whatever it is about: streams lie in S2, the map and the hints elsewhere.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from headrace.backends.memory.waitmap import MemoryWaitMap
from headrace.backends.redis import open_redis
from headrace.backends.s2 import open_s2
from headrace.errors import RunIsOver
from headrace.kernel.model import Instant, RunId, inward, later
from headrace.ports import Live, On, Stores, WaitMap
from headrace.testing.clock import ManualClock
from headrace.wire import channel as ch
from headrace.wire.views import Receipt
from tests.engine.house import DECLARED, opened
from tests.engine.pair import Pair
from tests.engine.worker import attached
from tests.s2.rooms import CALM, Chance
from tests.s2.standin import StandIn
from tests.servers.town import Site
from tests.services.redis import RedisServer

AN_HOUR_MS = 3_600_000
OF_THE_DATABASE = (
    *("runs", "revisions", "notebook", "taken", "postponing", "snapshots", "waitpoints"),
    *("leases", "catalog", "blobs", "credentials"),
)


@dataclass(slots=True)
class Asked:
    """What was asked of the database."""

    calls: list[str] = field(default_factory=list[str])

    def around(self, stores: Stores) -> Stores:
        """Return `stores`, every call of the database's ports noted."""
        ports = {name: _Noted(getattr(stores, name), name, self.calls) for name in OF_THE_DATABASE}
        return replace(stores, **ports)  # type: ignore[arg-type]  # each stands for its port


class _Noted:
    """A port whose calls are noted."""

    def __init__(self, inner: object, name: str, calls: list[str]) -> None:
        self._inner, self._name, self._calls = inner, name, calls

    def __getattr__(self, verb: str) -> Callable[..., object]:
        call: Callable[..., object] = getattr(self._inner, verb)

        def noted(*args: object, **options: object) -> object:
            self._calls.append(f"{self._name}.{verb}")
            return call(*args, **options)

        return noted


@dataclass(frozen=True, slots=True)
class Two(Pair):
    """Two servers, the map, and what both have asked of the database."""

    asked: Asked
    clock: ManualClock


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the database is."""
    if request.param == "sqlite":
        return str(tmp_path / "headrace.db")
    return str(request.getfixturevalue("database"))


@asynccontextmanager
async def _map(place: str, clock: ManualClock, redis: RedisServer) -> AsyncGenerator[WaitMap]:
    """In Redis beside Postgres, in memory beside SQLite."""
    if place.startswith("postgresql:"):
        async with open_redis(redis.url(), clock=clock, name="test") as opened_redis:
            yield opened_redis.waitmap
    else:
        yield MemoryWaitMap(clock)


@pytest.fixture
async def two(place: str, fake: StandIn, redis_of_all: RedisServer) -> AsyncIterator[Two]:
    # Ahead of Redis' clock: it is the reader's that stands still here.
    clock, asked = ManualClock(Instant(time.time_ns() // 1_000_000 + AN_HOUR_MS)), Asked()
    url = f"s2://engines?endpoint={fake.url}"
    async with (
        Site(clock, place).stores() as near,
        _map(place, clock, redis_of_all) as waitmap,
        open_s2(url, near, Chance(), patience=CALM) as far,
        open_s2(url, near, Chance(), patience=CALM) as further,
    ):
        seen = [replace(asked.around(one), waitmap=waitmap) for one in (far, further)]
        async with opened(seen[0], clock, "here") as here, opened(seen[1], clock, "there") as there:
            await here.api.register(DECLARED)
            await here.rest()
            yield Two(here, there, waitmap, asked, clock)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_a_run_is_said_to_live_once_a_message_has_come_and_its_lease_was_renewed(
    two: Two,
) -> None:
    async with attached(two.here) as worker:
        run = await two.here.start()
        await worker.job(run)
        await two.renew(worker)
        assert await two.waitmap.where(RunId(run)) is None
        await two.here.api.send(run, "orders", b"0")
        assert await two.waitmap.where(RunId(run)) is None
        before = two.clock.now()
        await two.renew(worker)
        assert await two.waitmap.where(RunId(run)) == Live(later(before, 1_800))
        two.clock.advance(1_800)
        assert await two.waitmap.where(RunId(run)) is None


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_before_it_parks_it_is_not_said_to_live_any_more(two: Two) -> None:
    async with attached(two.here) as worker:
        run, job = await two.live(worker)
        before = two.clock.now()
        job.stand(held=True)
        job.park()
        await two.rest()
        assert await two.waitmap.where(RunId(run)) == On(frozenset({inward("notes")}))
        assert [wait.recheck for wait in (await two.here.run(run)).waits] == [later(before, 2_200)]
        await two.renew(worker)
        assert isinstance(await two.waitmap.where(RunId(run)), On)


async def test_a_message_from_another_server_costs_no_statement_and_its_take_one(two: Two) -> None:
    async with attached(two.here) as worker:
        run, job = await two.live(worker)
        job.stand()
        await two.rest()
        two.asked.calls.clear()
        receipt = await two.there.api.send(run, "notes", b"7", key="a")
        assert receipt == Receipt(seq=0, duplicate=False, resumed=False)
        assert two.asked.calls in ([], ["runs.commit"])  # the take may have been as fast
        assert (await job.told()).body == b"7"
        await two.rest()
        assert two.asked.calls == ["runs.commit"]


async def test_a_message_at_the_workers_own_server_costs_as_much(two: Two) -> None:
    async with attached(two.here) as worker:
        run, job = await two.live(worker)
        two.asked.calls.clear()
        receipt = await two.here.api.send(run, "notes", b"7", key="a")
        assert receipt == Receipt(seq=0, duplicate=False, resumed=False)
        await two.rest()
        assert two.asked.calls == []
        job.stand()
        assert (await job.told()).body == b"7"
        assert two.asked.calls == ["runs.commit"]


async def test_ten_messages_of_two_servers_in_turn_cost_ten_takes(two: Two) -> None:
    async with attached(two.here) as worker:
        run, job = await two.live(worker)
        two.asked.calls.clear()
        for n in range(10):
            job.stand(key=f"/q#{n}")
            await two.rest()
            sender = two.there if n % 2 else two.here
            await sender.api.send(run, "notes", b"%d" % n, key=str(n))
            assert (await job.told()).body == b"%d" % n
            await two.rest()
        assert two.asked.calls == ["runs.commit"] * 10


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_a_repeat_is_known_without_a_statement(two: Two) -> None:
    async with attached(two.here) as worker:
        run, _ = await two.live(worker)
        await two.there.api.send(run, "notes", b"7", key="a")
        await two.rest()
        two.asked.calls.clear()
        again = await two.there.api.send(run, "notes", b"7", key="a")
        assert again == Receipt(seq=0, duplicate=True, resumed=False)
        assert two.asked.calls == []


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_a_message_to_a_run_that_has_parked_is_offered(two: Two) -> None:
    async with attached(two.here) as worker:
        run, job = await two.live(worker)
        job.stand(held=True)
        job.park()
        await two.rest()
        receipt = await two.there.api.send(run, "notes", b"7", key="a")
        assert receipt == Receipt(seq=0, duplicate=False, resumed=True)
        assert (await job.told()).body == b"7"


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_a_record_that_was_not_offered_at_once_is_shown_to_its_worker(two: Two) -> None:
    async with attached(two.here) as worker:
        run, job = await two.live(worker)
        await two.waitmap.gone(RunId(run), 1_000)  # and so the database has to be asked
        await two.here.api.send(run, "notes", b"7", key="a")
        async with asyncio.timeout(5):
            while (shown := await job.heard(ch.Unread)).stream != "notes":
                pass
        assert shown.body == b"7"


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_the_map_is_asked_only_when_the_record_is_durable(
    two: Two, fake: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with attached(two.here) as worker:
        run, _ = await two.live(worker)
        assert isinstance(two.waitmap, MemoryWaitMap)
        appends = list[int]()
        where = two.waitmap.where

        async def noted(run_id: RunId) -> Live | On | None:
            appends.append(fake.requests.count("append"))
            return await where(run_id)

        monkeypatch.setattr(two.waitmap, "where", noted)
        before = fake.requests.count("append")
        await two.there.api.send(run, "notes", b"7", key="a")
        assert appends == [before + 1]


class Forgetful(MemoryWaitMap):
    """A map that tells an old story: nothing takes back that a run lives."""

    async def parked(self, run_id: RunId, version: int, streams: object) -> None:
        """Forget it."""

    async def gone(self, run_id: RunId, version: int) -> None:
        """Forget it."""


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.MemoryWaitMap", Forgetful)


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_what_an_old_story_kept_from_a_wait_is_found_at_its_recheck(two: Two) -> None:
    async with attached(two.here) as worker:
        run, job = await two.live(worker)
        job.stand(held=True)
        job.park()
        await two.rest()
    # Who has the run hears no hint, and nobody who has it looks after it.
    await two.there.api.send(run, "notes", b"7", key="a")
    await two.rest()
    assert await two.here.status(run) == "WAITING"
    two.clock.advance(2_200)
    async with asyncio.timeout(5):
        while (await two.here.run(run)).waits:
            two.clock.advance(1)  # whose turn it is comes by chance, within 50 ms
            await asyncio.sleep(0)
    assert (await two.here.run(run)).cursors == {inward("notes"): 1}


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_after_its_end_a_message_is_refused_or_at_most_unread(two: Two) -> None:
    async with attached(two.here) as worker:
        run, job = await two.live(worker)
        there = two.there.core.desk(RunId(run))
        known = there.certain or there.run
        job.complete()
        await two.rest()
        there = two.there.core.desk(RunId(run))
        there.run = known
        late = await two.there.api.send(run, "notes", b"7", key="a")
        assert late == Receipt(seq=0, duplicate=False, resumed=False)
        two.clock.advance(1_800)
        there.run = known
        with pytest.raises(RunIsOver):
            await two.there.api.send(run, "notes", b"8", key="b")
