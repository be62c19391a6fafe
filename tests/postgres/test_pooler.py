"""Behind a transaction pooler everything works; what others have done is heard by looking."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from headrace.backends.postgres import open_postgres
from headrace.backends.postgres.database import Settings, parted
from headrace.backends.postgres.opening import reached
from headrace.kernel import commands as c
from headrace.kernel.machine import decide
from headrace.kernel.model import RunId
from headrace.ports import Counted, Delivering, Order, Stores
from headrace.testing.contracts.credentials import use
from headrace.testing.contracts.delivering import taken
from headrace.testing.contracts.given import (
    APPROVAL,
    ENV,
    T0,
    TASK,
    WORKER,
    draft,
    executing,
    queued,
    remembered,
    saved,
)
from headrace.testing.contracts.wakeups import heard
from tests.postgres.hints import heard_from
from tests.services.pgbouncer import TOLERANT, pgbouncer
from tests.services.postgres import Postgres

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def pooler(postgres_server: Postgres) -> Iterator[int]:
    with pgbouncer(postgres_server.port) as port:
        yield port


@pytest.fixture(scope="module")
def tolerant(postgres_server: Postgres) -> Iterator[int]:
    with pgbouncer(postgres_server.port, TOLERANT) as port:
        yield port


@pytest.fixture(params=["", "?pooler=transaction", "tolerant"])
def behind(database: str, pooler: int, tolerant: int, request: pytest.FixtureRequest) -> str:
    """The URL of a pooler, which is named as one, or has to be noticed."""
    assert database
    if request.param == "tolerant":
        return f"postgresql://headrace@127.0.0.1:{tolerant}/postgres"
    return f"postgresql://headrace@127.0.0.1:{pooler}/postgres{request.param}"


@pytest.fixture
async def pooled(behind: str) -> AsyncIterator[Stores]:
    async with open_postgres(behind) as stores:
        yield stores


async def test_two_servers_keep_their_statements_apart(behind: str) -> None:
    """Each uses another statement first, and gives it the name that the other one uses."""
    async with open_postgres(behind) as one, open_postgres(behind) as two:
        for n in range(30):
            run = await executing(one, f"run-{n}")
            found = await asyncio.gather(
                one.runs.load(run.id),
                two.streams.read(run.id, APPROVAL, 0, 1),
                two.runs.journal(run.id),
                one.runs.order(run.id),
                two.runs.load(run.id),
            )
            assert [*found] == [run, [], [], Order(), run]


async def test_who_says_that_there_is_none_is_believed(tolerant: int, database: str) -> None:
    assert database
    dsn = f"postgresql://headrace@127.0.0.1:{tolerant}/postgres?pooler=session"
    used, _ = await reached(*parted(dsn, Settings()), _nothing)
    assert not used.pooler


async def _nothing(_: object) -> None: ...


async def test_every_kind_of_write_works(pooled: Stores) -> None:
    run = await executing(pooled)
    change = remembered(run, "/a#0", "/b#0")
    await pooled.runs.commit(change)
    await pooled.runs.commit(kept := saved(change.after, b"frames", drops=True))
    assert await pooled.snapshots.read(run.id, 2) == b"frames"
    assert (await pooled.streams.append(draft(run, 0, key=b"k"))).seq == 0
    assert (await pooled.streams.append(draft(run, 1, key=b"k"))).duplicate
    assert await pooled.credentials.use(use(1), 1, 1_000) is Counted.NEW
    await pooled.runs.commit(decide(kept.after, c.Complete(run.epoch, b"1"), T0))
    assert await pooled.snapshots.read(run.id, 2) is None


async def test_many_at_once_keep_apart(pooled: Stores) -> None:
    """More than the pooler has connections, each in several statements somewhere."""
    await asyncio.gather(*[pooled.runs.create(queued(f"run-{n}"), Order()) for n in range(60)])
    claims = [pooled.runs.claim(c.Claim(WORKER), ENV, [TASK], T0, 10) for _ in range(9)]
    runs = [run for some in await asyncio.gather(*claims) for run in some]
    assert len({run.id for run in runs}) == len(runs) == 60
    assert isinstance(pooled.streams, Delivering)
    deliver = pooled.streams.deliver
    changes = [taken(run, draft(run, 0)) for run in runs]
    await asyncio.gather(
        *[deliver([draft(run, 0)], change) for run, change in zip(runs, changes, strict=True)],
        *[pooled.runs.load(run.id) for run in runs],
        *[pooled.credentials.use(use(n), 5, 1_000) for n in range(20)],
    )
    for change in changes:
        assert await pooled.runs.load(change.after.id) == change.after
        assert len(await pooled.streams.read(change.after.id, APPROVAL, 0, 9)) == 1


async def test_who_listens_looks_at_least_every_second(pooled: Stores, database: str) -> None:
    async with open_postgres(database) as stores, pooled.wakeups.listen() as hints:
        await heard(hints, RunId("another"))
        await stores.wakeups.announce(RunId("run-1"))
        async with asyncio.timeout(2):
            await heard(hints, RunId("run-1"))


async def test_who_is_behind_it_is_heard_by_others(pooled: Stores, database: str) -> None:
    async with open_postgres(database) as stores:
        await heard_from(stores, pooled, RunId("run-1"))
