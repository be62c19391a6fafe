"""Two servers on one database: no wake-up is lost between them, no run is taken twice."""

import asyncio
from collections.abc import Awaitable

import pytest

from headrace.kernel import commands as c
from headrace.kernel.commands import Change
from headrace.kernel.machine import decide
from headrace.kernel.model import Key, Run, Wait, WorkerId, at_waitpoint, later
from headrace.ports import Conflict, Delivering, Order, Stores
from headrace.testing.contracts.creating import END, keyed
from headrace.testing.contracts.given import (
    APPROVAL,
    ENV,
    T0,
    TASK,
    draft,
    executing,
    queued,
    remembered,
)
from headrace.testing.contracts.waitpoints import TOKEN, waitpoint
from tests.postgres.raw import raw, waiting

pytestmark = pytest.mark.timeout(60)


def waits(run: Run) -> Change:
    """Return the change by which a run that executes waits for an approval."""
    return decide(run, c.Stand(run.epoch, Wait(Key("/approval#0"), APPROVAL)), T0)


async def test_who_waits_reads_what_is_on_its_way(
    stores: Stores, twin: Stores, database: str
) -> None:
    """Law 9, the race of append and park, held open between the sender's check and its record.

    A sender that saw no wait is stopped before its record is there; meanwhile the run begins to
    wait at another server, which then reads the log once more. One of both has to notice.
    """
    assert isinstance(stores.streams, Delivering)
    run = await executing(stores)
    await stores.streams.append(draft(run, 0))
    async with raw(database) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(  # somebody else's record of the same number, never to land
            "INSERT INTO headrace.record SELECT run, stream, 1, body, at, NULL, NULL, total + 1"
            " FROM headrace.record"
        )
        async with raw(database) as watcher, asyncio.TaskGroup() as group:
            sends = stores.streams.deliver([draft(run, 1)], Change(run, run))
            sending = group.create_task(_outcome(sends))
            await waiting(watcher, 1)
            parking = group.create_task(_parked(twin, run))
            await waiting(watcher, 2, parking.done)  # behind the sender, or through
            await transaction.rollback()
    sent, (parked, read) = sending.result(), parking.result()
    assert sent is None
    assert parked is None
    assert read == 2, "the sender saw no wait, and the waiter no record: nobody wakes the run"


async def _outcome(writing: Awaitable[None]) -> BaseException | None:
    [outcome] = await asyncio.gather(writing, return_exceptions=True)
    return outcome if isinstance(outcome, BaseException) else None


async def _parked(stores: Stores, run: Run) -> tuple[BaseException | None, int]:
    outcome = await _outcome(stores.runs.commit(waits(run)))
    return outcome, len(await stores.streams.read(run.id, APPROVAL, 0, 9))


async def test_a_sender_behind_a_wait_is_told(stores: Stores, twin: Stores, database: str) -> None:
    """The same race the other way round: the wait is on its way when the sender checks."""
    assert isinstance(stores.streams, Delivering)
    run = await executing(stores)
    async with raw(database) as connection, raw(database) as watcher:
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM headrace.run FOR UPDATE")
            async with asyncio.timeout(20), asyncio.TaskGroup() as group:
                parking = group.create_task(_outcome(twin.runs.commit(waits(run))))
                await waiting(watcher, 1)
                sends = stores.streams.deliver([draft(run, 0)], Change(run, run))
                sending = group.create_task(_outcome(sends))
                await waiting(watcher, 2)
                await connection.execute("ROLLBACK")
        assert parking.result() is None
        assert isinstance(sending.result(), Conflict)
        assert await stores.streams.read(run.id, APPROVAL, 0, 9) == []


async def test_a_timeout_and_a_value_at_once_leave_one(stores: Stores, twin: Stores) -> None:
    for n in range(30):
        token = type(TOKEN)(f"waitpoint_{n}")
        await stores.waitpoints.create(waitpoint(token))
        run = await executing(stores, f"run-{n}")
        wait = Wait(Key("/t#0"), at_waitpoint(token), deadline=T0)
        late = decide(run, c.Stand(run.epoch, wait), T0)
        outcome, done = await asyncio.gather(
            _outcome(stores.runs.commit(late)), twin.waitpoints.complete(token, b"1")
        )
        assert done  # it has no deadline of its own
        assert outcome is None or isinstance(outcome, Conflict)


async def test_whatever_the_order_a_waiter_is_owed_its_value(stores: Stores, twin: Stores) -> None:
    for n in range(30):
        token = type(TOKEN)(f"waitpoint_{n}")
        await stores.waitpoints.create(waitpoint(token))
        run = await executing(stores, f"run-{n}")
        stands = decide(run, c.Stand(run.epoch, Wait(Key("/t#0"), at_waitpoint(token))), T0)
        await asyncio.gather(stores.runs.commit(stands), twin.waitpoints.complete(token, b"1"))
        assert (run.id, token) in await stores.waitpoints.owed(100)


async def test_many_claim_and_none_is_claimed_twice(stores: Stores, twin: Stores) -> None:
    for n in range(300):
        await stores.runs.create(queued(f"run-{n}"), Order())
    claimed = list[str]()

    async def claims(store: Stores, worker: str) -> None:
        while runs := await store.runs.claim(c.Claim(WorkerId(worker)), ENV, [TASK], T0, 3):
            claimed.extend(run.id for run in runs)

    workers = [claims(store, f"w{n}") for n in range(4) for store in (stores, twin)]
    await asyncio.gather(*workers)
    assert len(claimed) == len(set(claimed))
    assert len(claimed) == 300


async def test_a_claim_waits_for_nobody(stores: Stores, database: str) -> None:
    for n in range(3):
        await stores.runs.create(queued(f"run-{n}"), Order())
    async with raw(database) as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM headrace.run WHERE id = 'run-0' FOR UPDATE")
        async with asyncio.timeout(5):
            found = await stores.runs.claim(c.Claim(WorkerId("w")), ENV, [TASK], T0, 2)
        assert [run.id for run in found] == ["run-1", "run-2"]


async def test_a_group_holds_nothing_behind_what_it_waits_for(
    stores: Stores, database: str
) -> None:
    """All lock in one order: who waits for a row holds none that comes after it."""
    runs = [await executing(stores, f"run-{n}") for n in range(20)]
    async with raw(database) as first, raw(database) as watcher, asyncio.TaskGroup() as group:
        transaction = first.transaction()
        await transaction.start()
        await first.execute("SELECT 1 FROM headrace.run WHERE id = 'run-0' FOR UPDATE")
        for run in reversed(runs):
            group.create_task(stores.runs.commit(remembered(run, "/a#0")))
        await waiting(watcher, 1)
        sql = "SELECT 1 FROM headrace.run WHERE id <> 'run-0' FOR UPDATE NOWAIT"
        assert len(await watcher.fetch(sql)) == 19
        await transaction.rollback()


async def test_groups_of_two_servers_never_wait_for_each_other(
    stores: Stores, twin: Stores, database: str
) -> None:
    runs = [await executing(stores, f"run-{n}") for n in range(40)]
    async with raw(database) as connection:
        for round_ in range(25):
            some = [remembered(run, f"/{round_}#0") for run in runs]
            outcomes = await asyncio.gather(
                *[stores.runs.commit(change) for change in some],
                *[twin.runs.commit(change) for change in reversed(some)],
                return_exceptions=True,
            )
            assert outcomes.count(None) == len(runs)
            runs = [change.after for change in some]
        await connection.execute("SELECT pg_stat_force_next_flush()")
        sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        assert await connection.fetchval(sql) == 0


async def test_a_key_that_is_taken_at_this_moment_is_found(
    stores: Stores, twin: Stores, database: str
) -> None:
    """Another server takes the key after we have looked for it: then its run is the answer."""
    await stores.runs.create(queued("run-0"), Order())
    for n in range(30):
        order = keyed(f"post-{n}", f"try-{n}")
        answers = await asyncio.gather(
            stores.runs.create(queued(f"a-{n}"), order), twin.runs.create(queued(f"b-{n}"), order)
        )
        assert sorted(answer.cached for answer in answers) == [False, True]
        assert len({answer.run_id for answer in answers}) == 1
    async with raw(database) as connection:
        assert await connection.fetchval("SELECT count(*) FROM headrace.run") == 31


async def test_an_expired_key_goes_to_one_of_two(stores: Stores, twin: Stores) -> None:
    for n in range(30):
        await stores.runs.create(queued(f"old-{n}"), keyed(f"post-{n}"))
        order = keyed(f"post-{n}", until=later(END, 60_000))
        answers = await asyncio.gather(
            stores.runs.create(queued(f"a-{n}", at=END), order),
            twin.runs.create(queued(f"b-{n}", at=END), order),
        )
        assert sorted(answer.cached for answer in answers) == [False, True]
        assert len({answer.run_id for answer in answers}) == 1
