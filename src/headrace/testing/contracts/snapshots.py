"""What every `Snapshots` promises: they come and go with the changes of their runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from headrace.kernel import commands as c
from headrace.kernel.commands import Change
from headrace.kernel.machine import decide
from headrace.kernel.model import Cause, Footing, Over, Run, RunId, Waiting, WorkerId
from headrace.ports import Clash, Conflict, Delivering, Order, Stores
from headrace.testing.contracts.given import (
    BODIES,
    ENV,
    FOOTINGS,
    T0,
    TASK,
    WORKER,
    draft,
    executing,
    parked,
    remembered,
    saved,
    walk,
)

WALKS = range(90)


async def kept(stores: Stores, run: Run) -> bytes | None:
    """Return the snapshot that a reader finds who knows `run`."""
    return None if run.saved is None else await stores.snapshots.read(run.id, run.saved)


async def grown(stores: Stores, name: str = "run-1", entries: int = 3) -> Run:
    """Return a run that executes and remembers this many steps."""
    run = await executing(stores, name)
    change = remembered(run, *[f"/step#{n}" for n in range(entries)])
    await stores.runs.commit(change)
    return change.after


async def landed(stores: Stores, *changes: Change) -> Run:
    """Commit each; return the run after the last."""
    for change in changes:
        await stores.runs.commit(change)
    return changes[-1].after


class SnapshotsContract:
    """Saving, leaving, dropping what a snapshot stands for, and the end of it."""

    async def test_a_run_has_none_at_first(self, stores: Stores) -> None:
        run = await grown(stores)
        assert run.saved is None
        assert await stores.snapshots.read(run.id, run.entries) is None
        assert await stores.snapshots.read(RunId("nobody"), 0) is None

    @pytest.mark.parametrize("body", [body for body in BODIES if body], ids=len)
    async def test_it_comes_back_as_it_was(self, stores: Stores, body: bytes) -> None:
        run = await landed(stores, saved(await grown(stores), body))
        assert await kept(stores, run) == body
        assert await stores.runs.load(run.id) == run

    async def test_it_is_known_by_its_number(self, stores: Stores) -> None:
        """Who knows an older story of the run gets nothing, instead of what does not fit it."""
        run = await landed(stores, saved(await grown(stores)))
        for number, found in ((2, None), (3, b"frames"), (4, None)):
            assert await stores.snapshots.read(run.id, number) == found

    async def test_the_next_replaces_it(self, stores: Stores) -> None:
        run = await landed(stores, saved(await grown(stores), b"x" * 9_000))
        run = await landed(stores, remembered(run, "/a#0"))
        assert await kept(stores, run) == b"x" * 9_000
        run = await landed(stores, saved(run, b"short"))
        assert await kept(stores, run) == b"short"
        assert await stores.snapshots.read(run.id, 3) is None

    @pytest.mark.parametrize("footing", FOOTINGS)
    async def test_what_it_stands_on_comes_back_as_it_was(
        self, stores: Stores, footing: Footing
    ) -> None:
        run = await landed(stores, saved(await grown(stores), footing=footing))
        for number, found in ((2, None), (3, footing), (4, None)):
            assert await stores.snapshots.footing(run.id, number) == found

    async def test_what_it_stands_on_comes_and_goes_with_it(self, stores: Stores) -> None:
        run = await grown(stores)
        assert await stores.snapshots.footing(run.id, run.entries) is None
        assert await stores.snapshots.footing(RunId("nobody"), 0) is None
        for footing in (*FOOTINGS, None, FOOTINGS[0]):
            run = await landed(stores, saved(run, footing=footing))
            assert await stores.snapshots.footing(run.id, 3) == footing
        news = await landed(stores, remembered(run, "/a#0"))
        assert await stores.snapshots.footing(run.id, 3) == FOOTINGS[0]
        with pytest.raises(Conflict):
            await stores.runs.commit(saved(run, b"late", footing=FOOTINGS[1]))
        assert await stores.snapshots.footing(run.id, 3) == FOOTINGS[0]
        await stores.runs.commit(decide(news, c.Complete(run.epoch, b"1"), T0))
        assert await stores.snapshots.footing(run.id, 3) is None

    async def test_many_may_stand_on_one(self, stores: Stores) -> None:
        runs = [await grown(stores, f"run-{n}") for n in range(4)]
        changes = [saved(run, footing=FOOTINGS[n % 2]) for n, run in enumerate(runs)]
        await asyncio.gather(*map(stores.runs.commit, changes))
        await stores.runs.commit(decide(changes[0].after, c.Complete(1, b""), T0))
        found = [await stores.snapshots.footing(run.id, 3) for run in runs]
        assert found == [None, FOOTINGS[1], FOOTINGS[0], FOOTINGS[1]]

    async def test_saving_and_leaving_are_one(self, stores: Stores) -> None:
        waiting = await landed(stores, parked(await grown(stores)))
        run = await landed(stores, saved(waiting, leaves=True))
        loaded = await stores.runs.load(run.id)
        assert loaded == run
        assert run.state == Waiting(None)
        assert await stores.runs.held(_holder(waiting)) == []
        assert await kept(stores, run) == b"frames"

    async def test_a_stale_save_conflicts_and_leaves_nothing(self, stores: Stores) -> None:
        waiting = await landed(stores, parked(await grown(stores)))
        news = await landed(stores, remembered(waiting, "/a#0"))
        with pytest.raises(Conflict):
            await stores.runs.commit(saved(waiting, drops=True, leaves=True))
        assert await stores.runs.load(news.id) == news
        assert await stores.snapshots.read(news.id, waiting.entries) is None
        assert len(await stores.runs.journal(news.id)) == 4

    async def test_a_stale_save_does_not_replace_one_that_is_there(self, stores: Stores) -> None:
        run = await landed(stores, saved(await grown(stores), b"first"))
        news = await landed(stores, remembered(run, "/a#0"))
        with pytest.raises(Conflict):
            await stores.runs.commit(saved(run, b"late"))
        assert await kept(stores, news) == b"first"

    async def test_of_many_saves_from_one_read_one_lands(self, stores: Stores) -> None:
        run = await grown(stores)
        changes = [saved(run, b"%d" % n) for n in range(9)]
        commits = [stores.runs.commit(change) for change in changes]
        outcomes = await asyncio.gather(*commits, return_exceptions=True)
        bodies = [one.saved for one, what in zip(changes, outcomes, strict=True) if what is None]
        assert len(bodies) == 1
        assert await kept(stores, changes[0].after) == bodies[0]

    async def test_what_it_stands_for_is_dropped_in_its_commit(self, stores: Stores) -> None:
        run = await landed(stores, saved(await grown(stores), drops=True))
        assert await stores.runs.journal(run.id) == []
        run = await landed(stores, remembered(run, "/a#0", "/b#0"))
        assert await _numbers(stores, run) == [3, 4]
        assert await _numbers(stores, run, 4) == [4]
        run = await landed(stores, saved(run, b"kept too"))
        assert await _numbers(stores, run) == [3, 4]
        assert await stores.runs.load(run.id) == run

    async def test_what_was_remembered_with_it_is_dropped_with_the_rest(
        self, stores: Stores
    ) -> None:
        run = await grown(stores)
        news = remembered(run, "/a#0")
        change = saved(news.after, drops=True)
        after = replace(change.after, version=run.version + 1)
        both = replace(change, before=run, after=after, entries=news.entries)
        await stores.runs.commit(both)
        assert await stores.runs.journal(run.id) == []
        assert await stores.runs.load(run.id) == after

    async def test_what_is_remembered_after_it_in_one_change_is_kept(self, stores: Stores) -> None:
        run = await grown(stores)
        first = saved(run, drops=True)
        news = remembered(first.after, "/a#0")
        after = replace(news.after, version=run.version + 1)
        await stores.runs.commit(replace(first, after=after, entries=news.entries))
        assert await _numbers(stores, after) == [3]
        assert await stores.runs.load(run.id) == after
        assert await kept(stores, after) == b"frames"

    async def test_what_it_stands_for_can_be_dropped_later(self, stores: Stores) -> None:
        run = await landed(stores, saved(await grown(stores)))
        run = await landed(stores, saved(run, drops=True))
        assert await stores.runs.load(run.id) == run
        assert (run.saved, run.base) == (3, 3)
        assert await stores.runs.journal(run.id) == []

    async def test_an_answer_that_clashes_saves_and_drops_nothing(self, stores: Stores) -> None:
        run = await grown(stores)
        news = remembered(run, "/step#0")
        change = saved(news.after, drops=True)
        after = replace(change.after, version=run.version + 1)
        with pytest.raises(Clash):
            await stores.runs.commit(replace(change, before=run, after=after, entries=news.entries))
        assert await stores.runs.load(run.id) == run
        assert await _numbers(stores, run) == [0, 1, 2]
        assert await stores.snapshots.read(run.id, 4) is None

    async def test_a_long_journal_is_dropped_like_a_short_one(self, stores: Stores) -> None:
        run = await landed(stores, saved(await grown(stores, entries=1_000), drops=True))
        run = await landed(stores, remembered(run, "/a#0"))
        assert await _numbers(stores, run) == [1_000]

    @pytest.mark.parametrize("drops", [False, True])
    async def test_a_restart_forgets_it_and_all_entries(
        self, stores: Stores, *, drops: bool
    ) -> None:
        run = await landed(stores, saved(await grown(stores), drops=drops))
        run = await landed(stores, remembered(run, "/a#0"))
        run = await landed(stores, decide(run, c.Block(run.epoch, Cause("why")), T0))
        run = await landed(stores, decide(run, c.Restart(), T0))
        assert await stores.runs.load(run.id) == run
        assert (run.entries, run.base, run.saved, run.code) == (0, 0, None, "")
        assert await stores.runs.journal(run.id) == []
        for number in range(5):
            assert await stores.snapshots.read(run.id, number) is None
        claims = await stores.runs.claim(c.Claim(WORKER, "newer"), ENV, [TASK], T0, 1)
        assert [(one.id, one.code, one.epoch) for one in claims] == [(run.id, "newer", 2)]
        again = await landed(stores, remembered(claims[0], "/step#0"))
        assert await _numbers(stores, again) == [0]

    async def test_the_end_takes_it_along(self, stores: Stores) -> None:
        run = await landed(stores, saved(await grown(stores)))
        over = await landed(stores, decide(run, c.Complete(run.epoch, b"1"), T0))
        assert isinstance(over.state, Over)
        assert await stores.runs.load(run.id) == over
        for number in range(over.entries + 1):
            assert await stores.snapshots.read(run.id, number) is None

    async def test_saved_and_over_in_one_change_leaves_none(self, stores: Stores) -> None:
        run = await landed(stores, saved(await grown(stores), b"older"))
        end = decide(saved(run).after, c.Complete(run.epoch, b"1"), T0).after
        await stores.runs.commit(Change(run, replace(end, version=run.version + 1)))
        assert await stores.snapshots.read(run.id, 3) is None

    async def test_deliveries_save_as_commits_do(self, stores: Stores) -> None:
        assert isinstance(stores.streams, Delivering)
        run = await grown(stores)
        await stores.streams.deliver([draft(run, 0)], saved(run, drops=True))
        change = saved(run, drops=True)
        assert await kept(stores, change.after) == b"frames"
        assert await stores.runs.journal(run.id) == []
        with pytest.raises(Clash):
            await stores.streams.deliver([draft(run, 7)], saved(change.after, b"another"))
        assert await kept(stores, change.after) == b"frames"

    async def test_one_runs_snapshot_is_not_anothers(self, stores: Stores) -> None:
        runs = [await grown(stores, f"run-{n}", entries=n + 1) for n in range(4)]
        bodies = [b"%d" % n for n in range(4)]
        changes = [saved(run, body) for run, body in zip(runs, bodies, strict=True)]
        await asyncio.gather(*map(stores.runs.commit, changes))
        assert [await kept(stores, change.after) for change in changes] == bodies
        await stores.runs.commit(decide(changes[1].after, c.Complete(1, b""), T0))
        assert [await kept(stores, change.after) for change in changes] == [
            bodies[0],
            None,
            *bodies[2:],
        ]

    async def test_every_life_that_can_be_lived_keeps_its_own(self, stores: Stores) -> None:
        saves, leaves = 0, 0
        for seed in WALKS:
            born, *changes = walk(seed)
            await stores.runs.create(born.before, Order())
            body: bytes | None = None
            footing: Footing | None = None
            for change in changes:
                await stores.runs.commit(change)
                if change.saved is not None:
                    body, footing = change.saved, change.footing
                if (number := change.after.saved) is None:
                    body = footing = None
                assert await kept(stores, change.after) == body
                found = await stores.snapshots.footing(born.before.id, number or 0)
                assert found == footing
                saves += change.saved is not None
                leaves += change.saved is not None and change.after.state == Waiting(None)
        assert saves > 20
        assert leaves


def _holder(run: Run) -> WorkerId:
    assert isinstance(run.state, Waiting)
    assert run.state.worker is not None
    return run.state.worker


async def _numbers(stores: Stores, run: Run, start: int = 0) -> Sequence[int]:
    return [entry.n for entry in await stores.runs.journal(run.id, start)]
