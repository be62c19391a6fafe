"""What a store promises that several processes may open: `twin` is a second opener of `stores`."""

from __future__ import annotations

import asyncio

import pytest

from headrace.kernel.commands import Claim
from headrace.kernel.model import RunId, WorkerId
from headrace.ports import Appended, Clash, Conflict, Counted, Delivering, Order, Stores
from headrace.testing.contracts.creating import keyed
from headrace.testing.contracts.credentials import root, use
from headrace.testing.contracts.given import (
    APPROVAL,
    ENV,
    T0,
    TASK,
    draft,
    executing,
    filled,
    queued,
    remembered,
)
from headrace.testing.contracts.wakeups import heard


class SharedContract:
    """What one opener does, the other sees; of two at the same thing, one wins."""

    async def test_what_one_writes_the_other_reads(self, stores: Stores, twin: Stores) -> None:
        run = await executing(stores)
        await filled(stores, run, 3)
        change = remembered(run, "/a#0")
        await stores.runs.commit(change)
        assert await twin.runs.load(run.id) == change.after
        assert await twin.runs.journal(run.id) == list(change.entries)
        assert (await twin.streams.backlog(run.id, APPROVAL, 0)).tail == 3
        assert (await twin.streams.append(draft(run, 3))).seq == 3
        assert (await stores.streams.backlog(run.id, APPROVAL, 0)).tail == 4

    async def test_a_commit_from_before_the_others_conflicts(
        self, stores: Stores, twin: Stores
    ) -> None:
        run = await executing(stores)
        await twin.runs.commit(remembered(run, "/a#0"))
        with pytest.raises(Conflict):
            await stores.runs.commit(remembered(run, "/b#0"))

    async def test_both_at_once_leave_one_change(self, stores: Stores, twin: Stores) -> None:
        run = await executing(stores)
        for round_ in range(20):
            changes = [remembered(run, f"/{who}#{round_}") for who in "ab"]
            outcomes = await asyncio.gather(
                stores.runs.commit(changes[0]),
                twin.runs.commit(changes[1]),
                return_exceptions=True,
            )
            landed = [n for n, outcome in enumerate(outcomes) if outcome is None]
            assert len(landed) == 1
            run = changes[landed[0]].after
            assert await stores.runs.load(run.id) == await twin.runs.load(run.id) == run

    async def test_both_at_once_leave_one_record(self, stores: Stores, twin: Stores) -> None:
        run = await executing(stores)
        for seq in range(20):
            outcomes = await asyncio.gather(
                stores.streams.append(draft(run, seq, b"a")),
                twin.streams.append(draft(run, seq, b"b")),
                return_exceptions=True,
            )
            kinds = {type(outcome) for outcome in outcomes}
            assert kinds == {Appended, Clash}
        assert (await stores.streams.backlog(run.id, APPROVAL, 0)).tail == 20

    async def test_a_retry_at_the_other_finds_the_first(self, stores: Stores, twin: Stores) -> None:
        run = await executing(stores)
        await stores.streams.append(draft(run, 0, key=b"k", digest=b"d"))
        again = await twin.streams.append(draft(run, 1, key=b"k", digest=b"d"))
        assert again == Appended(0, duplicate=True)
        await stores.runs.create(queued("run-2"), keyed("post-7"))
        assert (await twin.runs.create(queued("run-3"), keyed("post-7"))).run_id == "run-2"

    async def test_no_run_is_claimed_by_both(self, stores: Stores, twin: Stores) -> None:
        for n in range(60):
            await stores.runs.create(queued(f"run-{n}"), Order())
        claims = [
            store.runs.claim(Claim(WorkerId(name)), ENV, [TASK], T0, 5)
            for _ in range(10)
            for name, store in (("one", stores), ("two", twin))
        ]
        answers = await asyncio.gather(*claims)
        ids = [run.id for answer in answers for run in answer]
        assert len(ids) == len(set(ids)) == 60

    async def test_new_names_mean_the_same_to_both(self, stores: Stores, twin: Stores) -> None:
        run = await executing(stores)
        for n in range(10):
            one, two = (stores, twin) if n % 2 else (twin, stores)
            stream = draft(run, 0, stream=APPROVAL).stream
            name = type(stream)(f"{stream}-{n}")
            await one.streams.append(draft(run, 0, b"a", stream=name))
            await two.streams.append(draft(run, 1, b"b", stream=name))
        assert len(await stores.streams.ends(run.id)) == 10

    async def test_deliveries_of_both_are_told_apart(self, stores: Stores, twin: Stores) -> None:
        assert isinstance(stores.streams, Delivering)
        assert isinstance(twin.streams, Delivering)
        run = await executing(stores)
        first, second = remembered(run, "/a#0"), remembered(run, "/b#0")
        await stores.streams.deliver([draft(run, 0)], first)
        with pytest.raises(Conflict):
            await twin.streams.deliver([draft(run, 1)], second)
        assert (await twin.streams.backlog(run.id, APPROVAL, 0)).tail == 1

    async def test_the_others_writes_are_hinted_at(self, stores: Stores, twin: Stores) -> None:
        async with twin.wakeups.listen() as hints, asyncio.TaskGroup() as group:
            listening = group.create_task(heard(hints, RunId("run-1")))
            for n in range(1_000):
                await stores.runs.create(queued(f"run-{n}"), Order())
                await stores.wakeups.announce(RunId(f"run-{n}"))
                if listening.done():
                    break

    async def test_of_uses_at_both_no_more_get_through(self, stores: Stores, twin: Stores) -> None:
        uses = [one.credentials.use(use(n), 5, 60_000) for n, one in enumerate([stores, twin] * 10)]
        assert (await asyncio.gather(*uses)).count(Counted.NEW) == 5

    async def test_a_key_that_one_ends_has_ended_for_the_other(
        self, stores: Stores, twin: Stores
    ) -> None:
        await stores.credentials.add(root(1), T0)
        assert await twin.credentials.current(T0) == [root(1)]
        before = await stores.credentials.revision()
        assert await twin.credentials.end(root(1).env, root(1).id, T0, T0)
        assert await stores.credentials.revision() > before
        assert await stores.credentials.current(T0) == []

    async def test_time_does_not_go_back_from_one_to_the_other(
        self, stores: Stores, twin: Stores
    ) -> None:
        run = await executing(stores)
        for one, two in ((stores, twin), (twin, stores)):
            before = one.clock.now()
            change = remembered(run, f"/{before}#{run.entries}", now=before)
            await one.runs.commit(change)
            run = change.after
            await two.leases.sit(WorkerId("w"), before)
            assert two.clock.now() >= before
