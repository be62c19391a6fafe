"""A reader of tags who asks another server each time: nothing is missed, and nothing told twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import cycle
from pathlib import Path

import aiohttp
import anyio
import msgspec
import pytest

from headrace.engine import feeding
from headrace.wire.changes import Amendment
from headrace.wire.feeds import START, FeedPage, TagFeed
from tests.engine.house import PATIENCE_S, House
from tests.servers.quarter import KEY, quarter
from tests.servers.town import Site, town

OF_A = TagFeed(("a",))
Told = list[tuple[str, str]]


class Reader:
    """One who goes from each server to the next."""

    def __init__(self, *houses: House) -> None:
        self._houses = cycle(houses)
        self.page = FeedPage(START)

    async def look(self, *, wait: bool = True) -> set[str]:
        """Return the names of the runs that are told."""
        with anyio.fail_after(PATIENCE_S):
            self.page = await next(self._houses).api.feed(OF_A, self.page.place, wait=wait)
        return {row.id for row in self.page.rows}


async def test_only_what_is_new_is_told_wherever_it_is_asked(site: Site) -> None:
    async with town(site, 3) as houses:
        here, there, _ = houses
        runs = [await here.start(tags=["a"]) for _ in range(5)]
        old = await here.start()
        reader = Reader(*houses)
        assert await reader.look() == set(runs)
        for n, run in enumerate(runs):
            await there.api.cancel(run)
            assert await reader.look() == {run}
            assert reader.page.known == {run}
            assert await reader.look(wait=False) == set()
            new = await there.start(tags=["a"])
            assert await reader.look() == {new}
            assert reader.page.known == frozenset()
            await here.api.amend(new, Amendment(metadata=msgspec.Raw(b'{"n":%d}' % n)))
            assert await reader.look() == {new}
        await there.api.tag(old, ("a",))
        assert await reader.look() == {old}
        assert await reader.look(wait=False) == set()


async def test_a_change_is_told_at_once_to_who_has_moved(site: Site) -> None:
    async with town(site) as (here, there):
        runs = [await here.start(tags=["a"]) for _ in range(3)]
        reader = Reader(here, there, there)
        await reader.look()
        for run in runs:
            async with asyncio.TaskGroup() as group:
                asked = group.create_task(reader.look())
                await here.until(lambda: here.core.watch.count + there.core.watch.count == 1)
                await here.api.cancel(run)
            assert asked.result() == {run}


async def test_who_follows_as_many_as_can_be_followed_moves_as_well(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "MOST_RUNS", 20)
    async with town(site) as houses:
        here, there = houses
        runs = [await here.start(tags=["a"]) for _ in range(25)]
        reader = Reader(*houses)
        assert len(await reader.look()) == 20
        for _ in range(3):
            new = {await there.start(tags=["a"]) for _ in range(3)}
            await there.api.cancel(runs[-1])
            assert await reader.look() == {*new, runs.pop()}


async def test_a_large_answer_comes_in_parts_from_several_servers(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "PAGE_BYTES", 4)
    async with town(site) as houses:
        runs = {await houses[0].start(tags=["a"]) for _ in range(12)}
        reader, told = Reader(*houses), list[str]()
        while not told or reader.page.more:
            told += await reader.look(wait=False)
        assert sorted(told) == sorted(runs)


# --- as the official clients ask -----------------------------------------------------------------


class Polls:
    """Each question goes out in a connection of its own: by the balancer, to the next server."""

    def __init__(self, url: str) -> None:
        self._url, self._query = f"{url}/realtime/v1/runs", "offset=-1"

    async def look(self) -> Told:
        """Return what is told, run by run."""
        headers = {"authorization": f"Bearer {KEY}"}
        connector = aiohttp.TCPConnector(force_close=True)
        async with (
            aiohttp.ClientSession(headers=headers, connector=connector) as session,
            session.get(f"{self._url}?tags=a&log=full&{self._query}") as answer,
        ):
            assert answer.status == 200
            *rows, last = msgspec.json.decode(await answer.read())
            assert last == {"headers": {"control": "up-to-date"}}
            place = {name: answer.headers[f"electric-{name}"] for name in ("handle", "offset")}
            cursor = answer.headers["electric-cursor"]
        self._query = "&".join(f"{name}={text}" for name, text in place.items())
        self._query += f"&live=true&cursor={cursor}"
        return [(row["headers"]["operation"], row["value"]["friendlyId"]) for row in rows]


async def _called(url: str, path: str, body: object) -> str:
    headers = {"authorization": f"Bearer {KEY}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{url}{path}", json=body) as answer,
    ):
        assert answer.status == 200, await answer.text()
        found: str = (await answer.json())["id"]
        return found


async def _first(look: Callable[[], Awaitable[Told]]) -> Told:
    """Ask on while a held question ends without news."""
    while not (found := await look()):
        pass
    return found


@pytest.mark.timeout(120)
async def test_polls_go_to_servers_in_turn_and_on_to_a_new_one(
    tmp_path: Path, database: str
) -> None:
    async with quarter(tmp_path, database) as town:
        servers = [await town.server() for _ in range(2)]
        await town.worker()
        url, polls = town.url, Polls(town.url)
        order = {"payload": 0, "options": {"tags": ["a"], "delay": "1h"}}
        runs = [await _called(url, "/api/v1/tasks/collect/trigger", order) for _ in range(4)]
        told = await polls.look()
        assert sorted(told) == sorted(("insert", run) for run in runs)
        for run in runs[:3]:
            await _called(url, f"/api/v2/runs/{run}/cancel", {})
            assert await _first(polls.look) == [("update", run)]
        for server in servers:  # all that have heard of this reader go
            await town.server()
            town.kill(server)
        new = await _called(url, "/api/v1/tasks/collect/trigger", order)
        assert await _first(polls.look) == [("insert", new)]
        await _called(url, f"/api/v2/runs/{runs[3]}/cancel", {})
        assert await _first(polls.look) == [("update", runs[3])]
