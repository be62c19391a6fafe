"""While nobody is heard, that is said again and again: it costs questions about all, not each."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial

import anyio
import pytest

from headrace.engine.specs import KEPT_MS
from headrace.kernel.model import RunId
from headrace.ports import ANYTHING
from headrace.wire.channel import Unread
from headrace.wire.feeds import RunFeed, TagFeed
from headrace.wire.registration import Registration, StreamSpec
from tests.engine.house import House
from tests.engine.worker import attached
from tests.servers.stumbling import Stumbles, stumbling
from tests.servers.town import Site, town

MANY, TIMES = 60, 5
EACH = ("load", "sight", "read", "journal", "order", "backlog")
"""What is asked about one run."""


async def _say(house: House) -> None:
    await house.stores.wakeups.announce(ANYTHING)
    await house.rest()


async def _read(house: House, run: str) -> None:
    async with aclosing(house.api.tail(run, "tokens", inward=False)) as records:
        async for _ in records:
            pass


async def test_those_who_are_told_and_those_who_follow_are_asked_about_together(
    site: Site,
) -> None:
    stumbles = Stumbles()
    first = partial(stumbling, stumbles=stumbles)
    async with town(site, 1, first=first) as (house,), attached(house, slots=MANY) as worker:
        jobs = [await worker.job(await house.start(tags=[f"t{n}"])) for n in range(MANY)]
        async with anyio.create_task_group() as group:
            for n, job in enumerate(jobs):
                job.stand()
                for query in (RunFeed(job.run), TagFeed((f"t{n}",))):
                    place = (await house.api.feed(query)).place
                    group.start_soon(house.api.feed, query, place)
                group.start_soon(_read, house, job.run)
            await house.until(lambda: house.engine.listeners == 2 * MANY)
            await house.until(lambda: house.engine.followers == 2 * MANY)
            await house.rest()
            stumbles.asked.clear()
            for _ in range(TIMES):
                await _say(house)
            # Whoever has just begun to read is told once, in case he has missed something.
            assert sum(stumbles.asked[name] for name in EACH) <= 2 * MANY
            assert stumbles.asked["of"] <= 4 * TIMES
            group.cancel_scope.cancel()


@pytest.mark.parametrize("delivers", [True, False])
@pytest.mark.parametrize("waits", [True, False])
async def test_what_was_not_heard_of_is_told_at_once(
    site: Site, *, waits: bool, delivers: bool
) -> None:
    """The clock stands still: no round begins by itself."""
    async with (
        town(site, hints=False, delivers=delivers) as (here, there),
        attached(here) as worker,
    ):
        job = await worker.job(await here.start())
        if waits:
            job.stand()
            await here.rest()
        await there.api.send(job.run, "notes", b"7")
        here.core.look_again()
        told = await (job.told() if waits else job.heard(Unread))
        assert told.body == b"7"


async def test_a_declaration_has_nobody_look(site: Site) -> None:
    stumbles = Stumbles()
    first = partial(stumbling, stumbles=stumbles)
    async with town(site, first=first) as (here, there), attached(here) as worker:
        job = await worker.job(await here.start())
        job.stand()
        assert await _has_schema(here)
        await here.rest()
        await there.rest()
        stumbles.asked.clear()
        await _declare(there)
        await _known(here)
        await here.rest()
        assert {name: stumbles.asked[name] for name in EACH if stumbles.asked[name]} == {}
        assert here.core.desk(RunId(job.run)).certain is not None


async def test_a_declaration_that_nobody_hinted_at_is_known_before_long(site: Site) -> None:
    async with town(site, hints=False) as (here, there):
        assert await _has_schema(here)
        await _declare(there)
        here.clock.advance(KEPT_MS)
        await _known(here)


async def _declare(house: House) -> None:
    streams = (StreamSpec(name="numbers", inward=True),)
    await house.api.register(Registration(version="2", tasks=(), streams=streams))


async def _known(house: House) -> None:
    with anyio.fail_after(5):
        while await _has_schema(house):
            await anyio.lowlevel.checkpoint()


async def _has_schema(house: House) -> bool:
    spec = await house.core.specs.stream(house.env, "numbers")
    assert spec is not None
    return bool(spec.schema)
