"""Servers are replaced one after the other while messages flow: only the balancer notices."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.servers.flow import ONCE, check, flowing
from tests.servers.quarter import quarter
from tests.services.redis import RedisServer

RUNS, SERVERS, WORKERS = 6, 3, 3


@pytest.mark.timeout(240)
async def test_servers_are_replaced_while_messages_flow(
    tmp_path: Path, database: str, redis_of_all: RedisServer
) -> None:
    """No request fails though none is made again, and no run begins again."""
    async with quarter(tmp_path, database, redis_of_all.url()) as town:
        servers = await asyncio.gather(*[town.server() for _ in range(SERVERS)])
        await asyncio.gather(*[town.worker() for _ in range(WORKERS)])
        async with flowing(town.url, ONCE) as flow:
            stories = [await flow.start(f"run {n}") for n in range(RUNS)]
            async with asyncio.TaskGroup() as group:
                for n, story in enumerate(stories):
                    group.create_task(flow.send(story))
                    group.create_task(flow.read(story))
                    group.create_task(flow.follow(story))
                    group.create_task(flow.follow_tag(story, f"run {n}"))
                for server in servers:
                    await asyncio.gather(town.server(), town.stop(server))
                flow.is_over.set()
            for story in stories:
                check(story, await flow.ended(story))
                assert story.sent > 0
                assert len(story.by_tag) <= len(story.statuses) + 2 * story.sent
    assert "error" not in town.logged()
