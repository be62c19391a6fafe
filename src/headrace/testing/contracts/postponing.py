"""What every store promises about delayed runs: one under a key at a time, put off whole."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from headrace.kernel import commands as c
from headrace.kernel.commands import Change
from headrace.kernel.machine import decide
from headrace.kernel.model import Delayed, EnvId, Instant, Limits, Run, RunId, TaskId, later
from headrace.ports import (
    Conflict,
    Created,
    Debouncing,
    Filter,
    Notes,
    Order,
    Postponed,
    Spent,
    Stores,
)
from headrace.testing.contracts.creating import END, keyed
from headrace.testing.contracts.given import BODIES, ENV, T0, TASK, queued
from headrace.testing.contracts.notes import ticket

RUN = RunId("run-1")
UNDER = Debouncing("k")
SOON = later(T0, 5_000)


def delayed(name: str = "run-1", *, at: Instant = T0) -> Run:
    """Return a run that begins five seconds after `at`."""
    return replace(queued(name, at=at), state=Delayed(later(at, 5_000)))


def under(debounce: Debouncing = UNDER) -> Order:
    """Return an order that looks for a delayed run first."""
    return Order(debounce=debounce)


def later_by(run: Run, ms: int = 9_000, limits: Limits | None = None) -> Change:
    """Return the change by which the run begins so long after `T0`."""
    return decide(run, c.Reschedule(later(T0, ms), limits), T0)


def said(order: Order, *, replaces: bool = False) -> Postponed:
    """Return a trigger that puts a run off."""
    return Postponed(order, T0, replaces)


class PostponingContract:
    """Finding the run that is delayed, and putting it off."""

    async def test_the_delayed_run_under_the_key_is_found(self, stores: Stores) -> None:
        assert await stores.runs.create(delayed(), under()) == Created(RUN)
        found = await stores.runs.create(delayed("run-2"), under())
        assert found == Created(RUN, cached=True, delayed=True)
        assert await stores.runs.load(RunId("run-2")) is None
        assert await stores.runs.order(RUN) == Order()

    async def test_a_run_that_has_begun_makes_room(self, stores: Stores) -> None:
        await stores.runs.create(delayed(), under())
        await stores.runs.commit(decide(delayed(), c.Elapse(), SOON))
        assert await stores.runs.create(delayed("run-2"), under()) == Created(RunId("run-2"))
        found = await stores.runs.create(delayed("run-3"), under())
        assert found == Created(RunId("run-2"), cached=True, delayed=True)

    async def test_so_does_one_that_was_cancelled(self, stores: Stores) -> None:
        await stores.runs.create(delayed(), under())
        await stores.runs.commit(decide(delayed(), c.Cancel(0), T0))
        assert not (await stores.runs.create(delayed("run-2"), under())).cached

    @pytest.mark.parametrize(("since_ms", "is_found"), [(0, True), (1, False)])
    async def test_so_does_one_that_is_too_old(
        self, stores: Stores, since_ms: int, *, is_found: bool
    ) -> None:
        await stores.runs.create(delayed(), under())
        at = later(T0, since_ms)
        newer = under(Debouncing("k", at))
        found = await stores.runs.create(delayed("run-2", at=at), newer)
        assert found.cached is is_found
        await stores.runs.commit(decide(delayed(), c.Elapse(), SOON))
        again = await stores.runs.create(delayed("run-3"), newer)
        assert again.cached is not is_found, "the key is that of the newer run"

    async def test_keys_are_of_environment_and_task_and_a_space_of_their_own(
        self, stores: Stores
    ) -> None:
        await stores.runs.create(delayed(), under())
        for run in (
            replace(delayed("run-2"), env=EnvId("prod")),
            replace(delayed("run-3"), task=TaskId("leave")),
        ):
            assert not (await stores.runs.create(run, under())).cached
        assert not (await stores.runs.create(delayed("run-4"), under(Debouncing("l")))).cached
        assert not (await stores.runs.create(delayed("run-5"), keyed("k", "k"))).cached
        assert not (await stores.runs.create(delayed("run-6"), Order())).cached

    async def test_an_idempotency_key_comes_first(self, stores: Stores) -> None:
        await stores.runs.create(queued(), keyed("post-7", "try-1"))
        for order, by_request in ((keyed("post-7"), False), (keyed("", "try-1"), True)):
            found = await stores.runs.create(delayed("run-2"), replace(order, debounce=UNDER))
            assert found == Created(RUN, cached=True, by_request=by_request)
        assert not (await stores.runs.create(delayed("run-3"), under())).cached

    async def test_of_many_at_once_one_is_created(self, stores: Stores) -> None:
        creating = [stores.runs.create(delayed(f"run-{n}"), under()) for n in range(20)]
        found = await asyncio.gather(*creating)
        assert sum(not one.cached for one in found) == 1
        assert len({one.run_id for one in found}) == 1
        assert len(await stores.runs.find(Filter(ENV, 100))) == 1

    async def test_a_run_is_put_off_with_its_limits(self, stores: Stores) -> None:
        await stores.runs.create(delayed(), under())
        limits = Limits(7, None, 1_000)
        for change in (later_by(delayed()), later_by(later_by(delayed()).after, limits=limits)):
            assert await stores.postponing.postpone(change, [said(Order())]) == [True]
            assert await stores.runs.load(RUN) == change.after
        assert (await stores.runs.create(delayed("run-2"), under())).delayed

    async def test_who_read_before_it_changed_conflicts(self, stores: Stores) -> None:
        await stores.runs.create(delayed(), under())
        await stores.runs.commit(decide(delayed(), c.Elapse(), SOON))
        trigger = said(keyed("post-7"), replaces=True)
        for change in (later_by(delayed()), Change(delayed(), delayed())):
            with pytest.raises(Conflict):
                await stores.postponing.postpone(change, [trigger])
        assert not (await stores.runs.create(queued("run-2"), keyed("post-7"))).cached

    async def test_its_keys_are_those_of_the_run(self, stores: Stores) -> None:
        await stores.runs.create(delayed(), under())
        order = keyed("post-7", "try-1")
        await stores.postponing.postpone(later_by(delayed()), [said(order)])
        retry = await stores.runs.create(delayed("run-2"), order)
        assert retry == Created(RUN, cached=True, by_request=True)
        assert await stores.runs.create(delayed("run-2"), keyed("post-7")) == Created(
            RUN, cached=True
        )
        freed = await stores.runs.create(delayed("run-2"), keyed("post-7"), free=RUN)
        assert freed == Created(RunId("run-2"))

    async def test_a_key_that_another_run_has_is_left_to_it(self, stores: Stores) -> None:
        await stores.runs.create(delayed(), under())
        await stores.runs.create(queued("run-2"), keyed("post-7"))
        await stores.runs.create(queued("run-3"), keyed("old", until=T0))
        triggers = [said(keyed("post-7")), said(keyed("old"))]
        assert await stores.postponing.postpone(later_by(delayed()), triggers) == [True, True]
        assert (await stores.runs.create(queued("run-4"), keyed("post-7"))).run_id == "run-2"
        assert (await stores.runs.create(queued("run-4"), keyed("old"))).run_id == RUN

    @pytest.mark.parametrize("body", BODIES[:5])
    async def test_what_came_last_replaces_what_was_first(
        self, stores: Stores, body: bytes
    ) -> None:
        first = Order(payload=b"x" * 1_025, metadata=b"y" * 1_025, tags=("a",), debounce=UNDER)
        await stores.runs.create(delayed(), first)
        new = Order(payload=body, metadata=b'{"n":2}', tags=("b", "c"))
        await stores.postponing.postpone(later_by(delayed()), [said(new, replaces=True)])
        assert await stores.runs.order(RUN) == new
        notes = await stores.notebook.read(RUN)
        assert notes == Notes(("b", "c"), b'{"n":2}', 1)
        for tag, count in (("a", 0), ("b", 1), ("c", 1)):
            assert len(await stores.runs.find(Filter(ENV, 9, tags=(tag,)))) == count

    async def test_what_it_does_not_say_stays(self, stores: Stores) -> None:
        order = Order(payload=b"1", metadata=b"{}", tags=("a",))
        await stores.runs.create(delayed(), replace(order, debounce=UNDER))
        await stores.postponing.postpone(later_by(delayed()), [said(Order(payload=b"2"))])
        assert await stores.runs.order(RUN) == order
        second = later_by(later_by(delayed()).after, 9_999)
        await stores.postponing.postpone(second, [said(Order(payload=b"2"), replaces=True)])
        assert await stores.runs.order(RUN) == replace(order, payload=b"2")

    async def test_metadata_that_was_edited_is_replaced(self, stores: Stores) -> None:
        await stores.runs.create(delayed(), under())
        await stores.notebook.write(RUN, Notes(("a",), b'{"n":1}', 0, (b"s" * 16,)))
        new = said(Order(metadata=b'{"n":2}'), replaces=True)
        await stores.postponing.postpone(later_by(delayed()), [new])
        assert await stores.notebook.read(RUN) == Notes(("a",), b'{"n":2}', 2, (b"s" * 16,))
        with pytest.raises(Conflict):
            await stores.notebook.write(RUN, Notes(revision=1))

    async def test_the_same_request_counts_once(self, stores: Stores) -> None:
        await stores.runs.create(delayed(), under())
        old, new = keyed("", "try-1"), keyed("", "try-2")
        triggers = [
            said(replace(order, payload=payload), replaces=True)
            for order, payload in ((old, b"1"), (new, b"2"), (old, b"1"))
        ]
        assert await stores.postponing.postpone(later_by(delayed()), triggers) == [True] * 3
        assert (await stores.runs.order(RUN) or Order()).payload == b"2"

    async def test_a_ticket_is_used_up(self, stores: Stores) -> None:
        await stores.runs.create(delayed(), under())
        triggers = [
            Postponed(Order(payload=payload), T0, replaces=True, ticket=ticket())
            for payload in (b"1", b"2")
        ]
        done = await stores.postponing.postpone(later_by(delayed()), triggers)
        assert done == [True, False]
        assert (await stores.runs.order(RUN) or Order()).payload == b"1"
        with pytest.raises(Spent):
            await stores.runs.create(delayed("run-2"), under(), ticket=ticket())

    async def test_a_key_is_no_longer_taken_than_its_run_is_delayed(self, stores: Stores) -> None:
        await stores.runs.create(delayed(), under())
        assert await stores.taken.purge(later(END, 10**12), 9) == 0
        assert await stores.taken.free(ENV, TASK, "k", T0) is None
        assert (await stores.runs.create(delayed("run-2"), under())).delayed
