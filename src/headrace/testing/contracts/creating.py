"""What every `Runs` promises about starting a run: once per id, once per idempotency key."""

from __future__ import annotations

import asyncio

import pytest

from headrace.kernel.model import EnvId, Instant, Run, RunId, TaskId, later
from headrace.ports import Created, Order, Stores
from headrace.testing.contracts.given import BODIES, T0, queued

END = later(T0, 60_000)


def keyed(key: str = "", request_key: str = "", until: Instant = END) -> Order:
    """Return an order with these idempotency keys."""
    return Order(key=key, key_until=until, request_key=request_key, request_until=until)


class CreatingContract:
    """`create`, and the order that it keeps."""

    async def test_the_order_is_kept_as_it_was(self, stores: Stores) -> None:
        orders = [Order(payload=body, metadata=body) for body in BODIES]
        orders.append(
            Order(
                payload=b"[1]",
                metadata=b"{}",
                tags=("user:7", "é", "'"),
                key="k" * 2_048,
                key_until=END,
                request_key="r-1",
                request_until=later(END, 1),
                parent=RunId("run-0"),
                ttl="10m",
            )
        )
        for n, order in enumerate(orders):
            run = queued(f"run-{n}")
            assert await stores.runs.create(run, order) == Created(run.id)
            assert await stores.runs.order(run.id) == order
            assert await stores.runs.load(run.id) == run

    async def test_the_same_id_again_is_the_same_run(self, stores: Stores) -> None:
        run = queued()
        await stores.runs.create(run, Order(payload=b"1"))
        again = await stores.runs.create(queued(at=later(T0, 9)), Order(payload=b"2"))
        assert again == Created(run.id, cached=True)
        assert await stores.runs.load(run.id) == run
        assert await stores.runs.order(run.id) == Order(payload=b"1")

    async def test_the_same_key_gives_the_first_run(self, stores: Stores) -> None:
        await stores.runs.create(queued("run-1"), keyed("post-7"))
        again = await stores.runs.create(queued("run-2"), keyed("post-7"))
        assert again == Created(RunId("run-1"), cached=True)
        assert await stores.runs.load(RunId("run-2")) is None

    async def test_a_clients_retry_is_told_from_the_callers_key(self, stores: Stores) -> None:
        await stores.runs.create(queued("run-1"), keyed("post-7", "try-1"))
        retry = await stores.runs.create(queued("run-2"), keyed("post-7", "try-1"))
        caller = await stores.runs.create(queued("run-3"), keyed("post-7", "try-2"))
        assert retry == Created(RunId("run-1"), cached=True, by_request=True)
        assert caller == Created(RunId("run-1"), cached=True)

    async def test_both_kinds_of_key_are_spaces_of_their_own(self, stores: Stores) -> None:
        await stores.runs.create(queued("run-1"), keyed("same"))
        assert not (await stores.runs.create(queued("run-2"), keyed("", "same"))).cached

    @pytest.mark.parametrize(
        ("env", "task"), [(EnvId("prod"), TaskId("greet")), (EnvId("dev"), TaskId("leave"))]
    )
    async def test_keys_compare_only_within_environment_and_task(
        self, stores: Stores, env: EnvId, task: TaskId
    ) -> None:
        await stores.runs.create(queued("run-1"), keyed("post-7", "try-1"))
        other = queued("run-2", env=env, task=task)
        assert await stores.runs.create(other, keyed("post-7", "try-1")) == Created(other.id)

    async def test_runs_without_keys_are_never_the_same(self, stores: Stores) -> None:
        for n in range(3):
            assert not (await stores.runs.create(queued(f"run-{n}"), Order())).cached

    @pytest.mark.parametrize(("wait_ms", "cached"), [(59_999, True), (60_000, False)])
    async def test_a_key_is_free_at_its_instant_and_not_before(
        self, stores: Stores, wait_ms: int, *, cached: bool
    ) -> None:
        await stores.runs.create(queued("run-1"), keyed("post-7", "try-1"))
        late = queued("run-2", at=later(T0, wait_ms))
        assert (await stores.runs.create(late, keyed("post-7"))).cached is cached
        late = queued("run-3", at=later(T0, wait_ms))
        assert (await stores.runs.create(late, keyed("", "try-1"))).cached is cached

    async def test_a_key_without_an_end_stays(self, stores: Stores) -> None:
        await stores.runs.create(queued("run-1"), Order(key="post-7"))
        late = queued("run-2", at=later(T0, 10**12))
        assert (await stores.runs.create(late, Order(key="post-7"))).run_id == "run-1"

    async def test_an_expired_key_stands_for_the_new_run(self, stores: Stores) -> None:
        await stores.runs.create(queued("run-1"), keyed("post-7"))
        order = keyed("post-7", until=later(END, 60_000))
        await stores.runs.create(queued("run-2", at=END), order)
        again = await stores.runs.create(queued("run-3", at=END), order)
        assert again == Created(RunId("run-2"), cached=True)

    async def test_freed_keys_can_be_used_again_at_once(self, stores: Stores) -> None:
        failed = RunId("run-1")
        await stores.runs.create(queued("run-1"), keyed("post-7", "try-1"))
        new = await stores.runs.create(queued("run-2"), keyed("post-7", "try-2"), free=failed)
        assert new == Created(RunId("run-2"))
        assert not (await stores.runs.create(queued("run-3"), keyed("", "try-1"))).cached

    async def test_only_keys_that_still_stand_for_the_run_are_freed(self, stores: Stores) -> None:
        await stores.runs.create(queued("run-1"), keyed("post-7"))
        later_order = keyed("post-7", until=later(END, 60_000))
        await stores.runs.create(queued("run-2", at=END), later_order)
        third = await stores.runs.create(queued("run-3", at=END), later_order, free=RunId("run-1"))
        assert third == Created(RunId("run-2"), cached=True)

    async def test_freeing_an_unknown_run_is_nothing(self, stores: Stores) -> None:
        created = await stores.runs.create(queued(), keyed("a"), free=RunId("nobody"))
        assert not created.cached

    async def test_of_many_at_once_with_one_key_one_is_created(self, stores: Stores) -> None:
        runs = [queued(f"run-{n}") for n in range(20)]
        answers = await asyncio.gather(*[stores.runs.create(run, keyed("post-7")) for run in runs])
        assert sum(not answer.cached for answer in answers) == 1
        assert len({answer.run_id for answer in answers}) == 1
        assert await _there(stores, runs) == [answers[0].run_id]


async def _there(stores: Stores, runs: list[Run]) -> list[RunId]:
    return [run.id for run in runs if await stores.runs.load(run.id) is not None]
