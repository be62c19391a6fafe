"""What every `Notebook` and every `Taken` promises."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from hashlib import sha256

import pytest

from headrace.kernel.model import EnvId, Instant, RunId, TaskId, later
from headrace.ports import Conflict, Created, Filter, Notes, Order, Spent, Stores, Ticket
from headrace.testing.contracts.creating import END, keyed
from headrace.testing.contracts.given import BODIES, ENV, T0, TASK, executing, queued, remembered

RUN = RunId("run-1")
FULL = Notes(("a", "é"), b'{"k":1}', 0, (b"s" * 16, b"t" * 16), (1, 2, 3))


def ticket(name: str = "one", until: Instant = END) -> Ticket:
    """Return the permission that a token gives."""
    return Ticket(sha256(name.encode()).digest(), until)


class NotebookContract:
    """Reading and writing what is said about a run."""

    async def test_at_first_they_are_those_of_the_order(self, stores: Stores) -> None:
        for n, body in enumerate(BODIES):
            run = queued(f"run-{n}")
            await stores.runs.create(run, Order(tags=("a",), metadata=body))
            assert await stores.notebook.read(run.id) == Notes(("a",), body)
        assert await stores.notebook.read(RunId("nobody")) is None

    async def test_what_was_written_is_read_with_the_next_revision(self, stores: Stores) -> None:
        await stores.runs.create(queued(), Order(tags=("a",), metadata=b"{}"))
        await stores.notebook.write(RUN, FULL)
        assert await stores.notebook.read(RUN) == replace(FULL, revision=1)
        await stores.notebook.write(RUN, Notes(revision=1))
        assert await stores.notebook.read(RUN) == Notes(revision=2)

    async def test_who_read_before_another_wrote_conflicts(self, stores: Stores) -> None:
        await stores.runs.create(queued(), Order())
        await stores.notebook.write(RUN, FULL)
        for stale in (0, 2, -1):
            with pytest.raises(Conflict):
                await stores.notebook.write(RUN, Notes(revision=stale))
        with pytest.raises(Conflict):
            await stores.notebook.write(RunId("nobody"), Notes())
        assert await stores.notebook.read(RUN) == replace(FULL, revision=1)

    async def test_of_many_at_once_one_is_written(self, stores: Stores) -> None:
        await stores.runs.create(queued(), Order())
        writes = [stores.notebook.write(RUN, Notes(tags=(f"t{n}",))) for n in range(20)]
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        assert [type(one) for one in outcomes].count(Conflict) == 19
        written = await stores.notebook.read(RUN)
        assert written is not None
        assert (written.revision, written.tags) == (1, (f"t{outcomes.index(None)}",))

    async def test_the_metadata_is_the_runs_and_counts(self, stores: Stores) -> None:
        await stores.runs.create(queued(), Order(metadata=b"{}"))
        await stores.notebook.write(RUN, replace(FULL, metadata=b'{"n":1}'))
        assert await stores.runs.metadata(RUN) == b'{"n":1}'
        await stores.runs.metadata(RUN, b'{"n":2}')
        assert await stores.notebook.read(RUN) == replace(FULL, metadata=b'{"n":2}', revision=2)

    async def test_tags_that_were_added_are_found(self, stores: Stores) -> None:
        await stores.runs.create(queued(), Order(tags=("a",), payload=b"1"))
        await stores.notebook.write(RUN, Notes(("a", "b"), b"{}"))
        assert await stores.runs.order(RUN) == Order(tags=("a", "b"), payload=b"1")
        for tag, count in (("a", 1), ("b", 1), ("c", 0)):
            assert len(await stores.runs.find(Filter(ENV, 9, tags=(tag,)))) == count

    async def test_a_run_goes_on_whatever_is_said_about_it(self, stores: Stores) -> None:
        run = await executing(stores)
        await stores.notebook.write(run.id, FULL)
        await stores.runs.commit(remembered(run, "/a#0"))
        assert await stores.notebook.read(run.id) == replace(FULL, revision=1)


class TakenContract:
    """Keys are freed, forgotten once they are over; tickets count once."""

    async def test_a_freed_key_can_be_used_again(self, stores: Stores) -> None:
        await stores.runs.create(queued("run-1"), keyed("post-7", "try-1"))
        assert await stores.taken.free(ENV, TASK, "post-7", T0) == RUN
        assert await stores.taken.free(ENV, TASK, "post-7", T0) is None
        new = await stores.runs.create(queued("run-2"), keyed("post-7"))
        assert new == Created(RunId("run-2"))
        retry = await stores.runs.create(queued("run-3"), keyed("", "try-1"))
        assert retry == Created(RUN, cached=True, by_request=True)

    async def test_no_other_key_is_freed(self, stores: Stores) -> None:
        await stores.runs.create(queued("run-1"), keyed("post-7", "try-1"))
        for env, task, key in (
            (EnvId("prod"), TASK, "post-7"),
            (ENV, TaskId("leave"), "post-7"),
            (ENV, TASK, "post-8"),
            (ENV, TASK, "try-1"),
            (ENV, TASK, ""),
        ):
            assert await stores.taken.free(env, task, key, T0) is None
        assert await stores.taken.free(ENV, TASK, "post-7", END) is None
        assert (await stores.runs.create(queued("run-2"), keyed("post-7"))).cached

    async def test_only_what_is_over_is_purged(self, stores: Stores) -> None:
        await stores.runs.create(queued("run-1"), keyed("a", "try-1"))
        await stores.runs.create(queued("run-2"), keyed("b", until=later(END, 1)))
        await stores.runs.create(queued("run-3"), Order(key="c"))
        assert await stores.taken.purge(Instant(END - 1), 100) == 0
        assert await stores.taken.purge(END, 100) == 2
        assert await stores.taken.purge(END, 100) == 0
        late = queued("run-4", at=T0)
        assert not (await stores.runs.create(late, keyed("a", "try-1"))).cached
        assert (await stores.runs.create(queued("run-5"), keyed("b"))).cached
        assert (await stores.runs.create(queued("run-6"), keyed("c"))).cached

    async def test_a_purge_takes_a_bite_at_a_time(self, stores: Stores) -> None:
        for n in range(5):
            order = keyed(f"k-{n}")
            await stores.runs.create(queued(f"run-{n}"), order, ticket=ticket(f"t-{n}"))
        assert [await stores.taken.purge(END, 2) for _ in range(4)] == [4, 4, 2, 0]

    async def test_a_ticket_creates_one_run(self, stores: Stores) -> None:
        await stores.runs.create(queued("run-1"), Order(), ticket=ticket())
        with pytest.raises(Spent):
            await stores.runs.create(queued("run-2"), Order(), ticket=ticket())
        other = queued("run-2", task=TaskId("leave"), env=EnvId("prod"))
        with pytest.raises(Spent):
            await stores.runs.create(other, Order(), ticket=ticket())
        assert await stores.runs.load(RunId("run-2")) is None
        await stores.runs.create(queued("run-2"), Order(), ticket=ticket("two"))

    async def test_a_clients_retry_uses_nothing_up(self, stores: Stores) -> None:
        order = keyed("", "try")
        first = await stores.runs.create(queued("run-1"), order, ticket=ticket())
        again = await stores.runs.create(queued("run-2"), order, ticket=ticket())
        assert first == Created(RUN)
        assert again == Created(RUN, cached=True, by_request=True)

    async def test_a_ticket_that_found_an_older_run_is_good(self, stores: Stores) -> None:
        await stores.runs.create(queued("run-1"), keyed("post-7"))
        found = await stores.runs.create(queued("run-2"), keyed("post-7"), ticket=ticket())
        assert found == Created(RUN, cached=True)
        await stores.runs.create(queued("run-3"), Order(), ticket=ticket())
        with pytest.raises(Spent):
            await stores.runs.create(queued("run-4"), keyed("post-7"), ticket=ticket())

    async def test_a_spent_ticket_frees_no_key(self, stores: Stores) -> None:
        await stores.runs.create(queued("run-1"), keyed("post-7"), ticket=ticket())
        with pytest.raises(Spent):
            await stores.runs.create(queued("run-2"), keyed("b"), free=RUN, ticket=ticket())
        assert (await stores.runs.create(queued("run-3"), keyed("post-7"))).run_id == RUN

    async def test_of_many_at_once_one_is_created(self, stores: Stores) -> None:
        creating = [
            stores.runs.create(queued(f"run-{n}"), Order(), ticket=ticket()) for n in range(20)
        ]
        outcomes = await asyncio.gather(*creating, return_exceptions=True)
        assert [type(one) for one in outcomes].count(Spent) == 19
        assert len(await stores.runs.find(Filter(ENV, 100))) == 1

    async def test_an_old_ticket_is_forgotten(self, stores: Stores) -> None:
        await stores.runs.create(queued("run-1"), Order(), ticket=ticket())
        assert await stores.taken.purge(Instant(END - 1), 9) == 0
        assert await stores.taken.purge(END, 9) == 1
