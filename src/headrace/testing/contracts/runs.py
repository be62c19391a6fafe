"""What every `Runs` promises about a run that is there: it changes whole, or not at all."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from headrace.kernel import commands as c
from headrace.kernel.commands import Change
from headrace.kernel.effects import durable
from headrace.kernel.machine import decide
from headrace.kernel.model import Key, RunId, Wait, WorkerId, later
from headrace.ports import Clash, Conflict, Order, Stores
from headrace.testing.contracts.given import (
    APPROVAL,
    BODIES,
    T0,
    WORKER,
    claimed,
    executing,
    parked,
    queued,
    remembered,
    walk,
)

WALKS = range(60)


class RunsContract:
    """Loading, committing, the journal, metadata, who holds what."""

    async def test_an_id_that_no_run_can_have_is_of_none(self, stores: Stores) -> None:
        assert await stores.runs.load(RunId("no\0body")) is None
        assert await stores.runs.order(RunId("no\0body")) is None
        assert await stores.runs.journal(RunId("no\0body")) == []

    async def test_an_unknown_run_is_nothing(self, stores: Stores) -> None:
        unknown = RunId("nobody")
        assert await stores.runs.load(unknown) is None
        assert await stores.runs.order(unknown) is None
        assert await stores.runs.journal(unknown) == []
        assert await stores.runs.metadata(unknown) == b""
        assert await stores.runs.metadata(unknown, b"1") == b""
        with pytest.raises(Conflict):
            await stores.runs.commit(claimed(queued("nobody")))

    async def test_every_run_that_can_be_reached_comes_back_as_it_was(self, stores: Stores) -> None:
        for seed in WALKS:
            born, *changes = walk(seed)
            run_id = born.before.id
            await stores.runs.create(born.before, Order())
            journal: dict[Key, int] = {}
            for change in changes:
                await stores.runs.commit(change)
                assert await stores.runs.load(run_id) == durable(change.after)
                undone = change.after.entries if change.undone is None else change.undone
                journal = {key: n for key, n in journal.items() if n < undone}
                journal |= {entry.key: entry.n for entry in change.entries}
                journal = {k: n for k, n in journal.items() if n >= change.after.base}
            kept = await stores.runs.journal(run_id)
            assert {entry.key: entry.n for entry in kept} == journal

    async def test_waits_in_memory_are_not_stored(self, stores: Stores) -> None:
        run = await executing(stores)
        volatile = Wait(Key("/approval#0"), APPROVAL, held=False)
        durable_ = Wait(Key("/approval#1"), APPROVAL, later(T0, 5))
        for wait in (volatile, durable_):
            change = decide(run, c.Stand(run.epoch, wait), T0)
            await stores.runs.commit(change)
            run = change.after
        loaded = await stores.runs.load(run.id)
        assert loaded is not None
        assert [wait.key for wait in loaded.waits] == [durable_.key]
        assert [wait.key for wait in run.waits] == [volatile.key, durable_.key]

    async def test_a_stale_commit_conflicts_and_leaves_nothing(self, stores: Stores) -> None:
        run = await executing(stores)
        first, second = remembered(run, "/a#0"), remembered(run, "/b#0")
        await stores.runs.commit(first)
        with pytest.raises(Conflict):
            await stores.runs.commit(second)
        assert await stores.runs.load(run.id) == first.after
        assert [entry.key for entry in await stores.runs.journal(run.id)] == ["/a#0"]

    async def test_of_many_commits_from_one_read_one_lands(self, stores: Stores) -> None:
        run = await executing(stores)
        changes = [remembered(run, f"/step#{n}") for n in range(20)]
        commits = [stores.runs.commit(change) for change in changes]
        outcomes = await asyncio.gather(*commits, return_exceptions=True)
        landed = [
            change
            for change, outcome in zip(changes, outcomes, strict=True)
            if not isinstance(outcome, Conflict)
        ]
        assert len(landed) == 1
        assert await stores.runs.load(run.id) == landed[0].after
        assert await stores.runs.journal(run.id) == list(landed[0].entries)

    async def test_a_change_without_a_difference_only_checks(self, stores: Stores) -> None:
        run = await executing(stores)
        await stores.runs.commit(Change(run, run))
        assert await stores.runs.load(run.id) == run
        with pytest.raises(Conflict):
            await stores.runs.commit(Change(replace(run, version=0), replace(run, version=0)))

    async def test_a_second_answer_under_a_key_clashes_and_leaves_nothing(
        self, stores: Stores
    ) -> None:
        run = await executing(stores)
        first = remembered(run, "/a#0")
        await stores.runs.commit(first)
        with pytest.raises(Clash):
            await stores.runs.commit(remembered(first.after, "/b#0", "/a#0"))
        assert await stores.runs.load(run.id) == first.after
        assert await stores.runs.journal(run.id) == list(first.entries)

    async def test_one_bad_change_fails_alone(self, stores: Stores) -> None:
        runs = [await executing(stores, f"run-{n}") for n in range(5)]
        bad = remembered(runs[2], "/a#0", "/a#0")
        good = [remembered(run, "/a#0") for run in runs if run is not runs[2]]
        outcomes = await asyncio.gather(
            *[stores.runs.commit(change) for change in (*good[:2], bad, *good[2:])],
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [type(None)] * 2 + [Clash] + [
            type(None)
        ] * 2
        for change in good:
            assert await stores.runs.load(change.before.id) == change.after
        assert await stores.runs.load(runs[2].id) == runs[2]

    async def test_the_journal_is_in_the_order_of_completion(self, stores: Stores) -> None:
        run = await executing(stores)
        for key in ("/z#0", "/a#0", "/m#0"):
            change = remembered(run, key)
            await stores.runs.commit(change)
            run = change.after
        assert [entry.key for entry in await stores.runs.journal(run.id)] == [
            "/z#0",
            "/a#0",
            "/m#0",
        ]
        assert [entry.n for entry in await stores.runs.journal(run.id, 1)] == [1, 2]
        assert await stores.runs.journal(run.id, 3) == []

    async def test_a_long_journal_is_read_like_a_short_one(self, stores: Stores) -> None:
        run = await executing(stores)
        change = remembered(run, *[f"/step#{n}" for n in range(1_000)])
        await stores.runs.commit(change)
        assert await stores.runs.journal(run.id) == list(change.entries)
        assert await stores.runs.journal(run.id, 990) == list(change.entries[990:])

    async def test_entries_that_were_undone_are_gone_and_their_keys_free(
        self, stores: Stores
    ) -> None:
        run = await executing(stores)
        change = remembered(run, "/a#0", "/b#0", "/c#0")
        await stores.runs.commit(change)
        back = replace(change.after, version=change.after.version + 1, entries=1)
        again = remembered(back, "/c#0", "/b#0")
        await stores.runs.commit(Change(change.after, again.after, again.entries, undone=1))
        kept = await stores.runs.journal(run.id)
        assert [(entry.n, entry.key) for entry in kept] == [(0, "/a#0"), (1, "/c#0"), (2, "/b#0")]

    async def test_every_field_of_an_entry_is_kept(self, stores: Stores) -> None:
        run = await executing(stores)
        change = remembered(run, "/a#0")
        full = replace(
            change.entries[0],
            kind="take",
            ending="timeout",
            body='{"é": "\u0000"}'.encode(),
            stream=APPROVAL,
            seq=41,
            deadline=later(T0, 1),
            fingerprint="ü",
            line="tâche.py:1",
        )
        await stores.runs.commit(replace(change, entries=(full,)))
        assert await stores.runs.journal(run.id) == [full]

    async def test_bodies_of_any_size_are_kept(self, stores: Stores) -> None:
        for n, body in enumerate(BODIES):
            run = await executing(stores, f"run-{n}")
            change = remembered(run, "/a#0")
            entry = replace(change.entries[0], body=body)
            await stores.runs.commit(replace(change, entries=(entry,)))
            over = decide(change.after, c.Complete(run.epoch, body), T0)
            await stores.runs.commit(over)
            assert await stores.runs.journal(run.id) == [entry]
            assert await stores.runs.load(run.id) == over.after

    async def test_a_worker_holds_what_it_runs_and_what_it_keeps_warm(self, stores: Stores) -> None:
        runs = [await executing(stores, f"run-{n}") for n in range(4)]
        await stores.runs.commit(parked(runs[1]))
        cold = parked(runs[2])
        await stores.runs.commit(cold)
        await stores.runs.commit(decide(cold.after, c.Release(runs[2].epoch), T0))
        await stores.runs.commit(decide(runs[3], c.Complete(runs[3].epoch, b""), T0))
        assert set(await stores.runs.held(WORKER)) == {runs[0].id, runs[1].id}
        assert await stores.runs.held(WorkerId("worker-2")) == []

    async def test_metadata_starts_with_the_orders_and_never_changes_the_run(
        self, stores: Stores
    ) -> None:
        for n, body in enumerate(BODIES):
            run, order = queued(f"run-{n}"), Order(metadata=body)
            await stores.runs.create(run, order)
            assert await stores.runs.metadata(run.id) == body
            assert await stores.runs.metadata(run.id, b'{"at": 1}') == b'{"at": 1}'
            assert await stores.runs.metadata(run.id, body + b" ") == body + b" "
            assert await stores.runs.metadata(run.id) == body + b" "
            assert await stores.runs.order(run.id) == order
            assert await stores.runs.load(run.id) == run

    async def test_a_run_may_have_any_name(self, stores: Stores) -> None:
        names = ["\u00e9", "e\u0301", "a:b", "a", "A", "\U0001f600", "' OR 1=1 --", "x" * 512]
        runs = [queued(name) for name in names]
        for run in runs:
            assert not (await stores.runs.create(run, Order())).cached
        assert [await stores.runs.load(run.id) for run in runs] == runs

    async def test_one_runs_entries_are_not_anothers(self, stores: Stores) -> None:
        first, second = await executing(stores, "run-1"), await executing(stores, "run-11")
        await stores.runs.commit(remembered(first, "/a#0"))
        await stores.runs.commit(remembered(second, "/a#0", "/b#0"))
        assert len(await stores.runs.journal(first.id)) == 1
        assert len(await stores.runs.journal(second.id)) == 2
