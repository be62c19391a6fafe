"""The worker channel over a socket file: frames survive any cut, and nobody is overrun."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import anyio
import pytest

from headrace.client.unix import attached
from headrace.errors import Unavailable
from headrace.wire import frames
from headrace.wire.channel import (
    Ended,
    Hello,
    Parked,
    Released,
    decode_hello,
    decode_operations,
    encode,
)

HELLO = Hello(worker="worker_1", version="1", tasks=("t",), slots=1)
MANY = 1_000


class Peer:
    """The server's end of one connection."""

    def __init__(self) -> None:
        self.streams: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        self.streams = asyncio.get_running_loop().create_future()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take the first connection."""
        self.streams.set_result((reader, writer))

    async def frame(self) -> bytes:
        """Read the next frame."""
        reader, _ = await self.streams
        return await reader.readexactly(frames.length_of(await reader.readexactly(4)))


@asynccontextmanager
async def listening(path: Path) -> AsyncGenerator[Peer]:
    """Listen at the path."""
    peer = Peer()
    server = await asyncio.start_unix_server(peer.accept, str(path))
    try:
        yield peer
    finally:
        if peer.streams.done():
            peer.streams.result()[1].close()
        server.close()


def _ended(number: int) -> bytes:
    return frames.framed(encode([Ended(f"run_{number}", 1)]))


async def test_the_hello_comes_first_and_a_tick_is_a_frame(tmp_path: Path) -> None:
    async with listening(tmp_path / "s") as peer, attached(tmp_path / "s", HELLO) as channel:
        channel.post([Parked("run_1", 1)])
        channel.post([Parked("run_2", 1), Released("run_2", 1)])
        assert decode_hello(await peer.frame()) == HELLO
        assert [
            op.run for op in decode_operations(await peer.frame()) if isinstance(op, Parked)
        ] == [
            "run_1",
            "run_2",
        ]
        channel.post([Released("run_1", 1)])
        assert decode_operations(await peer.frame()) == [Released("run_1", 1)]


async def test_frames_survive_any_cut(tmp_path: Path, seed: int) -> None:
    dice = Random(seed)  # noqa: S311 - no secret
    text = b"".join(map(_ended, range(MANY)))
    async with listening(tmp_path / "s") as peer, attached(tmp_path / "s", HELLO) as channel:
        _, writer = await peer.streams
        seen = list[str]()
        async with anyio.create_task_group() as group:

            async def tell() -> None:
                place = 0
                while place < len(text):
                    step = dice.randint(1, 60)
                    writer.write(text[place : place + step])
                    await writer.drain()
                    await asyncio.sleep(0)
                    place += step
                writer.close()

            group.start_soon(tell)
            async for pushes in channel.pushes:
                seen += [push.run for push in pushes]
    assert seen == [f"run_{n}" for n in range(MANY)]


async def test_a_server_waits_for_a_worker_that_is_behind(tmp_path: Path) -> None:
    large = frames.framed(encode([Ended("x" * 100_000, 1)]))
    async with listening(tmp_path / "s") as peer, attached(tmp_path / "s", HELLO) as channel:
        _, writer = await peer.streams
        written = 0
        with anyio.move_on_after(0.5):
            for _ in range(MANY):
                writer.write(large)
                await writer.drain()
                written += 1
        assert written < MANY
        pushes = channel.pushes
        for _ in range(written):
            await anext(pushes)


async def test_a_frame_that_is_too_large_ends_it(tmp_path: Path) -> None:
    async with listening(tmp_path / "s") as peer, attached(tmp_path / "s", HELLO) as channel:
        _, writer = await peer.streams
        writer.write(_ended(1) + (frames.MOST + 1).to_bytes(4) + b"x" * 100)
        assert [push.run async for pushes in channel.pushes for push in pushes] == ["run_1"]


async def test_what_is_posted_after_the_end_is_nobodys(tmp_path: Path) -> None:
    async with listening(tmp_path / "s") as peer, attached(tmp_path / "s", HELLO) as channel:
        (await peer.streams)[1].close()
        assert [pushes async for pushes in channel.pushes] == []
        channel.post([Parked("run_1", 1)])


async def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="headrace dev"):
        async with attached(tmp_path / "nobody", HELLO):
            pass
