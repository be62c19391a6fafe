"""What every `Runs` promises to whoever looks for runs."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.kernel import commands as c
from headrace.kernel.machine import decide
from headrace.kernel.model import EnvId, Key, RunId, TaskId, Wait
from headrace.ports import Filter, Order, Stores
from headrace.testing.contracts.given import APPROVAL, ENV, T0, executing, parked, queued


async def found(stores: Stores, size: int = 100, **only: Any) -> list[str]:
    """Return the ids that a filter finds."""
    return [run.id for run in await stores.runs.find(Filter(ENV, size, **only))]


class FindingContract:
    """`find`."""

    @pytest.fixture
    async def seven(self, stores: Stores) -> None:
        for n in range(7):
            order = Order(tags=(f"n:{n}", "odd" if n % 2 else "even"))
            await stores.runs.create(queued(f"run-{n}", task=TaskId(f"task-{n % 3}")), order)

    @pytest.mark.usefixtures("seven")
    async def test_the_newest_come_first(self, stores: Stores) -> None:
        assert await found(stores) == [f"run-{n}" for n in (6, 5, 4, 3, 2, 1, 0)]
        assert await found(stores, 2) == ["run-6", "run-5"]
        assert await stores.runs.find(Filter(EnvId("prod"), 100)) == []

    @pytest.mark.usefixtures("seven")
    async def test_pages_join_without_gap_or_overlap(self, stores: Stores) -> None:
        assert await found(stores, 3, after=RunId("run-5")) == ["run-4", "run-3", "run-2"]
        assert await found(stores, 3, after=RunId("run-2")) == ["run-1", "run-0"]
        assert await found(stores, 3, after=RunId("run-0")) == []
        assert await found(stores, 3, before=RunId("run-1")) == ["run-4", "run-3", "run-2"]
        assert await found(stores, 3, before=RunId("run-5")) == ["run-6"]
        both = await found(stores, 9, after=RunId("run-5"), before=RunId("run-1"))
        assert both == ["run-4", "run-3", "run-2"]

    @pytest.mark.usefixtures("seven")
    async def test_beside_an_unknown_run_is_nothing(self, stores: Stores) -> None:
        assert await found(stores, after=RunId("nobody")) == []
        assert await found(stores, before=RunId("nobody")) == []

    @pytest.mark.usefixtures("seven")
    async def test_tasks_and_tags_choose(self, stores: Stores) -> None:
        assert await found(stores, tasks=(TaskId("task-1"),)) == ["run-4", "run-1"]
        assert await found(stores, tags=("n:2", "n:5")) == ["run-5", "run-2"]
        assert await found(stores, tags=("odd",), tasks=(TaskId("task-1"),)) == ["run-1"]
        assert await found(stores, tags=("n",)) == []

    @pytest.mark.usefixtures("seven")
    async def test_a_page_counts_only_what_fits(self, stores: Stores) -> None:
        assert await found(stores, 2, tags=("even",)) == ["run-6", "run-4"]
        assert await found(stores, 2, tags=("even",), after=RunId("run-4")) == ["run-2", "run-0"]
        assert await found(stores, 2, tags=("even",), before=RunId("run-1")) == ["run-4", "run-2"]

    async def test_states_choose_by_their_class_and_that_of_the_outcome(
        self, stores: Stores
    ) -> None:
        run = await executing(stores, "run-done")
        await stores.runs.commit(decide(run, c.Complete(run.epoch, b"1"), T0))
        run = await executing(stores, "run-waiting")
        await stores.runs.commit(parked(run))
        await executing(stores, "run-running")
        await stores.runs.create(queued("run-queued"), Order())
        assert await found(stores, states=("Running", "Queued")) == ["run-queued", "run-running"]
        assert await found(stores, states=("Waiting",)) == ["run-waiting"]
        assert await found(stores, states=("Over",)) == ["run-done"]
        assert await found(stores, states=("Completed",)) == ["run-done"]
        assert await found(stores, states=("Failed", "Delayed")) == []

    async def test_waiting_demands_a_durable_wait(self, stores: Stores) -> None:
        for name, held in (("run-held", True), ("run-volatile", False)):
            run = await executing(stores, name)
            wait = Wait(Key("/approval#0"), APPROVAL, held=held)
            await stores.runs.commit(decide(run, c.Stand(run.epoch, wait), T0))
        assert await found(stores, waiting=True) == ["run-held"]
        assert await found(stores) == ["run-volatile", "run-held"]
