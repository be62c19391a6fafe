"""The database refuses what it should not: nobody else pays for it, and it heals.

Functions that fail stand before those of the database, on the search path of one server.
"""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest
from structlog.testing import capture_logs

from headrace.backends.postgres import open_postgres
from headrace.backends.postgres.database import Settings, connected
from headrace.backends.postgres.wakeups import PostgresWakeups
from headrace.errors import Unavailable
from headrace.kernel.model import RunId
from headrace.ports import ANYTHING, Stores
from headrace.testing.contracts.given import executing, remembered
from headrace.testing.contracts.wakeups import heard
from tests.postgres.hints import heard_from
from tests.postgres.raw import raw, until

pytestmark = pytest.mark.timeout(60)
REFUSING = """
CREATE FUNCTION shadow.{name} RETURNS {gives} LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'not today' USING ERRCODE = '{code}'; END $$;
"""
FULL = {"name": "pg_notify(text, text)", "gives": "void", "code": "54000"}
ON_PATH = "?search_path=shadow,pg_catalog"


@pytest.fixture
async def ill(fresh: str) -> AsyncIterator[str]:
    """The URL of a database in which NOTIFY says that its queue is full."""
    async with raw(fresh) as connection:
        await connection.execute("CREATE SCHEMA shadow")
        await connection.execute(REFUSING.format(**FULL))
        yield fresh + ON_PATH


async def _healed(dsn: str) -> None:
    async with raw(dsn) as connection:
        await connection.execute("DROP FUNCTION shadow.pg_notify(text, text)")


async def test_a_queue_of_notifications_that_is_full_ends_no_server(ill: str, fresh: str) -> None:
    with capture_logs() as logs:
        async with (
            open_postgres(fresh) as near,
            open_postgres(ill) as stores,
            stores.wakeups.listen() as hints,
        ):
            for _ in range(4):
                await heard(hints, ANYTHING)  # it cannot say that it is there: it looks
            run = await executing(stores)
            await stores.wakeups.announce(run.id)
            change = remembered(run, "/a#0")
            await stores.runs.commit(change)
            assert await near.runs.load(run.id) == change.after
            await _healed(fresh)
            await heard_from(near, stores, run.id)
    told = [log["event"] for log in logs if "not today" in str(log.get("error"))]
    assert told == ["what other servers do cannot be heard"]


async def test_what_could_not_be_told_is_told_in_one_word(ill: str, fresh: str) -> None:
    await _healed(fresh)
    with capture_logs() as logs:
        async with open_postgres(fresh) as near, open_postgres(ill) as stores:
            for each in (near, stores):
                await until(partial(_knows_others, each))
            async with raw(fresh) as connection:
                await connection.execute(REFUSING.format(**FULL))
            async with near.wakeups.listen() as hints:
                await stores.wakeups.announce(RunId("run-1"))

                async def is_told() -> bool:
                    return any("not today" in str(log.get("error")) for log in logs)

                await until(is_told)
                run = await executing(stores)
                await stores.runs.commit(remembered(run, "/a#0"))
                await _healed(fresh)
                await heard(hints, ANYTHING)
    assert [log["event"] for log in logs] == ["other servers cannot be told what is done here"]


@pytest.mark.parametrize("wrong", ["x" * 9_000, "ö" * 4_500])
async def test_a_hint_that_no_message_holds_is_in_nobodys_way(database: str, wrong: str) -> None:
    async with open_postgres(database) as near, open_postgres(database) as stores:
        for each in (near, stores):
            await until(partial(_knows_others, each))
        async with near.wakeups.listen() as hints, asyncio.timeout(10):
            missing = {ANYTHING, RunId("run-1")}
            await stores.wakeups.announce(RunId(wrong))
            await stores.wakeups.announce(RunId("run-1"))
            while missing:
                missing.discard(await anext(hints))


async def test_a_hint_that_cannot_be_written_is_forgotten(database: str) -> None:
    async with open_postgres(database) as near, open_postgres(database) as stores:
        for each in (near, stores):
            await until(partial(_knows_others, each))
        async with near.wakeups.listen() as hints, asyncio.timeout(10):
            await stores.wakeups.announce(RunId("half \ud800"))
            await heard(hints, ANYTHING)
            await stores.wakeups.announce(RunId("run-1"))
            while await anext(hints) != RunId("run-1"):
                pass


async def _knows_others(stores: Stores) -> bool:
    assert isinstance(stores.wakeups, PostgresWakeups)
    return stores.wakeups._has_others  # pyright: ignore[reportPrivateUsage] - a test may look inside


@pytest.mark.parametrize("code", ["58030", "XX000", "40003", "55006", "42883", "0A000"])
async def test_what_is_the_databases_own_trouble_is_told_as_such(fresh: str, code: str) -> None:
    async with raw(fresh) as connection, connected(fresh, Settings(patience_s=0.2)) as database:
        await connection.execute("CREATE SCHEMA shadow")
        refusing = {"name": "now()", "gives": "text", "code": code}
        await connection.execute(REFUSING.format(**refusing))
        with pytest.raises(Unavailable, match="not today"):
            await database.rows("SELECT shadow.now()")
        with pytest.raises(Unavailable, match="not today") as refused:
            await database.run("SELECT shadow.now()")
        assert ("may or may not have happened" in str(refused.value)) is (code == "40003")
