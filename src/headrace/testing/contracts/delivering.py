"""What `Delivering` promises: records and the change that they lead to, whole or not at all."""

from __future__ import annotations

import asyncio

import pytest

from headrace.errors import NotFound
from headrace.kernel import commands as c
from headrace.kernel.commands import Change
from headrace.kernel.effects import durable
from headrace.kernel.machine import decide
from headrace.kernel.model import Key, Record, Run, Wait, inward
from headrace.ports import Clash, Conflict, Delivering, Draft, Stores
from headrace.testing.contracts.given import (
    APPROVAL,
    T0,
    draft,
    executing,
    filled,
    queued,
    remembered,
)


def taken(run: Run, *drafts: Draft) -> Change:
    """Return the change by which a wait in memory takes the first of `drafts`."""
    one = drafts[0]
    wait = Wait(Key(f"/approval#{one.seq}"), one.stream, held=False)
    standing = decide(run, c.Stand(run.epoch, wait), T0).after
    records = tuple(Record(d.seq, d.body, d.at, d.key, d.digest) for d in drafts)
    return decide(standing, c.Deliver(one.stream, records), T0)


class DeliveringContract:
    """`deliver`."""

    @pytest.fixture
    def delivering(self, stores: Stores) -> Delivering:
        """The capability, which the streams of a store have or have not."""
        assert isinstance(stores.streams, Delivering)
        return stores.streams

    async def test_record_entry_and_cursor_land_together(
        self, stores: Stores, delivering: Delivering
    ) -> None:
        run = await executing(stores)
        for seq in range(5):
            one = draft(run, seq, str(seq).encode(), key=b"%d" % seq, digest=b"d")
            change = taken(run, one)
            await delivering.deliver([one], change)
            run = change.after
            assert await stores.runs.load(run.id) == durable(run)
        assert run.cursors == {APPROVAL: 5}
        assert [entry.body for entry in await stores.runs.journal(run.id)] == [
            record.body for record in await stores.streams.read(run.id, APPROVAL, 0, 9)
        ]

    async def test_records_can_come_with_a_mere_check(
        self, stores: Stores, delivering: Delivering
    ) -> None:
        run = await executing(stores)
        drafts = [draft(run, 0), draft(run, 1), draft(run, 0, stream=inward("other"))]
        await delivering.deliver(drafts, Change(run, run))
        assert await stores.runs.load(run.id) == run
        assert (await stores.streams.backlog(run.id, APPROVAL, 0)).tail == 2
        assert (await stores.streams.backlog(run.id, inward("other"), 0)).tail == 1

    async def test_a_stale_change_appends_nothing(
        self, stores: Stores, delivering: Delivering
    ) -> None:
        run = await executing(stores)
        landed = remembered(run, "/a#0")
        await stores.runs.commit(landed)
        for change in (taken(run, draft(run, 0)), Change(run, run)):
            with pytest.raises(Conflict):
                await delivering.deliver([draft(run, 0)], change)
        assert await stores.runs.load(run.id) == landed.after
        assert list(await stores.streams.ends(run.id)) == []
        assert await stores.runs.journal(run.id) == list(landed.entries)

    @pytest.mark.parametrize("seq", [0, 1, 2, 4])
    async def test_a_number_that_is_not_the_next_changes_nothing(
        self, stores: Stores, delivering: Delivering, seq: int
    ) -> None:
        run = await executing(stores)
        await filled(stores, run, 2)
        drafts = [draft(run, 2), draft(run, 0, stream=inward("other")), draft(run, seq)]
        with pytest.raises(Clash):
            await delivering.deliver(drafts, remembered(run, "/a#0"))
        await self._expect_untouched(stores, run)

    async def test_a_key_that_is_taken_changes_nothing(
        self, stores: Stores, delivering: Delivering
    ) -> None:
        run = await executing(stores)
        await stores.streams.append(draft(run, 0, key=b"a"))
        await stores.streams.append(draft(run, 1, key=b"b"))
        drafts = [draft(run, 2, key=b"c"), draft(run, 3, key=b"a")]
        with pytest.raises(Clash):
            await delivering.deliver(drafts, remembered(run, "/a#0"))
        with pytest.raises(Clash):
            await delivering.deliver(
                [draft(run, 2, key=b"c"), draft(run, 3, key=b"c")], Change(run, run)
            )
        await self._expect_untouched(stores, run)

    async def test_an_answer_that_is_there_appends_nothing(
        self, stores: Stores, delivering: Delivering
    ) -> None:
        run = await executing(stores)
        await filled(stores, run, 2)
        change = remembered(run, "/a#0", "/a#0")
        with pytest.raises(Clash):
            await delivering.deliver([draft(run, 2)], change)
        await self._expect_untouched(stores, run)

    async def _expect_untouched(self, stores: Stores, run: Run) -> None:
        assert await stores.runs.load(run.id) == run
        assert await stores.runs.journal(run.id) == []
        assert list(await stores.streams.ends(run.id)) == [APPROVAL]
        assert (await stores.streams.backlog(run.id, APPROVAL, 0)).tail == 2

    async def test_one_bad_delivery_fails_alone(
        self, stores: Stores, delivering: Delivering
    ) -> None:
        runs = [await executing(stores, f"run-{n}") for n in range(6)]
        deliveries = [([draft(run, 0)], taken(run, draft(run, 0))) for run in runs]
        deliveries[1] = ([draft(runs[1], 7)], deliveries[1][1])
        deliveries[4] = ([draft(runs[4], 0), draft(runs[4], 0)], deliveries[4][1])
        outcomes = await asyncio.gather(
            *[delivering.deliver(*delivery) for delivery in deliveries], return_exceptions=True
        )
        for n, (run, outcome) in enumerate(zip(runs, outcomes, strict=True)):
            good = n not in {1, 4}
            assert (outcome is None) is good
            assert isinstance(outcome, Clash) is not good
            expected = durable(deliveries[n][1].after) if good else run
            assert await stores.runs.load(run.id) == expected
            assert (await stores.streams.backlog(run.id, APPROVAL, 0)).tail == int(good)

    async def test_records_of_other_runs_land_or_fail_with_it(
        self, stores: Stores, delivering: Delivering
    ) -> None:
        run, other = await executing(stores, "run-1"), await executing(stores, "run-2")
        change = remembered(run, "/send#0")
        with pytest.raises(NotFound):
            await delivering.deliver([draft(other, 0), draft(queued("nobody"), 0)], change)
        assert list(await stores.streams.ends(other.id)) == []
        await delivering.deliver([draft(other, 0)], change)
        assert list(await stores.streams.ends(other.id)) == [APPROVAL]
        assert await stores.runs.load(run.id) == change.after
