"""What a message to a live run costs the database, noted on the wire: Postgres, Redis, s2-lite.

Two servers, each with connections of its own. The clock stands still; what a server says of itself
from time to time all the same is not about messages.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import count, islice

import pytest

from headrace.backends.postgres import open_postgres
from headrace.backends.postgres.queries import SQL
from headrace.backends.redis import Opened, open_redis
from headrace.backends.s2 import open_s2
from headrace.kernel.model import Instant
from headrace.ports import Stores, WaitMap
from headrace.testing.clock import ManualClock
from headrace.wire.channel import Unread
from tests.engine.house import DECLARED, House, opened
from tests.engine.pair import Pair
from tests.engine.worker import Job, attached
from tests.s2.lite import Lite, running
from tests.s2.rooms import Chance
from tests.services.postgres import Postgres
from tests.services.proxy import open_to_all
from tests.services.redis import RedisServer
from tests.services.statements import Statements

AN_HOUR_MS = 3_600_000
NAMES = {text: name for name, text in SQL.items()}
OF_ITSELF = {"stamp_meta", "select_others"}
WARM = 20
pytestmark = pytest.mark.timeout(60)


@dataclass(frozen=True, slots=True)
class Two(Pair):
    """Two servers, and what both have said to the database."""

    statements: Statements

    def asked(self) -> list[str]:
        """Return the names of statements about messages since it was asked last."""
        found = [NAMES.get(text, text) for text in self.statements.texts]
        self.statements.texts.clear()
        return [name for name in found if name not in OF_ITSELF]

    async def cost(self, job: Job, n: int) -> tuple[list[str], list[str]]:
        """Send a message, and let it be taken; return what each asks of the database."""
        sender = (self.there, self.here)[n % 2]
        self.asked()
        receipt = await sender.api.send(job.run, "notes", b"%d" % n, key=str(n))
        assert not receipt.duplicate
        assert not receipt.resumed
        await self.rest()
        sent = self.asked()
        job.stand(key=f"/q#{n}")
        assert (await job.told()).body == b"%d" % n
        await self.rest()
        return sent, self.asked()


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lite]:
    import_module("headrace.backends.s2.opening")  # reads files, which a loop must not
    with running(tmp_path_factory.mktemp("s2-lite")) as lite:
        yield lite


def _with(stores: Stores, redis: Opened) -> Stores:
    return replace(stores, waitmap=redis.waitmap, wakeups=redis.wakeups)


@pytest.fixture
async def two(
    lite: Lite, database: str, postgres_server: Postgres, redis_of_all: RedisServer
) -> AsyncIterator[Two]:
    # Ahead of Redis' clock: it is the reader's that stands still here.
    clock = ManualClock(Instant(time.time_ns() // 1_000_000 + AN_HOUR_MS))
    statements = Statements(postgres_server.port)
    name = database.rpartition("/")[2].partition("?")[0]

    def dsn() -> str:
        return f"postgresql://headrace@127.0.0.1:{statements.port}/{name}?sslmode=disable"

    @asynccontextmanager
    async def server(name: str) -> AsyncGenerator[tuple[House, WaitMap]]:
        async with (
            open_postgres(dsn(), clock=clock) as near,
            open_redis(redis_of_all.url(), clock=clock, name=name) as beside,
            open_s2(f"s2://wire?endpoint={lite.url}", near, Chance()) as far,
            opened(_with(far, beside), clock, name) as house,
        ):
            yield house, beside.waitmap

    async with (
        open_to_all(statements),
        server("here") as (here, waitmap),
        server("there") as (there, _),
    ):
        await here.api.register(DECLARED)
        await here.rest()
        yield Two(here, there, waitmap, statements)


async def test_a_message_to_a_live_run_costs_no_statement_and_its_take_one(two: Two) -> None:
    async with attached(two.here) as worker:
        (_, job), numbers = await two.live(worker), count()
        while await two.cost(job, next(numbers)) != ([], ["land"]):
            assert next(numbers) < WARM, "what was before is over"
        for n in islice(numbers, 10):
            assert await two.cost(job, n) == ([], ["land"])


async def test_a_message_from_another_server_is_shown_to_code_that_computes(two: Two) -> None:
    async with attached(two.here) as worker:
        _, job = await two.live(worker)
        await two.rest()
        await two.there.api.send(job.run, "notes", b"7")
        while (shown := await job.heard(Unread)).stream != "notes":
            pass
        assert shown.body == b"7"


async def test_a_message_to_a_run_that_has_parked_is_committed_with_it(two: Two) -> None:
    """What the database is asked for is noted, and who has the worker hears of it."""
    async with attached(two.here) as worker:
        _, job = await two.live(worker)
        job.stand(held=True)
        job.park()
        await two.rest()
        two.asked()
        assert (await two.there.api.send(job.run, "notes", b"1")).resumed
        assert (await job.told()).body == b"1"
        assert {"select_run", "land"} <= set(two.asked())
