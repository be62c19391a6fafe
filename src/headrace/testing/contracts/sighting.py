"""What `Sighting` promises: in one look what the other verbs tell."""

from __future__ import annotations

import asyncio

from headrace.kernel.model import RunId, inward, outward
from headrace.ports import Sight, Sighting, Stores
from headrace.testing.contracts.given import draft, executing, filled, parked, remembered

FAR = 40


class SightingContract:
    """`sight`."""

    async def test_it_shows_what_the_other_verbs_tell(self, stores: Stores) -> None:
        run = await executing(stores)
        await filled(stores, run, 12)
        for stream in (inward("a"), outward("a")):
            await stores.streams.append(draft(run, 0, b"123", stream=stream))
        change = remembered(run, "/a", "/b", "/c")
        await stores.runs.commit(change)
        await stores.runs.commit(parked(change.after))
        for start in range(5):
            sight = await _sight(stores, run.id, start)
            assert sight.run == await stores.runs.load(run.id)
            assert sight.ends == await stores.streams.ends(run.id)
            assert sight.since(start) is not None
            assert list(sight.since(start) or ()) == await stores.runs.journal(run.id, start)
            assert not sight.since(3)

    async def test_of_a_new_run_there_is_nothing_else(self, stores: Stores) -> None:
        run = await executing(stores)
        sight = await _sight(stores, run.id, 0)
        assert (sight.run, sight.ends, sight.since(0)) == (run, {}, ())

    async def test_entries_that_were_not_asked_for_are_not_known(self, stores: Stores) -> None:
        run = await executing(stores)
        change = remembered(run, "/a", "/b")
        await stores.runs.commit(change)
        assert (await _sight(stores, run.id, None)).since(0) is None
        assert (await _sight(stores, run.id, 1)).since(0) is None
        assert (await _sight(stores, run.id, None)).since(2) == ()

    async def test_of_a_long_story_all_or_nothing_is_known(self, stores: Stores) -> None:
        run = await executing(stores)
        for part in range(2):
            change = remembered(run, *[f"/{part}/{n}" for n in range(FAR)])
            await stores.runs.commit(change)
            run = change.after
        for start in (0, FAR):
            seen = (await _sight(stores, run.id, start)).since(start)
            assert seen is None or seen == await stores.runs.journal(run.id, start)
        assert len((await _sight(stores, run.id, FAR)).since(FAR) or ()) == FAR

    async def test_many_at_once_each_get_their_own(self, stores: Stores) -> None:
        assert isinstance(stores.streams, Sighting)
        runs = [await executing(stores, f"run-{n}") for n in range(5)]
        for number, run in enumerate(runs):
            await filled(stores, run, number)
            if number % 2:
                await stores.runs.commit(remembered(run, *[f"/{n}" for n in range(number)]))
        names = [*(run.id for run in runs), RunId("nobody"), runs[0].id]
        found = await asyncio.gather(*[stores.streams.sight(name, 0) for name in names])
        seen = [one and (one.run.id, len(one.since(0) or ())) for one in found]
        counts = [number if number % 2 else 0 for number in range(5)]
        rest = [None, (runs[0].id, 0)]
        assert seen == [*((run.id, count) for run, count in zip(runs, counts, strict=True)), *rest]
        tails = [sum(end.tail for end in one.ends.values()) for one in found if one is not None]
        assert tails == [0, 1, 2, 3, 4, 0]


async def _sight(stores: Stores, run_id: RunId, start: int | None) -> Sight:
    assert isinstance(stores.streams, Sighting)
    sight = await stores.streams.sight(run_id, start)
    assert sight is not None
    return sight
