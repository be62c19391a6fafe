"""What every `Runs` promises about blocked runs: they come back as they are, and go on whole."""

from __future__ import annotations

import pytest

from headrace.kernel import commands as c
from headrace.kernel.commands import Change
from headrace.kernel.journal import inserting, skipping
from headrace.kernel.machine import decide
from headrace.kernel.model import Blocked, Cause, Gap, Key, Queued, Run
from headrace.ports import Clash, Conflict, Draft, Stores
from headrace.testing.contracts.given import (
    APPROVAL,
    ENV,
    T0,
    TASK,
    WORKER,
    executing,
    parked,
    remembered,
)

CAUSE = Cause("-step a\n+step b", "Diverged")
GAPS = (None, Gap(0), Gap(1, (Key("/b#0"), Key("1/na\u00efve#12"))))


async def _landed(stores: Stores, change: Change) -> Run:
    await stores.runs.commit(change)
    return change.after


async def blocked(stores: Stores, gap: Gap | None = None) -> Run:
    """Return a run that remembers two steps and stood in a wait when it was blocked."""
    run = await executing(stores)
    run = await _landed(stores, remembered(run, "/a#0", "/b#0"))
    run = await _landed(stores, parked(run))
    return await _landed(stores, decide(run, c.Block(run.epoch, CAUSE, gap), T0))


class MendingContract:
    """Blocked runs: what is said of them, and each way on."""

    @pytest.mark.parametrize("gap", GAPS)
    async def test_why_a_run_is_blocked_comes_back(self, stores: Stores, gap: Gap | None) -> None:
        run = await blocked(stores, gap)
        assert run.state == Blocked(CAUSE, gap)
        assert await stores.runs.load(run.id) == run

    async def test_what_is_accepted_is_added_and_the_run_is_queued(self, stores: Stores) -> None:
        run = await blocked(stores)
        journal = list(await stores.runs.journal(run.id))
        accepted = (skipping(journal[1]), inserting(Key("/audit#0")))
        change = decide(run, c.Accept(accepted), T0)
        after = await _landed(stores, change)
        assert await stores.runs.load(run.id) == after
        assert isinstance(after.state, Queued)
        assert list(await stores.runs.journal(run.id)) == [*journal, *change.entries]
        assert [(e.n, e.kind, e.key) for e in change.entries] == [
            (2, "skip", "/b#0-"),
            (3, "insert", "/audit#0+"),
        ]

    async def test_what_has_been_accepted_clashes_and_leaves_nothing(self, stores: Stores) -> None:
        run = await blocked(stores)
        accept = c.Accept((inserting(Key("/audit#0")),))
        run = await _landed(stores, decide(run, accept, T0))
        claimed = await _landed(stores, decide(run, c.Claim(WORKER), T0))
        run = await _landed(stores, decide(claimed, c.Block(claimed.epoch, CAUSE), T0))
        with pytest.raises(Clash):
            await stores.runs.commit(decide(run, accept, T0))
        assert await stores.runs.load(run.id) == run

    async def test_a_restart_lets_messages_be_read_again(self, stores: Stores) -> None:
        run = await executing(stores)
        await stores.streams.append(Draft(run.id, APPROVAL, 0, b"true", T0))
        run = await _landed(stores, parked(run))
        (record,) = await stores.streams.read(run.id, APPROVAL, 0, 9)
        run = await _landed(stores, decide(run, c.Deliver(APPROVAL, (record,)), T0))
        assert run.cursors == {APPROVAL: 1}
        run = await _landed(stores, decide(run, c.Block(run.epoch, CAUSE), T0))
        change = decide(run, c.Restart(), T0)
        again = await _landed(stores, change)
        assert await stores.runs.load(run.id) == again
        assert (again.cursors, again.waits, again.entries) == ({}, (), 0)
        assert await stores.runs.journal(run.id) == []
        assert await stores.streams.read(run.id, APPROVAL, 0, 9) == [record]
        with pytest.raises(Conflict):
            await stores.runs.commit(change)

    async def test_a_run_that_begins_again_is_claimed_like_any_other(self, stores: Stores) -> None:
        run = await blocked(stores)
        run = await _landed(stores, decide(run, c.Restart(), T0))
        claim = c.Claim(WORKER, "newer")
        (claimed,) = await stores.runs.claim(claim, ENV, [TASK], T0, 9)
        assert claimed == decide(run, claim, T0).after
        assert (claimed.code, claimed.attempt, claimed.failures) == ("newer", 1, 0)
        assert claimed == await stores.runs.load(run.id)
