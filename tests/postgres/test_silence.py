"""Packets are lost for a moment, one way: nobody waits on a silent connection for long after it.

TCP would send them again, but later than anybody wants; the way here swallows them for good.
"""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg
import pytest

from headrace.backends.postgres import open_postgres
from headrace.backends.postgres.database import (
    Connection,
    Database,
    Settings,
    connected,
    fetched,
)
from headrace.errors import Unavailable
from headrace.kernel.model import RunId
from headrace.ports import ANYTHING
from headrace.testing.contracts.wakeups import heard
from tests.services.postgres import Postgres
from tests.services.proxy import Proxy, open_to_all, proxy

SOON_S = 3.0
pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def way(postgres_server: Postgres) -> AsyncIterator[Proxy]:
    async with proxy(postgres_server.port) as one:
        yield one


@pytest.fixture
async def far(way: Proxy, database: str) -> AsyncIterator[Database]:
    dsn = f"postgresql://headrace@127.0.0.1:{way.port}{urlsplit(database).path}"
    async with connected(dsn, Settings(connections=2)) as opened:
        yield opened


async def test_a_read_whose_answer_was_lost_is_asked_once_more(way: Proxy, far: Database) -> None:
    assert await far.rows("SELECT 1") == [(1,)]
    way.mute = True
    async with asyncio.timeout(SOON_S), asyncio.TaskGroup() as group:
        asked = group.create_task(far.rows("SELECT 2"))
        await way.swallowed.wait()
        way.mute = False
        assert await asked == [(2,)]


class Once(Proxy):
    """Swallows the first answer to who says these words."""

    def __init__(self, port: int, words: bytes) -> None:
        super().__init__(port)
        self.words, self.is_said = words, False

    def seen(self, link: object, some: bytes) -> None:  # noqa: ARG002 - another wants to know
        """Look at what a client says."""
        if self.words in some and not self.is_said:
            self.is_said = self.mute = True
            self.swallowed.clear()

    async def swallowed_it(self, *, is_said: bool = True) -> None:
        """Wait until an answer was swallowed; swallow no more."""
        while self.is_said is not is_said or not self.swallowed.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        self.mute = False


async def test_who_looks_after_a_connection_may_hear_nothing_either(
    postgres_server: Postgres, database: str
) -> None:
    way = Once(postgres_server.port, b"pg_terminate_backend")
    dsn = f"postgresql://headrace@127.0.0.1:{{}}{urlsplit(database).path}"
    async with (
        open_to_all(way),
        connected(dsn.format(way.port), Settings()) as far,
        asyncio.timeout(2 * SOON_S),
        asyncio.TaskGroup() as group,
    ):
        await far.rows("SELECT 1")
        way.mute = True
        asked = group.create_task(far.rows("SELECT 2"))
        await way.swallowed_it(is_said=False)
        await way.swallowed_it()
        assert await asked == [(2,)]


async def test_who_begins_to_listen_and_hears_nothing_tries_again(
    postgres_server: Postgres, database: str
) -> None:
    way = Once(postgres_server.port, b"LISTEN")
    dsn = f"postgresql://headrace@127.0.0.1:{{}}{urlsplit(database).path}"
    async with (
        open_to_all(way),
        open_postgres(dsn.format(way.port)) as far,
        asyncio.timeout(2 * SOON_S),
        far.wakeups.listen() as hints,
    ):
        await way.swallowed_it()
        await heard(hints, ANYTHING)
        await heard(hints, ANYTHING)


async def test_of_a_write_whose_answer_was_lost_it_is_told_soon(way: Proxy, far: Database) -> None:
    await far.run("SELECT 1")
    way.mute = True

    async def write() -> None:
        with pytest.raises(Unavailable, match="may or may not have happened"):
            await far.run("SELECT 2")

    async with asyncio.timeout(SOON_S), asyncio.TaskGroup() as group:
        group.create_task(write())
        await way.swallowed.wait()
        way.mute = False


async def test_the_locks_of_a_transaction_that_hears_nothing_are_given_back(
    way: Proxy, far: Database, database: str
) -> None:
    async def locking(connection: Connection) -> None:
        await fetched(connection, "LOCK TABLE headrace.meta IN ACCESS EXCLUSIVE MODE", ())
        way.mute = True
        await fetched(connection, "SELECT 1", ())

    async def hold() -> None:
        with pytest.raises(Unavailable):
            await far.transact(locking)

    async with open_postgres(database) as near:
        async with asyncio.timeout(SOON_S), asyncio.TaskGroup() as group:
            group.create_task(hold())
            await way.swallowed.wait()
            way.mute = False
        async with asyncio.timeout(SOON_S):
            assert await near.runs.load(RunId("none")) is None
            async with connected(database, Settings()) as other:
                await other.rows("SELECT * FROM headrace.meta")


async def test_what_the_database_works_at_is_waited_for(way: Proxy, far: Database) -> None:
    async with asyncio.timeout(10):
        assert await far.rows("SELECT 3 FROM pg_sleep(2.5)") == [(3,)]
    assert way.swallowed.is_set() is False


async def test_what_waits_for_a_lock_is_waited_for(far: Database, database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        async with asyncio.TaskGroup() as group:
            async with connection.transaction():
                await connection.execute("LOCK TABLE headrace.meta IN ACCESS EXCLUSIVE MODE")
                waiting = group.create_task(far.rows("SELECT count(*) FROM headrace.meta"))
                await asyncio.wait([waiting], timeout=2.5)
                assert not waiting.done()
            assert len(await waiting) == 1
    finally:
        await connection.close()
