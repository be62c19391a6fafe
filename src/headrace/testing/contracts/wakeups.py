"""What every `Wakeups` promises: a hint to those who listen; `ANYTHING` may stand for any run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from headrace.kernel.model import RunId
from headrace.ports import ANYTHING, Stores

PATIENCE_S = 5


async def heard(hints: AsyncIterator[RunId], run_id: RunId) -> None:
    """Return once `run_id`, or `ANYTHING`, is heard."""
    async with asyncio.timeout(PATIENCE_S):
        async for hint in hints:
            if hint in {run_id, ANYTHING}:
                return


class WakeupsContract:
    """Announcing and listening."""

    async def test_an_announcement_is_heard_by_everybody_who_listens(self, stores: Stores) -> None:
        run_id = RunId("run-1")
        async with stores.wakeups.listen() as one, stores.wakeups.listen() as two:
            await stores.wakeups.announce(run_id)
            await heard(one, run_id)
            await heard(two, run_id)

    async def test_who_waits_already_is_woken(self, stores: Stores) -> None:
        run_id = RunId("run-1")
        async with stores.wakeups.listen() as hints, asyncio.TaskGroup() as group:
            group.create_task(heard(hints, run_id))
            await asyncio.sleep(0)
            await stores.wakeups.announce(run_id)

    async def test_of_any_number_of_announcements_none_is_lost_without_a_word(
        self, stores: Stores
    ) -> None:
        runs = {RunId(f"run-{n}") for n in range(10_001)}
        last, known = RunId("the last"), set[RunId]()
        async with stores.wakeups.listen() as hints:
            for run_id in (*runs, last):
                await stores.wakeups.announce(run_id)
            async with asyncio.timeout(PATIENCE_S):
                while last not in known and ANYTHING not in known:
                    known.add(await anext(hints))
        assert ANYTHING in known or runs <= known

    async def test_who_announces_is_not_told_of_it(self, stores: Stores) -> None:
        own, other = RunId("run-1"), RunId("run-2")
        async with stores.wakeups.listen("me") as mine, stores.wakeups.listen("you") as yours:
            await stores.wakeups.announce(own, "me")
            await stores.wakeups.announce(other, "you")
            async with asyncio.timeout(PATIENCE_S):
                assert await anext(mine) in {other, ANYTHING}
            await heard(yours, own)

    async def test_who_says_no_name_is_heard_by_all(self, stores: Stores) -> None:
        run_id = RunId("run-1")
        async with stores.wakeups.listen("me") as mine, stores.wakeups.listen() as all_of_it:
            await stores.wakeups.announce(run_id)
            await heard(mine, run_id)
            await heard(all_of_it, run_id)

    async def test_nobody_has_to_listen(self, stores: Stores) -> None:
        await stores.wakeups.announce(RunId("run-1"))
        async with stores.wakeups.listen():
            pass
        await stores.wakeups.announce(RunId("run-1"))
        async with stores.wakeups.listen() as hints:
            await stores.wakeups.announce(RunId("run-2"))
            await heard(hints, RunId("run-2"))
