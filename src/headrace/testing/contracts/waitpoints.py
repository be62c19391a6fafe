"""What every `Waitpoints` promises, and every `Runs` about the runs that wait for them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from headrace.kernel import commands as c
from headrace.kernel.machine import decide
from headrace.kernel.model import (
    EPOCH,
    EnvId,
    Instant,
    Key,
    Record,
    Run,
    RunId,
    StreamId,
    Wait,
    WaitpointId,
    at_waitpoint,
    later,
)
from headrace.ports import Conflict, RecordAt, Retried, Stores, Waitpoint, WaitpointFilter
from headrace.testing.contracts.given import ENV, T0, executing

TOKEN = WaitpointId("waitpoint_1")
DAY_MS = 86_400_000
FAR = Instant(4 * 10**12)
LIST = WaitpointFilter(ENV, size=10, now=T0)


def waitpoint(name: str = "waitpoint_1", *, key: str = "", until: Instant = FAR) -> Waitpoint:
    """Return one that is to be made."""
    free = until if key else Instant(0)
    return Waitpoint(WaitpointId(name), ENV, T0, None, b"hash", ("a", "b"), key=key, key_until=free)


def awaiting(name: str, run: str = "run-1", stream: str = "<a", *, key: str = "") -> Waitpoint:
    """Return one that awaits a record."""
    record = RecordAt(RunId(run), StreamId(stream), 7)
    return replace(waitpoint(name, key=key), awaits=record, callback=b"")


def standing(run: Run, *, deadline: Instant | None = None, key: str = "/t#0") -> c.Change:
    """Return the change by which a run waits for `TOKEN`."""
    return decide(run, c.Stand(run.epoch, Wait(Key(key), at_waitpoint(TOKEN), deadline)), T0)


class WaitpointsContract:
    """Making, finding, completing; and who waits."""

    async def test_one_comes_back_as_it_was_made(self, stores: Stores) -> None:
        made = replace(waitpoint(key="k"), deadline=FAR)
        assert (await stores.waitpoints.create(made)).waitpoint == made
        assert await stores.waitpoints.load(TOKEN) == made
        assert await stores.waitpoints.load(WaitpointId("waitpoint_2")) is None

    async def test_the_first_value_stays(self, stores: Stores) -> None:
        await stores.waitpoints.create(waitpoint())
        assert await stores.waitpoints.complete(TOKEN, b'"1"')
        first = await stores.waitpoints.load(TOKEN)
        assert first is not None
        assert (first.output, first.state(FAR)) == (b'"1"', "COMPLETED")
        assert not await stores.waitpoints.complete(TOKEN, b'"2"')
        assert await stores.waitpoints.load(TOKEN) == first

    async def test_of_many_at_once_one_completes_it(self, stores: Stores) -> None:
        await stores.waitpoints.create(waitpoint())
        calls = [stores.waitpoints.complete(TOKEN, b"%d" % n) for n in range(20)]
        done = await asyncio.gather(*calls)
        assert sum(done) == 1
        known = await stores.waitpoints.load(TOKEN)
        assert known is not None
        assert known.output == b"%d" % done.index(True)

    async def test_no_value_is_a_value_too(self, stores: Stores) -> None:
        await stores.waitpoints.create(waitpoint())
        assert await stores.waitpoints.complete(TOKEN, b"")
        assert not await stores.waitpoints.complete(TOKEN, b"1")
        known = await stores.waitpoints.load(TOKEN)
        assert known is not None
        assert known.completed is not None

    async def test_what_is_late_by_the_clock_of_the_store_is_not_written(
        self, stores: Stores
    ) -> None:
        now = stores.clock.now()
        await stores.waitpoints.create(replace(waitpoint(), deadline=now))
        assert not await stores.waitpoints.complete(TOKEN, b"1")
        known = await stores.waitpoints.load(TOKEN)
        assert known is not None
        assert (known.completed, known.state(now)) == (None, "TIMED_OUT")
        in_time = replace(waitpoint("waitpoint_2"), deadline=later(now, DAY_MS))
        await stores.waitpoints.create(in_time)
        assert await stores.waitpoints.complete(in_time.id, b"1")

    @pytest.mark.parametrize("first", [EPOCH, T0])
    async def test_what_is_settled_first_stays(self, stores: Stores, first: Instant) -> None:
        await stores.waitpoints.create(awaiting("waitpoint_1"))
        assert await stores.waitpoints.settle(TOKEN, first) == first
        for other in (EPOCH, T0, later(T0, 1)):
            assert await stores.waitpoints.settle(TOKEN, other) == first
        known = await stores.waitpoints.load(TOKEN)
        assert known is not None
        assert known.came == first
        assert list(await stores.waitpoints.find(LIST)) == [known]
        assert known.state(T0) == ("TIMED_OUT" if first == EPOCH else "COMPLETED")

    async def test_of_many_at_once_one_settles_it(self, stores: Stores) -> None:
        await stores.waitpoints.create(awaiting("waitpoint_1"))
        told = [stores.waitpoints.settle(TOKEN, Instant(n)) for n in range(20)]
        assert len(set(await asyncio.gather(*told))) == 1

    async def test_only_what_awaits_a_record_is_settled(self, stores: Stores) -> None:
        await stores.waitpoints.create(waitpoint())
        await stores.waitpoints.settle(TOKEN, T0)
        assert await stores.waitpoints.load(TOKEN) == waitpoint()

    async def test_nobody_completes_what_is_not_there(self, stores: Stores) -> None:
        assert not await stores.waitpoints.complete(TOKEN, b"1")
        assert await stores.waitpoints.load(TOKEN) is None

    async def test_what_awaits_a_record_is_never_written(self, stores: Stores) -> None:
        made = awaiting("waitpoint_1")
        await stores.waitpoints.create(made)
        assert not await stores.waitpoints.complete(TOKEN, b"1")
        assert await stores.waitpoints.load(TOKEN) == made
        late = replace(LIST, now=FAR, states=("TIMED_OUT",))
        assert await stores.waitpoints.find(late) == [made]

    async def test_keys_of_streams_are_apart(self, stores: Stores) -> None:
        make, places = stores.waitpoints.create, (("r", "<a"), ("r", "<b"), ("s", "<a"))
        made = [await make(waitpoint("waitpoint_0", key="k"))]
        made += [
            await make(awaiting(f"waitpoint_{n}", *place, key="k"))
            for n, place in enumerate(places, 1)
        ]
        assert len({one.waitpoint.id for one in made}) == 4
        assert not any(one.cached for one in made)
        for n, place in enumerate(places, 1):
            again = await make(awaiting("waitpoint_9", *place, key="k"))
            assert (again.waitpoint.id, again.cached) == (f"waitpoint_{n}", True)

    # --- keys ------------------------------------------------------------------------------------

    async def test_a_key_stands_for_one_until_it_is_free_again(self, stores: Stores) -> None:
        make, until = stores.waitpoints.create, later(T0, 10)
        first = waitpoint(key="k", until=until)
        await make(first)
        again = await make(waitpoint("waitpoint_2", key="k"))
        assert (again.waitpoint, again.cached) == (first, True)
        assert await stores.waitpoints.load(WaitpointId("waitpoint_2")) is None
        other = replace(waitpoint("waitpoint_3", key="k"), env=EnvId("other"))
        assert (await make(other)).waitpoint == other
        new = replace(waitpoint("waitpoint_4", key="k"), created=until)
        assert (await make(new)).waitpoint == new
        assert (await make(replace(new, id=WaitpointId("waitpoint_5")))).waitpoint == new

    async def test_a_retry_finds_what_it_has_made(self, stores: Stores) -> None:
        make, call = stores.waitpoints.create, Retried("call", FAR)
        first = waitpoint()
        assert not (await make(first, call)).cached
        again = await make(waitpoint("waitpoint_2", key="call"), call)
        assert (again.waitpoint, again.cached) == (first, False)
        named = waitpoint("waitpoint_3", key="call")
        assert (await make(named)).waitpoint == named
        assert (await make(waitpoint("waitpoint_4"), Retried("other", FAR))).waitpoint != first

    async def test_a_key_finds_what_has_its_value(self, stores: Stores) -> None:
        await stores.waitpoints.create(waitpoint(key="k"))
        await stores.waitpoints.complete(TOKEN, b"1")
        again = await stores.waitpoints.create(waitpoint("waitpoint_2", key="k"))
        assert (again.waitpoint.id, again.waitpoint.output, again.cached) == (TOKEN, b"1", True)

    # --- lists -----------------------------------------------------------------------------------

    async def test_pages_go_both_ways(self, stores: Stores) -> None:
        made = [waitpoint(f"waitpoint_{n}") for n in range(5)]
        for one in made:
            await stores.waitpoints.create(one)
        await stores.waitpoints.create(replace(waitpoint("waitpoint_x"), env=EnvId("other")))

        async def page(**asked: object) -> list[str]:
            query = replace(LIST, size=2, **asked)  # type: ignore[arg-type] # names of its fields
            return [
                one.id.removeprefix("waitpoint_") for one in await stores.waitpoints.find(query)
            ]

        assert await page() == ["4", "3"]
        assert await page(after=made[3].id) == ["2", "1"]
        assert await page(before=made[1].id) == ["3", "2"]
        assert await page(after=made[0].id) == []
        assert await page(after=WaitpointId("waitpoint_nobody")) == []

    async def test_filters_leave_out_what_does_not_fit(self, stores: Stores) -> None:
        done, open_ = waitpoint("waitpoint_done"), waitpoint("waitpoint_open", key="k")
        late = replace(waitpoint("waitpoint_late"), deadline=later(T0, 5), tags=("c",))
        late = replace(late, created=later(T0, 1))
        for one in (done, open_, late):
            await stores.waitpoints.create(one)
        await stores.waitpoints.complete(done.id, b"1")

        async def found(query: WaitpointFilter) -> set[str]:
            ids = {one.id for one in await stores.waitpoints.find(query)}
            return {one.removeprefix("waitpoint_") for one in ids}

        assert await found(replace(LIST, states=("COMPLETED",))) == {"done"}
        assert await found(replace(LIST, states=("WAITING",))) == {"open", "late"}
        at_the_end = replace(LIST, now=later(T0, 5))
        assert await found(replace(at_the_end, states=("WAITING",))) == {"open"}
        assert await found(replace(at_the_end, states=("TIMED_OUT", "COMPLETED"))) == {
            "late",
            "done",
        }
        assert await found(replace(LIST, tags=("b", "x"))) == {"done", "open"}
        assert await found(replace(LIST, key="k")) == {"open"}
        assert await found(replace(LIST, since=later(T0, 1))) == {"late"}
        assert await found(replace(LIST, until=T0)) == {"done", "open"}

    # --- who waits -------------------------------------------------------------------------------

    async def test_who_waits_is_known_as_long_as_it_waits(self, stores: Stores) -> None:
        await stores.waitpoints.create(waitpoint())
        run = await executing(stores)
        change = standing(run)
        await stores.runs.commit(change)
        assert await stores.waitpoints.waiters(TOKEN) == [run.id]
        both = standing(change.after, key="/t#1")
        await stores.runs.commit(both)
        left = decide(both.after, c.Leave(run.epoch, Key("/t#0")), T0)
        await stores.runs.commit(left)
        assert await stores.waitpoints.waiters(TOKEN) == [run.id]
        await stores.runs.commit(decide(left.after, c.Complete(run.epoch, b"1"), T0))
        assert await stores.waitpoints.waiters(TOKEN) == []

    async def test_a_wait_in_memory_is_nobody_elses_business(self, stores: Stores) -> None:
        await stores.waitpoints.create(waitpoint())
        run = await executing(stores)
        wait = Wait(Key("/t#0"), at_waitpoint(TOKEN), held=False)
        await stores.runs.commit(decide(run, c.Stand(run.epoch, wait), T0))
        assert await stores.waitpoints.waiters(TOKEN) == []

    async def test_who_waits_for_what_has_its_value_is_owed_it(self, stores: Stores) -> None:
        await stores.waitpoints.create(waitpoint())
        before, after = await executing(stores), await executing(stores, "run-2")
        await stores.runs.commit(standing(before))
        assert await stores.waitpoints.owed(10) == []
        await stores.waitpoints.complete(TOKEN, b"1")
        await stores.runs.commit(standing(after))
        owed = await stores.waitpoints.owed(10)
        assert sorted(owed) == [(before.id, TOKEN), (after.id, TOKEN)]
        assert len(await stores.waitpoints.owed(1)) == 1
        for run in (before, after):
            await stores.runs.commit(_delivered(standing(run).after))
        assert await stores.waitpoints.owed(10) == []
        assert await stores.waitpoints.waiters(TOKEN) == []

    async def test_what_has_its_value_is_not_timed_out_any_more(self, stores: Stores) -> None:
        await stores.waitpoints.create(waitpoint())
        run = await executing(stores)
        stands = standing(run, deadline=later(T0, 10))
        await stores.runs.commit(stands)
        late = decide(stands.after, c.Elapse(), later(T0, 10))
        assert [entry.ending for entry in late.entries] == ["timeout"]
        await stores.waitpoints.complete(TOKEN, b"1")
        with pytest.raises(Conflict):
            await stores.runs.commit(late)
        with pytest.raises(Conflict):
            await stores.runs.commit(standing(run, deadline=T0))
        assert await stores.runs.load(run.id) == stands.after
        assert await stores.runs.journal(run.id) == []
        await stores.runs.commit(_delivered(stands.after))

    async def test_what_has_no_value_is_timed_out(self, stores: Stores) -> None:
        await stores.waitpoints.create(waitpoint())
        run = await executing(stores)
        change = standing(run, deadline=T0)
        assert [entry.ending for entry in change.entries] == ["timeout"]
        await stores.runs.commit(change)
        assert await stores.waitpoints.waiters(TOKEN) == []


def _delivered(run: Run) -> c.Change:
    return decide(run, c.Deliver(at_waitpoint(TOKEN), (Record(0, b"1", T0),)), T0)
