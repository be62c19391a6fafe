"""The writer: groups, one bad write among good ones, a busy file, a full or slow disk, the end."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import anyio
import pytest

from headrace.backends.sqlite import Settings, open_sqlite
from headrace.backends.sqlite.runs import SqliteRuns
from headrace.backends.sqlite.writer import Writer
from headrace.errors import Unavailable
from headrace.kernel.model import RunId, WorkerId, inward
from headrace.ports import Clash, Order, Stores
from headrace.testing.contracts.given import (
    MEBIBYTE,
    T0,
    draft,
    executing,
    queued,
    remembered,
)
from tests.sqlite.disk import Disk, Synced, disk
from tests.sqlite.raw import raw

SOON_S = 10


@pytest.fixture
def slate() -> Generator[Disk]:
    with disk() as made:
        yield made


@asynccontextmanager
async def opened(path: Path, slate: Disk, *, patience_s: float = 5) -> AsyncGenerator[Stores]:
    settings = Settings(wal_pages=100, vfs=slate.name, patience_s=patience_s)
    async with open_sqlite(path / "headrace.db", settings=settings) as stores:
        yield stores


@pytest.fixture
async def stores(tmp_path: Path, slate: Disk) -> AsyncIterator[Stores]:
    async with opened(tmp_path, slate) as stores:
        yield stores


def writer_of(stores: Stores) -> Writer:
    assert isinstance(stores.runs, SqliteRuns)
    return stores.runs._writer  # pyright: ignore[reportPrivateUsage] - a test may look inside


async def create(stores: Stores, name: str) -> None:
    await stores.runs.create(queued(name), Order())


# --- groups -------------------------------------------------------------------------------------


async def test_what_is_queued_together_is_one_transaction(stores: Stores) -> None:
    writer = writer_of(stores)
    before = writer.groups
    await asyncio.gather(*[create(stores, f"run-{n}") for n in range(100)])
    assert writer.groups == before + 1


async def test_nothing_is_synced_where_nothing_was_written(stores: Stores, slate: Disk) -> None:
    run = await executing(stores)
    slate.threads.clear()
    await stores.leases.drop(WorkerId("nobody"), T0)
    assert await stores.runs.metadata(RunId("nobody"), b"1") == b""
    assert slate.threads == []
    await stores.runs.commit(remembered(run, "/a#0"))
    assert len(slate.threads) == 1


async def test_an_answer_comes_after_the_commit(stores: Stores, slate: Disk) -> None:
    slate.watched = True
    for n in range(20):
        await create(stores, f"run-{n}")
        assert any(type(event).__name__ == "Synced" for event in slate.events)
        slate.events.clear()


async def test_a_refusal_does_not_cost_the_others_a_second_round(stores: Stores) -> None:
    run = await executing(stores)
    writer = writer_of(stores)
    change = remembered(run, "/a#0")
    before = writer.groups
    stale = [stores.runs.commit(change) for _ in range(50)]
    fine = [create(stores, f"run-new-{n}") for n in range(50)]
    outcomes = await asyncio.gather(*stale, *fine, return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes[:50]) == 1
    assert all(outcome is None for outcome in outcomes[50:])
    assert writer.groups == before + 1


async def test_new_names_are_forgotten_with_what_was_rolled_back(stores: Stores) -> None:
    run = await executing(stores)
    bad = draft(run, 0, stream=inward("new"))
    outcomes = await asyncio.gather(
        stores.streams.append(draft(run, 5, stream=bad.stream)),  # first to name it, refused
        stores.streams.append(bad),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], Clash)
    await stores.streams.append(draft(run, 0, stream=inward("other")))
    assert set(await stores.streams.ends(run.id)) == {"<new", "<other"}


# --- another process ----------------------------------------------------------------------------


async def test_a_busy_file_is_waited_for_without_holding_up_the_loop(
    stores: Stores, tmp_path: Path
) -> None:
    with raw(tmp_path / "headrace.db") as other:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.gather(create(stores, "run-1"), create(stores, "run-2"))
        for _ in range(50):  # the loop turns, and reads work
            await asyncio.sleep(0)
            assert await stores.runs.load(RunId("run-1")) is None
        assert not writing.done()
        other.execute("ROLLBACK")
    async with asyncio.timeout(SOON_S):
        await writing
    assert await stores.runs.load(RunId("run-2")) is not None


async def test_a_file_that_stays_busy_is_trouble_and_nothing_is_written(
    tmp_path: Path, slate: Disk
) -> None:
    async with opened(tmp_path, slate, patience_s=0.1) as stores:
        with raw(tmp_path / "headrace.db") as other:
            other.execute("BEGIN IMMEDIATE")
            outcomes = await asyncio.gather(
                *[create(stores, f"run-{n}") for n in range(3)], return_exceptions=True
            )
            assert {type(outcome) for outcome in outcomes} == {Unavailable}
            other.execute("ROLLBACK")
        assert await stores.runs.load(RunId("run-1")) is None
        await create(stores, "run-1")


# --- the disk -----------------------------------------------------------------------------------


async def test_a_full_disk_is_trouble_until_there_is_room(stores: Stores, slate: Disk) -> None:
    run = await executing(stores)
    slate.is_full = True
    for _ in range(3):
        outcomes = await asyncio.gather(
            create(stores, "run-2"),
            stores.runs.commit(remembered(run, "/a#0")),
            stores.streams.append(draft(run, 0)),
            return_exceptions=True,
        )
        assert {type(outcome) for outcome in outcomes} == {Unavailable}
        assert "The disk is full" in str(outcomes[0])
        assert await stores.runs.load(run.id) == run
        assert await stores.runs.load(RunId("run-2")) is None
        assert await stores.runs.journal(run.id) == []
        assert list(await stores.streams.ends(run.id)) == []
    slate.is_full = False
    await create(stores, "run-2")
    await stores.runs.commit(remembered(run, "/a#0"))
    assert await _integrity(stores) == "ok"


async def test_only_what_is_too_big_for_the_room_left_fails(stores: Stores, slate: Disk) -> None:
    run = await executing(stores)
    slate.largest_write_at = 300_000
    outcomes = await asyncio.gather(
        create(stores, "run-2"),
        stores.blobs.put("big", bytes(MEBIBYTE)),
        stores.streams.append(draft(run, 0)),
        return_exceptions=True,
    )
    assert [isinstance(outcome, Unavailable) for outcome in outcomes] == [False, True, False]
    assert await stores.runs.load(RunId("run-2")) is not None
    assert await stores.blobs.get("big") is None
    slate.largest_write_at = None
    await stores.blobs.put("big", bytes(MEBIBYTE))
    assert await stores.blobs.get("big") == bytes(MEBIBYTE)


@pytest.mark.parametrize("fault", ["write", "sync"])
async def test_a_failing_disk_is_trouble_until_it_works_again(
    stores: Stores, slate: Disk, fault: Literal["write", "sync"]
) -> None:
    run = await executing(stores)
    slate.fails_to = {fault}
    outcomes = await asyncio.gather(
        *[create(stores, f"run-{n}") for n in range(2, 9)], return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    slate.fails_to = set()
    await stores.runs.commit(remembered(run, "/a#0"))
    await create(stores, "run-2")
    assert await _integrity(stores) == "ok"


async def test_slow_commits_leave_the_loop_and_quick_ones_come_back(
    stores: Stores, slate: Disk
) -> None:
    here = threading.get_ident()
    await create(stores, "run-quick")
    assert slate.threads[-1] == here
    slate.sync_s = 0.005
    for n in range(60):
        await create(stores, f"run-{n}")
    assert slate.threads[-1] != here
    slate.sync_s = 0
    async with asyncio.timeout(SOON_S):
        n = 0
        while slate.threads[-1] != here or slate.threads[-2] != here:
            n += 1
            await create(stores, f"run-again-{n}")


async def test_while_a_slow_commit_is_made_the_loop_turns(stores: Stores, slate: Disk) -> None:
    slate.sync_s = 0.005
    for n in range(20):
        await create(stores, f"run-{n}")
    turns = 0
    writing = asyncio.gather(create(stores, "run-a"), create(stores, "run-b"))
    while not writing.done():
        turns += 1
        await asyncio.sleep(0)
        await stores.runs.load(RunId("run-1"))
    assert turns > 10


async def test_a_read_sees_nothing_that_is_not_on_disk(stores: Stores, slate: Disk) -> None:
    run, looks = await stores.runs.load((await executing(stores)).id), 0
    slate.sync_s, slate.watched = 0.005, True
    for n in range(20):  # soon the commits are made beside the loop
        assert run is not None
        slate.events.clear()
        writing = asyncio.gather(stores.runs.commit(remembered(run, f"/a#{n}")))
        while not writing.done():
            await asyncio.sleep(0)
            seen = await stores.runs.load(run.id)
            if not any(isinstance(event, Synced) for event in slate.events):
                looks += 1
                assert seen == run
        await writing
        run = await stores.runs.load(run.id)
    assert looks > 20
    with anyio.fail_after(5):
        while writer_of(stores).at_rest() is None:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)


async def test_the_log_is_copied_before_it_grows(stores: Stores, tmp_path: Path) -> None:
    log = tmp_path / "headrace.db-wal"
    length = log.stat().st_size
    assert length > 100 * 4_096
    for n in range(400):
        await create(stores, f"run-{n}")
    assert log.stat().st_size <= length * 1.5
    assert (tmp_path / "headrace.db").stat().st_size > 100_000


# --- callers that go, and the end ---------------------------------------------------------------


async def test_a_caller_that_goes_takes_nobody_with_it(stores: Stores) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(create(stores, f"run-{n}")) for n in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
    assert all(task.cancelled() for task in tasks[::2])
    for n in range(1, 20, 2):
        assert await stores.runs.load(RunId(f"run-{n}")) is not None


async def test_a_bug_in_a_write_is_told_to_whoever_asked_and_nobody_else(stores: Stores) -> None:
    def bug(_: object) -> None:
        raise ZeroDivisionError

    outcomes = await asyncio.gather(
        create(stores, "run-1"), writer_of(stores).write(bug), return_exceptions=True
    )
    assert outcomes[0] is None
    assert isinstance(outcomes[1], ZeroDivisionError)


async def test_what_the_body_raises_comes_out_as_it_is(tmp_path: Path, slate: Disk) -> None:
    with pytest.raises(KeyError):
        async with opened(tmp_path, slate):
            raise KeyError
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), opened(tmp_path, slate):
            await asyncio.Event().wait()


async def test_a_closed_store_says_so(tmp_path: Path, slate: Disk) -> None:
    async with opened(tmp_path, slate) as stores:
        await create(stores, "run-1")
    with pytest.raises(Unavailable):
        await create(stores, "run-2")


async def _integrity(stores: Stores) -> object:
    return await writer_of(stores).write(
        lambda transaction: transaction.db.rows("PRAGMA integrity_check")[0][0]
    )
