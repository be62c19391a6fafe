"""What only a real server shows: it is killed, keeps what it acknowledged, and forgets a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from headrace.backends.memory import open_memory
from headrace.backends.s2 import open_s2, place_of
from headrace.backends.s2.sdk import QUICK, acknowledge_at_once, client_of
from headrace.backends.s2.streams import S2Streams
from headrace.errors import HeadraceError, Unavailable
from headrace.kernel.model import Run, outward
from headrace.ports import Appended, Clash, Stores
from headrace.testing.contracts.given import APPROVAL, MEBIBYTE, draft, executing, filled
from tests.s2.lite import Lite, running
from tests.s2.rooms import HASTE, Chance
from tests.services.proxy import proxy

BRIEF = replace(HASTE, connecting=1.0, everything=3.0)
"""The client does not notice at once that what it has just connected to is gone."""


@pytest.fixture
def lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lite]:
    with running(tmp_path_factory.mktemp("s2-lite")) as lite:
        yield lite


@asynccontextmanager
async def two(lite: Lite) -> AsyncGenerator[tuple[Stores, Stores]]:
    """Two servers on one memory and one S2."""
    url = f"s2://crashes?endpoint={lite.url}"
    async with (
        open_memory() as memory,
        open_s2(url, memory, Chance(), patience=BRIEF) as one,
        open_s2(url, memory, Chance(), patience=BRIEF) as other,
    ):
        yield one, other


async def told(server: Stores, run: Run, key: bytes) -> int:
    """Send until somebody acknowledges it; say where it stands."""
    while True:
        try:
            end = (await server.streams.backlog(run.id, APPROVAL, 0)).tail
            made = draft(run, end, key, key=key, digest=key)
            return (await server.streams.append(made)).seq
        except (Clash, HeadraceError):
            continue


async def test_what_it_acknowledged_survives_its_being_killed(lite: Lite) -> None:
    """Many send at two servers while S2 is killed and started; each asks again until it is told."""
    async with two(lite) as servers:
        run, acknowledged = await executing(servers[0]), dict[bytes, int]()

        async def sender(name: int) -> None:
            for n in range(30):
                key = b"%d/%d" % (name, n)
                acknowledged[key] = await told(servers[name % 2], run, key)

        async with asyncio.TaskGroup() as group:
            for name in range(4):
                group.create_task(sender(name))
            for count in (20, 50, 80):
                while len(acknowledged) < count:  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0)
                await asyncio.to_thread(lite.kill)
                await asyncio.to_thread(lite.start)
        read = [record.body for record in await servers[1].streams.read(run.id, APPROVAL, 0, 999)]
        assert len(read) == len(acknowledged) == 120
        assert all(read[seq] == key for key, seq in acknowledged.items())


async def test_while_it_is_gone_it_is_said(lite: Lite) -> None:
    async with two(lite) as (one, other):
        run = await executing(one)
        await filled(one, run, 3)
        await asyncio.to_thread(lite.kill)
        with pytest.raises(Unavailable, match="S2 does not answer"):
            await one.streams.append(draft(run, 3))
        await asyncio.to_thread(lite.start)
        assert await one.streams.append(draft(run, 3)) == Appended(3)
        assert await other.streams.append(draft(run, 4)) == Appended(4)


async def test_a_run_is_dropped_for_good(lite: Lite) -> None:
    async with two(lite) as (one, other):
        first, second = await executing(one, "run-1"), await executing(one, "run-2")
        for run in (first, second):
            for stream in (APPROVAL, outward("tokens")):
                await filled(one, run, 2, stream)
        await one.streams.append(draft(first, 2, b"z" * MEBIBYTE))
        assert isinstance(one.streams, S2Streams)
        await one.streams.drop(first.id)
        await one.streams.drop(first.id)
        for server in (one, other):
            assert await server.streams.ends(first.id) == {}
            assert await server.streams.read(first.id, APPROVAL, 0, 9) == []
            assert len(await server.streams.ends(second.id)) == 2


async def test_after_a_silence_the_next_call_goes_another_way(lite: Lite) -> None:
    """The client's one connection is still open, and no answer will ever come on it."""
    patience = replace(BRIEF, silence=0.5)
    async with proxy(lite.port) as way, open_memory() as memory:
        url = f"s2://crashes?endpoint=http://127.0.0.1:{way.port}"
        async with open_s2(url, memory, Chance(), patience=patience) as server:
            run = await executing(server)
            await told(server, run, b"first")
            way.mute = True
            with pytest.raises(Unavailable):
                await server.streams.append(draft(run, 1, b"lost"))
            way.mute = False
            async with asyncio.timeout(30.0):
                await told(server, run, b"second")


@pytest.mark.skipif(QUICK is None, reason="this system always acknowledges when it likes")
async def test_its_answers_are_acknowledged_at_once(lite: Lite) -> None:
    """The client hides its connections: a newer one may hide them elsewhere."""
    async with two(lite):
        place = place_of(f"s2://crashes?endpoint={lite.url}")
        client = client_of(place, BRIEF)
        try:
            assert acknowledge_at_once(client) == 0
            await client.get_basin_config(place.basin)
            assert acknowledge_at_once(client) == 1
        finally:
            await client.close()
        assert acknowledge_at_once(client) == 0


async def test_the_basin_keeps_what_it_is_given(lite: Lite) -> None:
    async with two(lite):
        place = place_of(f"s2://crashes?endpoint={lite.url}")
        client = client_of(place, BRIEF)
        try:
            config = await client.get_basin_config(place.basin)
        finally:
            await client.close()
        streams = config.default_stream_config
        assert streams is not None
        assert streams.retention_policy == "infinite"
        assert not streams.delete_on_empty_min_age
        assert config.create_stream_on_append
        assert not config.create_stream_on_read
