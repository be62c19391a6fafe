"""What every `Revisions` promises: whatever is seen of a run from outside moves its revision."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headrace.kernel.model import EnvId, Instant, RunId, StreamId, inward, later, outward
from headrace.ports import Order, Revision, Stores, Tagged
from headrace.testing.contracts.given import ENV, T0, claimed, draft, executing, queued

TOKENS = outward("tokens")


async def revision(stores: Stores, run_id: str = "run-1") -> Revision:
    """Return how far the run has come."""
    return (await stores.revisions.of([RunId(run_id)]))[RunId(run_id)]


async def tagged(
    stores: Stores, *tags: str, since: Instant = T0, limit: int = 100, env: EnvId = ENV
) -> list[str]:
    """Return the ids of the runs with these tags."""
    found = await stores.revisions.tagged(Tagged(env, tags, since), limit)
    assert found == [await revision(stores, one.run_id) for one in found]
    return [one.run_id for one in found]


class RevisionsContract:
    """`Revisions`."""

    async def test_every_change_of_a_run_moves_it(self, stores: Stores) -> None:
        change = claimed(queued())
        await stores.runs.create(change.before, Order())
        before = await revision(stores)
        assert before == Revision(RunId("run-1"), 0, 0)
        await stores.runs.commit(change)
        assert await revision(stores) == replace(before, version=1)

    async def test_metadata_moves_it_also_where_it_is_set_to_what_it_was(
        self, stores: Stores
    ) -> None:
        run = await executing(stores)
        seen = [await revision(stores)]
        for value in (b"1", b"2", b"2"):
            await stores.runs.metadata(run.id, value)
            seen.append(await revision(stores))
        assert [one.beside for one in seen] == [0, 1, 2, 3]
        assert len({one.version for one in seen}) == 1

    async def test_an_output_stream_moves_it_once_and_an_input_stream_never(
        self, stores: Stores
    ) -> None:
        run = await executing(stores)
        seen = list[int]()
        places: list[tuple[StreamId, int]] = [
            (TOKENS, 0),
            (TOKENS, 1),
            (inward("approval"), 0),
            (outward("a"), 0),
        ]
        for stream, seq in places:
            await stores.streams.append(draft(run, seq, stream=stream))
            seen.append((await revision(stores)).beside)
        assert seen == [1, 1, 1, 2]

    async def test_only_runs_that_are_there_are_told_of(self, stores: Stores) -> None:
        names = [RunId(f"run-{n}") for n in range(20)]
        for name in names[:12]:
            await stores.runs.create(queued(name), Order())
        assert sorted(await stores.revisions.of(names)) == sorted(names[:12])
        assert await stores.revisions.of([]) == {}

    async def test_runs_with_all_the_tags_are_found_newest_first(self, stores: Stores) -> None:
        for n in range(6):
            tags = ("all", "even" if n % 2 == 0 else "odd", f'n:{n} "\\é')
            await stores.runs.create(queued(f"run-{n}", at=later(T0, n)), Order(tags=tags))
        await stores.runs.create(queued("run-bare", at=T0), Order())
        assert await tagged(stores, "all") == [f"run-{n}" for n in (5, 4, 3, 2, 1, 0)]
        assert await tagged(stores, "all", "odd") == ["run-5", "run-3", "run-1"]
        assert await tagged(stores, "odd", "even") == []
        assert await tagged(stores, 'n:3 "\\é', "all", "odd") == ["run-3"]
        assert await tagged(stores, "all", limit=2) == ["run-5", "run-4"]
        assert await tagged(stores, "n:") == []

    async def test_those_created_earlier_are_left_out(self, stores: Stores) -> None:
        for n in range(4):
            await stores.runs.create(queued(f"run-{n}", at=later(T0, n)), Order(tags=("a",)))
        assert await tagged(stores, "a", since=later(T0, 2)) == ["run-3", "run-2"]
        assert await tagged(stores, "a", since=later(T0, 4)) == []

    async def test_environments_share_no_tag(self, stores: Stores) -> None:
        prod = EnvId("prod")
        await stores.runs.create(queued("run-dev"), Order(tags=("a",)))
        await stores.runs.create(queued("run-prod", env=prod), Order(tags=("a",)))
        assert await tagged(stores, "a") == ["run-dev"]
        assert await tagged(stores, "a", env=prod) == ["run-prod"]

    async def test_a_run_that_was_created_twice_is_found_once(self, stores: Stores) -> None:
        for tags in (("a", "b"), ("a", "c")):
            await stores.runs.create(queued(), Order(tags=tags))
        assert await tagged(stores, "a") == ["run-1"]
        assert await tagged(stores, "c") == []

    @pytest.mark.parametrize("count", [1, 30])
    async def test_tags_are_told_of_those_that_have_any(self, stores: Stores, count: int) -> None:
        names = [RunId(f"run-{n}") for n in range(count)]
        for name in names:
            await stores.runs.create(queued(name), Order(tags=("x", name)))
        await stores.runs.create(queued("run-bare"), Order())
        asked = [*names, RunId("run-bare"), RunId("nobody")]
        assert await stores.revisions.tags(asked) == {name: ("x", name) for name in names}
