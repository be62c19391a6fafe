"""Servers are killed while messages flow: whoever asks again is answered by another one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from headrace.client import Patience
from tests.servers.flow import check, flowing
from tests.servers.quarter import quarter

PATIENCE = Patience(attempts=20, first_s=0.1, most_s=1.0)


@pytest.mark.timeout(240)
async def test_servers_are_lost_while_messages_flow(tmp_path: Path, database: str) -> None:
    async with quarter(tmp_path, database) as town:
        servers = await asyncio.gather(*[town.server() for _ in range(2)])
        await asyncio.gather(*[town.worker() for _ in range(2)])
        async with flowing(town.url, PATIENCE) as flow:
            stories = [await flow.start(f"run {n}") for n in range(4)]
            async with asyncio.TaskGroup() as group:
                for n, story in enumerate(stories):
                    group.create_task(flow.send(story))
                    group.create_task(flow.read(story))
                    group.create_task(flow.follow(story))
                    group.create_task(flow.follow_tag(story, f"run {n}"))
                for server in servers:
                    await town.server()
                    town.kill(server)
                flow.is_over.set()
            for story in stories:
                check(story, await flow.ended(story))
