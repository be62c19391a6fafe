"""Connections are lost, the server goes down and comes back: nothing acknowledged is lost."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

import anyio.to_thread
import pytest

from headrace.backends.postgres import Settings, open_postgres
from headrace.backends.postgres.database import parted, shown
from headrace.backends.postgres.opening import EAR
from headrace.errors import Mistake, Unavailable
from headrace.kernel.model import Run, RunId
from headrace.ports import ANYTHING, Appended, Conflict, Delivering, Order, Stores
from headrace.testing.contracts.creating import keyed
from headrace.testing.contracts.given import APPROVAL, draft, executing, queued, remembered
from headrace.testing.contracts.wakeups import heard
from tests.postgres.raw import raw, until
from tests.services.postgres import How, Postgres
from tests.services.proxy import Proxy, proxy

pytestmark = pytest.mark.timeout(90)
TIMES, COUNT = 12, 150
T = TypeVar("T")


class Writer:
    """Writes to one run as the engine does: again whatever has no answer, by its key or version."""

    def __init__(self, stores: Stores, run: Run) -> None:
        self.stores, self.run = stores, run
        self.acked = 0
        self.doubts = 0

    async def work(self, count: int) -> None:
        assert isinstance(self.stores.streams, Delivering)
        while self.acked < count:
            seq = self.acked
            one = draft(self.run, seq, b"%d" % seq, key=b"k%d" % seq, digest=b"d")
            change = remembered(self.run, f"/step#{seq}")
            try:
                await self.stores.streams.deliver([one], change)
            except Unavailable:
                self.doubts += 1
                await self._look(seq)
            else:
                self.run, self.acked = change.after, seq + 1

    async def _look(self, seq: int) -> None:
        fresh = await _patiently(lambda: self.stores.runs.load(self.run.id))
        known = await _patiently(
            lambda: self.stores.streams.known(self.run.id, APPROVAL, b"k%d" % seq)
        )
        assert fresh is not None
        assert (known is not None) is (fresh.version > self.run.version)  # whole, or not at all
        self.run, self.acked = fresh, seq + (known is not None)


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    while True:
        try:
            return await ask()
        except Unavailable:
            await asyncio.sleep(0)


async def _expect_all(stores: Stores, writers: list[Writer], count: int) -> None:
    for writer in writers:
        records = await stores.streams.read(writer.run.id, APPROVAL, 0, count + 1)
        assert [record.body for record in records] == [b"%d" % n for n in range(count)]
        journal = await stores.runs.journal(writer.run.id)
        assert [entry.key for entry in journal] == [f"/step#{n}" for n in range(count)]
        assert await stores.runs.load(writer.run.id) == writer.run


@asynccontextmanager
async def writing(stores: Stores, count: int) -> AsyncGenerator[list[Writer]]:
    """Let ten write to ten runs meanwhile, and look at what is there in the end."""
    writers = [Writer(stores, await executing(stores, f"run-{n}")) for n in range(10)]
    async with asyncio.TaskGroup() as group:
        for writer in writers:
            group.create_task(writer.work(count))
        yield writers
    await _expect_all(stores, writers, count)


async def _progress(writers: list[Writer], more: int) -> None:
    goal = sum(writer.acked for writer in writers) + more

    async def is_there() -> bool:
        return sum(writer.acked for writer in writers) >= goal

    await until(is_there)


async def test_connections_are_cut_in_the_middle_of_writes(breakable: Postgres) -> None:
    async with open_postgres(breakable.dsn()) as stores:
        times = cut = 0
        async with writing(stores, COUNT) as writers:
            while times < TIMES or cut < 2 * TIMES:
                await _progress(writers, 60)
                cut += await breakable.cut()  # a connection that is being made anew is not there
                times += 1
                assert any(writer.acked < COUNT for writer in writers)
        assert cut >= 2 * TIMES
        assert sum(writer.doubts for writer in writers) > 0


@pytest.mark.parametrize("how", ["fast", "immediate"])
async def test_the_server_is_restarted_in_the_middle_of_writes(
    breakable: Postgres, how: How
) -> None:
    async with open_postgres(breakable.dsn()) as stores, writing(stores, 120) as writers:
        for _ in range(3):
            await _progress(writers, 150)
            assert any(writer.acked < 120 for writer in writers)
            await anyio.to_thread.run_sync(breakable.stop, how)
            await anyio.to_thread.run_sync(breakable.start)


async def test_while_it_is_away_that_is_said_and_then_it_goes_on(breakable: Postgres) -> None:
    settings = Settings(patience_s=0.3)
    async with open_postgres(breakable.dsn(), settings=settings) as stores:
        run = await executing(stores)
        await anyio.to_thread.run_sync(breakable.stop)
        for ask in (
            stores.runs.load(run.id),
            stores.runs.create(queued("run-2"), Order()),
            stores.runs.commit(remembered(run, "/a#0")),
            stores.leases.sit(RunId("w"), run.created),  # type: ignore[arg-type]  # any text does
        ):
            with pytest.raises(Unavailable, match="cannot be reached") as refused:
                await ask
            assert "Try again" in refused.value.hint
        await anyio.to_thread.run_sync(breakable.start)
        assert await stores.runs.load(run.id) == run
        assert await stores.runs.load(RunId("run-2")) is None
        await stores.runs.commit(remembered(run, "/a#0"))


# --- an answer that nobody hears ---------------------------------------------------------------


@pytest.fixture
async def detour(postgres_server: Postgres) -> AsyncGenerator[Proxy]:
    async with proxy(postgres_server.port) as one:
        yield one


@pytest.fixture
async def far(database: str, detour: Proxy) -> AsyncGenerator[Stores]:
    """A store whose answers can be swallowed."""
    async with open_postgres(replace_port(database, detour.port)) as stores:
        yield stores


def replace_port(dsn: str, port: int) -> str:
    host, _, rest = dsn.partition("127.0.0.1:")
    return f"{host}127.0.0.1:{port}/{rest.partition('/')[2]}"


async def _unheard(detour: Proxy, writing: Awaitable[object], landed: Awaitable[None]) -> str:
    """Swallow the answer of `writing`, cut the line once it has `landed`; return what is told."""
    async with asyncio.TaskGroup() as group:
        detour.mute = True
        task = group.create_task(_told(writing))
        await landed
        detour.cut()
    return task.result()


async def _told(writing: Awaitable[object]) -> str:
    with pytest.raises(Unavailable) as told:
        await writing
    return str(told.value)


async def test_a_commit_without_an_answer_is_told_as_such(
    stores: Stores, far: Stores, detour: Proxy
) -> None:
    first = remembered(await executing(stores), "/first#0")
    await far.runs.commit(first)  # from now on a commit is one question and one answer
    run = first.after
    change = remembered(run, "/a#0")

    async def is_there() -> bool:
        return await stores.runs.load(run.id) == change.after

    told = await _unheard(detour, far.runs.commit(change), until(is_there))
    assert "may or may not have happened" in told
    with pytest.raises(Conflict):
        await far.runs.commit(change)
    assert await far.runs.load(run.id) == change.after


async def test_an_append_without_an_answer_is_found_by_its_key(
    stores: Stores, far: Stores, detour: Proxy
) -> None:
    run = await executing(stores)
    one = draft(run, 0, key=b"click", digest=b"d")
    assert await far.streams.append(draft(run, 0, key=b"first", digest=b"d")) == Appended(0)
    one = replace(one, seq=1)

    async def is_there() -> bool:
        return await stores.streams.known(run.id, APPROVAL, b"click") is not None

    await _unheard(detour, far.streams.append(one), until(is_there))
    again = await far.streams.append(replace(one, seq=2))
    assert again == Appended(1, duplicate=True)


async def test_a_run_without_an_answer_is_found_by_its_key(
    stores: Stores, far: Stores, detour: Proxy
) -> None:
    await far.runs.create(queued("run-0"), keyed("post-6", "try-0"))

    async def is_there() -> bool:
        return await stores.runs.load(RunId("run-1")) is not None

    creating = far.runs.create(queued("run-1"), keyed("post-7", "try-1"))
    await _unheard(detour, creating, until(is_there))
    again = await far.runs.create(queued("run-2"), keyed("post-7", "try-1"))
    assert (again.run_id, again.by_request) == ("run-1", True)


# --- hints -------------------------------------------------------------------------------------


async def test_a_lost_ear_is_healed_and_who_listens_looks_for_itself(
    stores: Stores, twin: Stores, database: str, postgres_server: Postgres
) -> None:
    run = RunId("run-1")
    async with raw(database) as connection, twin.wakeups.listen() as hints:

        async def are_back() -> bool:
            sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1"
            return bool(await connection.fetchval(sql, EAR) >= 2)

        for _ in range(3):
            await until(are_back)
            await _announced(stores, twin, run)
            assert await postgres_server.cut(EAR) == 2
            await heard(hints, ANYTHING)  # it is lost
            await heard(hints, ANYTHING)  # it is back: nobody knows what was told meanwhile


async def _announced(stores: Stores, twin: Stores, run: RunId) -> None:
    async with twin.wakeups.listen() as hints, asyncio.timeout(10):
        while True:
            await stores.wakeups.announce(run)
            try:
                async with asyncio.timeout(0.2):
                    async for hint in hints:
                        if hint == run:
                            return
            except TimeoutError:
                continue


# --- configuration -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("mysql://127.0.0.1/x", "none of Postgres"),
        ("postgresql://headrace@127.0.0.1:{port}/nowhere", '"nowhere" does not exist'),
        ("postgresql://nobody@127.0.0.1:{port}/postgres", '"nobody" does not exist'),
        ("postgresql://headrace@127.0.0.1:{port}/postgres?pooler=perhaps", "pooler=perhaps"),
        ("postgresql://headrace@127.0.0.1:{port}/postgres?connections=none", "connections=none"),
    ],
)
async def test_a_wrong_address_is_told_with_what_to_do(
    postgres_server: Postgres, wrong: str, says: str
) -> None:
    with pytest.raises(Mistake, match=says):
        async with open_postgres(wrong.format(port=postgres_server.port)):
            pass


async def test_nobody_at_the_address_is_trouble_and_no_secret_is_told() -> None:
    dsn = "postgresql://headrace:secret@127.0.0.1:1/postgres"
    with pytest.raises(Unavailable, match="cannot be reached") as told:
        async with open_postgres(dsn, settings=Settings(patience_s=0.1)):
            pass
    assert "127.0.0.1:1" in str(told.value)
    assert "secret" not in str(told.value)


async def test_a_database_that_acknowledges_too_early_is_refused(
    fresh: str, postgres_server: Postgres
) -> None:
    async with raw(postgres_server.dsn()) as connection:
        await connection.execute("ALTER DATABASE fresh SET synchronous_commit = off")
    with pytest.raises(Mistake, match="before they are on disk"):
        async with open_postgres(fresh):
            pass


async def test_a_socket_in_a_folder_is_an_address_too(postgres_server: Postgres) -> None:
    options = f"host={postgres_server.folder}&port={postgres_server.port}&connections=1"
    async with open_postgres(f"postgresql://headrace@/postgres?{options}") as stores:
        loads = [stores.runs.load(RunId("nobody")) for _ in range(20)]
        assert await asyncio.gather(*loads) == [None] * 20


@pytest.mark.parametrize(
    ("dsn", "rest", "place"),
    [
        ("postgresql://u:p%40@h:1/d?pooler=none&sslmode=disable", "?sslmode=disable", "h:1/d"),
        ("postgresql://h1:1,h2:2/d?connections=3", "", "h1:1,h2:2/d"),
        ("postgres:///d?host=/tmp/a+b", "?host=%2Ftmp%2Fa+b", "/d"),
    ],
)
def test_only_our_own_options_are_taken_out(dsn: str, rest: str, place: str) -> None:
    left, _ = parted(dsn, Settings())
    assert left == dsn.partition("?")[0] + rest
    assert shown(dsn) == f"{dsn.partition(':')[0]}://{place}"
