"""What every `Runs` promises about its sets: a claim is the kernel's, only faster; so is `due`."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from headrace.kernel.commands import Claim, Elapse, Refused, Release
from headrace.kernel.effects import durable
from headrace.kernel.machine import decide, due
from headrace.kernel.model import (
    EnvId,
    Expired,
    Instant,
    Limits,
    Over,
    Queued,
    Run,
    RunId,
    TaskId,
    WorkerId,
    later,
)
from headrace.ports import Order, Stores
from headrace.testing.contracts.given import ENV, T0, TASK, queued, walk

NOW = later(T0, 3_600_000)
CLAIM = Claim(WorkerId("worker-2"), "another version")
EVERYTHING = 10_000


class ClaimingContract:
    """`claim` and `due`."""

    async def test_a_claim_equals_the_kernel(self, stores: Stores) -> None:
        runs = await _lives(stores, 400)
        queue = [run for run in runs if isinstance(run.state, Queued)]
        assert any(run.waits for run in queue)
        assert any(run.stop for run in queue)
        assert any(run.epoch for run in queue)
        assert any(run.limits.max_duration_ms and run.ran_ms for run in queue)
        assert any(run.limits.ttl_ms is not None and run.epoch for run in queue)
        assert any(run.saved is not None for run in queue)
        assert {bool(run.code) for run in queue} == {False, True}
        claimed = await stores.runs.claim(CLAIM, ENV, [TASK], NOW, EVERYTHING)
        decided = {run.id: _claimed(run, NOW) for run in queue}
        expected = {run_id: after for run_id, after in decided.items() if after is not None}
        assert 0 < len(expected) < len(queue)
        assert {run.id: run for run in claimed} == expected
        for run in runs:
            assert await stores.runs.load(run.id) == expected.get(run.id, run)

    async def test_a_run_past_its_time_to_live_is_left_to_expire(self, stores: Stores) -> None:
        for n, ttl_ms in enumerate((1_000, 1_001, 1_000, None)):
            run = replace(queued(f"run-{n}"), limits=Limits(ttl_ms=ttl_ms))
            await stores.runs.create(run, Order())
        begun = replace(queued("run-4"), limits=Limits(ttl_ms=1_000))
        await stores.runs.create(begun, Order())
        started = decide(begun, CLAIM, T0)
        released = decide(started.after, Release(started.after.epoch), T0)
        await stores.runs.commit(started)
        await stores.runs.commit(released)
        now = later(T0, 1_000)
        first = await stores.runs.claim(CLAIM, ENV, [TASK], now, 2)
        assert [run.id for run in first] == ["run-1", "run-3"]  # nothing has expired yet
        rest = await stores.runs.claim(CLAIM, ENV, [TASK], now, 9)
        assert [run.id for run in rest] == ["run-4"]
        assert await stores.runs.claim(CLAIM, ENV, [TASK], now, 9) == []
        for run_id in (RunId("run-0"), RunId("run-2")):
            left = await stores.runs.load(run_id)
            assert left is not None
            assert decide(left, Elapse(), now).after.state == Over(Expired(), now)

    async def test_due_is_what_the_kernel_says(self, stores: Stores) -> None:
        runs = await _lives(stores, 400)
        await _expect_due(stores, runs)
        claimed = await stores.runs.claim(CLAIM, ENV, [TASK], NOW, EVERYTHING)
        after = {run.id: run for run in claimed}
        await _expect_due(stores, [after.get(run.id, run) for run in runs])

    async def test_due_comes_earliest_first_and_no_more_than_asked(self, stores: Stores) -> None:
        await _lives(stores, 100)
        everything = await stores.runs.due(later(NOW, 10**9), EVERYTHING)
        moments = [moment for moment, _ in everything]
        assert moments == sorted(moments)
        assert list(await stores.runs.due(later(NOW, 10**9), 5)) == list(everything[:5])
        assert await stores.runs.due(Instant(moments[0] - 1), EVERYTHING) == []

    async def test_the_oldest_are_claimed_first(self, stores: Stores) -> None:
        tasks = [TASK, TaskId("other")]
        for n, age in enumerate((5, 1, 3, 1, 4)):
            run = queued(f"run-{n}", at=later(T0, age), task=tasks[n % 2])
            await stores.runs.create(run, Order())
        first = await stores.runs.claim(CLAIM, ENV, tasks, NOW, 3)
        rest = await stores.runs.claim(CLAIM, ENV, tasks, NOW, 3)
        assert [run.id for run in (*first, *rest)] == [f"run-{n}" for n in (1, 3, 2, 4, 0)]
        assert await stores.runs.claim(CLAIM, ENV, tasks, NOW, 3) == []

    async def test_only_these_tasks_of_this_environment_are_claimed(self, stores: Stores) -> None:
        await stores.runs.create(queued("run-1"), Order())
        await stores.runs.create(queued("run-2", task=TaskId("other")), Order())
        await stores.runs.create(queued("run-3", env=EnvId("prod")), Order())
        assert await stores.runs.claim(CLAIM, ENV, [], NOW, 9) == []
        assert await stores.runs.claim(CLAIM, ENV, [TaskId("unheard-of")], NOW, 9) == []
        assert await stores.runs.claim(CLAIM, EnvId("test"), [TASK], NOW, 9) == []
        claimed = await stores.runs.claim(CLAIM, ENV, [TASK, TASK], NOW, 9)
        assert [run.id for run in claimed] == ["run-1"]

    async def test_two_workers_never_claim_the_same_run(self, stores: Stores) -> None:
        for n in range(50):
            await stores.runs.create(queued(f"run-{n}"), Order())
        workers = [Claim(WorkerId(f"worker-{n}")) for n in range(8)]
        answers = await asyncio.gather(
            *[stores.runs.claim(worker, ENV, [TASK], NOW, 7) for worker in workers]
        )
        ids = [run.id for answer in answers for run in answer]
        assert len(ids) == len(set(ids)) == 50


def _claimed(run: Run, now: Instant) -> Run | None:
    try:
        return decide(run, CLAIM, now).after
    except Refused:
        return None


async def _lives(stores: Stores, count: int) -> list[Run]:
    """Store runs in the middle of many different lives."""
    runs: list[Run] = []
    for seed in range(count):
        born, *changes = walk(seed, steps=seed % 25)
        await stores.runs.create(born.before, Order())
        for change in changes:
            await stores.runs.commit(change)
        runs.append(durable((changes or [born])[-1].after))
    return runs


async def _expect_due(stores: Stores, runs: list[Run]) -> None:
    moments = {run.id: due(run) for run in runs}
    instants = sorted({moment for moment in moments.values() if moment is not None})
    assert len(instants) > 10
    for now in (*instants[::9], Instant(instants[0] - 1), later(instants[-1], 1)):
        expected: dict[RunId, Instant] = {
            run_id: moment
            for run_id, moment in moments.items()
            if moment is not None and moment <= now
        }
        found = await stores.runs.due(now, EVERYTHING)
        assert {run_id: moment for moment, run_id in found} == expected
