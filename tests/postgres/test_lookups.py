"""What is looked up at the same time is looked up together, and everybody gets his own."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from headrace.backends.postgres import open_postgres
from headrace.backends.postgres.database import Database, Settings, connected, parted
from headrace.backends.postgres.lookups import AT_ONCE, Lookups
from headrace.errors import BadRequest, Unavailable
from headrace.kernel.model import Record, RunId, StreamId
from headrace.ports import Delivering, Sighting, Stores
from headrace.testing.contracts.delivering import taken
from headrace.testing.contracts.given import APPROVAL, draft, executing

RUNS = 100


@pytest.fixture
async def connections(database: str) -> AsyncIterator[Database]:
    dsn, settings = parted(database, Settings(connections=2))
    async with connected(dsn, settings) as opened:
        yield opened


async def written(stores: Stores, number: int) -> Record:
    """Write a record of a new run, and read it at once."""
    assert isinstance(stores.streams, Delivering)
    run = await executing(stores, f"run-{number}")
    one = draft(run, 0, b"%d" % number, key=b"key-%d" % number)
    await stores.streams.deliver([one], taken(run, one))
    return (await stores.streams.read(run.id, APPROVAL, 0, 1))[0]


async def test_whoever_has_written_reads_it_though_many_do(stores: Stores) -> None:
    found = await asyncio.gather(*[written(stores, number) for number in range(RUNS)])
    assert [record.body for record in found] == [b"%d" % number for number in range(RUNS)]


async def test_who_asks_at_once_asks_together(stores: Stores, connections: Database) -> None:
    await asyncio.gather(*[written(stores, number) for number in range(RUNS)])
    known = Lookups(connections, "select_known")
    async with asyncio.TaskGroup() as group:
        service = group.create_task(known.run())
        asked = [(f"run-{n}", APPROVAL, b"key-%d" % (n - n % 2)) for n in range(RUNS)]
        found = await asyncio.gather(*[known.rows(*values) for values in asked])
        service.cancel()
    keys = [[row[3] for row in rows] for rows in found]
    assert keys == [[b"key-%d" % n] if n % 2 == 0 else [] for n in range(RUNS)]
    assert known.groups <= 1 + -(-(RUNS - 1) // AT_ONCE)


async def test_who_asks_in_a_loop_is_in_nobodys_way(connections: Database) -> None:
    known = Lookups(connections, "select_known")
    over = list[str]()

    async def ask(who: str, times: int) -> None:
        for _ in range(times):
            await known.rows(who, APPROVAL, b"k")
        over.append(f"{who} after {known.groups}")

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        service = group.create_task(known.run())
        some = [group.create_task(ask("loop", 50)), group.create_task(ask("once", 1))]
        await asyncio.wait(some)
        service.cancel()
    assert over[0] == "once after 2"


async def test_who_has_gone_takes_nobody_with_him(stores: Stores) -> None:
    await asyncio.gather(*[written(stores, number) for number in range(RUNS)])

    async def read(number: int) -> bytes:
        return (await stores.streams.read(RunId(f"run-{number}"), APPROVAL, 0, 1))[0].body

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        asked = [group.create_task(read(number)) for number in range(RUNS)]
        await asked[1]  # the first by itself, a group with the second in it; another is under way
        await asyncio.sleep(0)
        for one in asked[AT_ONCE + 1 :: 3]:
            one.cancel()
    for number, one in enumerate(asked):
        if number <= AT_ONCE or (number - AT_ONCE - 1) % 3:
            assert one.result() == b"%d" % number
        else:
            assert one.cancelled()


async def test_what_cannot_be_asked_for_fails_alone_and_the_next_one_asks_again(
    database: str,
) -> None:
    async with open_postgres(database) as stores, asyncio.timeout(20):
        await asyncio.gather(*[written(stores, number) for number in range(RUNS)])
        wrong = {7, 40}
        asked = [
            stores.streams.read(RunId(f"run-{n}"), APPROVAL, 2**70 if n in wrong else 0, 1)
            for n in range(RUNS)
        ]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert {n for n, outcome in enumerate(found) if isinstance(outcome, BadRequest)} == wrong
        rest = [outcome for outcome in found if not isinstance(outcome, BaseException)]
        assert [record.body for (record,) in rest] == [
            b"%d" % n for n in range(RUNS) if n not in wrong
        ]
        assert (await written(stores, RUNS)).body == b"%d" % RUNS


@pytest.mark.parametrize("wrong", ["no\0run", "half \ud800"])
async def test_what_cannot_be_stored_is_not_there_and_takes_nobody_with_it(
    database: str, wrong: str
) -> None:
    """Anybody can ask for it: ids come from paths, and servers of all environments ask here."""
    async with open_postgres(database) as stores, asyncio.timeout(20):
        run = await executing(stores)
        ids = [run.id, RunId(wrong), *[run.id] * 5]
        found = await asyncio.gather(*[stores.runs.load(one) for one in ids])
        assert found == [None if one == wrong else run for one in ids]
        streams = [APPROVAL, StreamId(f"<{wrong}"), APPROVAL]
        await stores.streams.append(draft(run, 0))
        read = await asyncio.gather(*[stores.streams.read(run.id, one, 0, 1) for one in streams])
        assert [len(records) for records in read] == [1, 0, 1]
        assert isinstance(stores.streams, Sighting)
        sights = await asyncio.gather(*[stores.streams.sight(one) for one in ids])
        assert [None if one is None else one.run for one in sights] == found


async def test_whoever_still_asks_when_the_store_closes_is_told(connections: Database) -> None:
    known = Lookups(connections, "select_known")

    async def ask(number: int) -> object:
        try:
            return await known.rows(f"run-{number}", APPROVAL, b"k")
        except Unavailable as error:
            return error

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        service = group.create_task(known.run())
        asked = [group.create_task(ask(number)) for number in range(3 * AT_ONCE)]
        await asyncio.sleep(0)
        service.cancel()
    found = [one.result() for one in asked]
    assert found[0] == []
    assert all(isinstance(outcome, Unavailable) for outcome in found[1:])
    with pytest.raises(Unavailable):
        await known.rows("run-0", APPROVAL, b"k")
