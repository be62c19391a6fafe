"""What waits together is written together: one round trip, one transaction, one flush."""

import asyncio
from random import Random
from typing import cast

import pytest

from headrace.backends.postgres.landing import Landing
from headrace.backends.postgres.lanes import Lane
from headrace.backends.postgres.runs import PostgresRuns
from headrace.errors import BadRequest
from headrace.kernel.commands import Change
from headrace.kernel.model import Record
from headrace.ports import Clash, Conflict, Delivering, Order, Stores
from headrace.testing.contracts.delivering import taken
from headrace.testing.contracts.given import APPROVAL, draft, executing, queued, remembered
from tests.postgres.raw import raw

LONG = Random("longer than an index takes").randbytes(2_000).hex()  # noqa: S311 - no secret


def landings(stores: Stores) -> Lane[Landing]:
    runs = cast("PostgresRuns", stores.runs)
    return runs._landings  # pyright: ignore[reportPrivateUsage] - a test may look inside


async def test_what_waits_together_is_one_group(stores: Stores) -> None:
    assert isinstance(stores.streams, Delivering)
    runs = [await executing(stores, f"run-{n}") for n in range(100)]
    before = landings(stores).groups
    writes = [
        stores.streams.deliver([draft(run, 0, b"%d" % n)], taken(run, draft(run, 0, b"%d" % n)))
        for n, run in enumerate(runs)
    ]
    await asyncio.gather(*writes)
    assert landings(stores).groups - before <= 2
    for n, run in enumerate(runs):
        assert [r.body for r in await stores.streams.read(run.id, APPROVAL, 0, 9)] == [b"%d" % n]


async def test_a_message_is_one_transaction(stores: Stores, database: str) -> None:
    """Record, entry and cursor: nothing is asked before, nothing is written after."""
    assert isinstance(stores.streams, Delivering)
    run = await executing(stores)
    async with raw(database) as connection:
        one = draft(run, 0)
        change = taken(run, one)
        await stores.streams.deliver([one], change)
        before = await connection.fetchval("SELECT txid_current()")
        for seq in range(1, 51):
            one = draft(change.after, seq)
            change = taken(change.after, one)
            await stores.streams.deliver([one], change)
        after = await connection.fetchval("SELECT txid_current()")
    assert 50 <= after - before - 1 < 80  # with those of the beat, and of whoever cleans up


async def test_of_one_thing_there_is_one_write_in_a_group(stores: Stores) -> None:
    run = await executing(stores)
    changes = [remembered(run, "/a#0"), Change(run, run), remembered(run, "/b#0")]
    outcomes = await asyncio.gather(
        *[stores.runs.commit(change) for change in changes], return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), Conflict, Conflict]
    assert landings(stores).groups == 1 + 3


async def test_the_guilty_one_of_many_fails_alone(stores: Stores) -> None:
    runs = [await executing(stores, f"run-{n}") for n in range(30)]
    changes = [remembered(run, "/a#0") for run in runs]
    changes[7] = remembered(runs[7], "/a#0", "/a#0")
    changes[11] = remembered(runs[11], "/nul\0#0")
    changes[13] = Change(remembered(runs[13], "/b#0").after, runs[13])
    changes[17] = remembered(runs[17], LONG)
    outcomes = await asyncio.gather(
        *[stores.runs.commit(change) for change in changes], return_exceptions=True
    )
    kinds = {n: type(outcome) for n, outcome in enumerate(outcomes) if outcome is not None}
    assert kinds == {7: Clash, 11: BadRequest, 13: Conflict, 17: BadRequest}
    for n, run in enumerate(runs):
        expected = run if n in kinds else changes[n].after
        assert await stores.runs.load(run.id) == expected


async def test_what_is_too_long_says_so_and_is_not_tried_again(stores: Stores) -> None:
    run = await executing(stores)
    with pytest.raises(BadRequest, match="longer than the database takes"):
        await stores.runs.commit(remembered(run, LONG))
    await stores.runs.commit(remembered(run, "/a#0"))


async def test_large_bodies_are_spread_over_groups(stores: Stores) -> None:
    body = b"x" * 1_048_576
    runs = [await executing(stores, f"run-{n}") for n in range(12)]
    before = landings(stores).groups
    assert isinstance(stores.streams, Delivering)
    deliver = stores.streams.deliver
    await asyncio.gather(*[deliver([draft(run, 0, body)], Change(run, run)) for run in runs])
    assert landings(stores).groups - before >= 3
    for run in runs:
        assert (await stores.streams.backlog(run.id, APPROVAL, 0)).size == len(body)


async def test_who_does_not_wait_for_the_answer_holds_nobody_up(stores: Stores) -> None:
    async with asyncio.TaskGroup() as group:
        gone = group.create_task(stores.runs.create(queued("run-0"), Order()))
        await asyncio.sleep(0)
        gone.cancel()
        await stores.runs.create(queued("run-1"), Order())
    assert gone.cancelled()


async def test_many_records_of_one_change_are_numbered_and_weighed(stores: Stores) -> None:
    assert isinstance(stores.streams, Delivering)
    run = await executing(stores)
    bodies = [b"x" * n for n in range(20)]
    first = [draft(run, n, body) for n, body in enumerate(bodies[:10])]
    await stores.streams.deliver(first, Change(run, run))
    rest = [draft(run, n + 10, body) for n, body in enumerate(bodies[10:])]
    await stores.streams.deliver(rest, Change(run, run))
    read = await stores.streams.read(run.id, APPROVAL, 0, 99)
    assert read == [Record(n, body, draft(run, n).at) for n, body in enumerate(bodies)]
    for start in range(20):
        backlog = await stores.streams.backlog(run.id, APPROVAL, start)
        assert (backlog.count, backlog.size) == (20 - start, sum(map(len, bodies[start:])))
