"""What a message would take if Headrace did nothing: the HTTP stack, and a commit on disk.

Owns: the paced echo and the paced commit, with the pauses of the workload they stand beside; where
streams are apart from the database, a paced append as well. Must never know: any workload.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from bench import programs
from bench.bottoms import BODY, Bottom
from bench.samples import Sample, spread, watched

HEADERS: Final = {
    "authorization": "Bearer tr_dev_0123456789abcdef0123456789abcdef0123456789abcdef",
    "content-type": "application/json",
    "x-trigger-request-idempotency-key": "01234567-89ab-4def-8123-456789abcdef",
}


@dataclass(frozen=True, slots=True)
class Floor:
    """An echo server."""

    url: str
    session: aiohttp.ClientSession
    pids: dict[str, int]

    async def echo(self) -> None:
        """Post a message, and get it back."""
        async with self.session.post(self.url, data=BODY, headers=HEADERS) as response:
            await response.read()


@asynccontextmanager
async def laid(folder: Path) -> AsyncGenerator[Floor]:
    """Have an echo server while the block lasts."""
    async with (
        programs.running(["bench.echo"], os.environ, folder / "echo.log") as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        url = (await server.says("serving")).url
        yield Floor(url, session, {"echo": server.pid, "sender": os.getpid()})


async def latency(floor: Floor, bottom: Bottom, count: int, gap_s: float) -> Sample:
    """Measure `count` echoes, commits and appends, with a pause after each."""
    parts: dict[str, Callable[[], Awaitable[object]]] = {
        "echo": floor.echo,
        "commit": bottom.commit,
    }
    if bottom.append is not None:
        parts["append"] = bottom.append
    taken = {name: list[float]() for name in parts}
    with watched(floor.pids) as watch:
        for name, act in parts.items():
            for _ in range(count):
                taken[name].append(await _timed(act))
                await _pause(gap_s)
    whole = [sum(each) for each in zip(*taken.values(), strict=True)]
    figures = spread(whole)
    for name, values in taken.items():
        figures |= {f"{name} {which}": ms for which, ms in spread(values).items()}
    return watch.sample("floor paced" if gap_s else "floor back to back", count, figures)


async def _timed(act: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    await act()
    return (time.perf_counter() - start) * 1_000


async def rate(floor: Floor, count: int, senders: int) -> Sample:
    """Measure how many echoes a second the stack gives to so many senders."""

    async def send() -> None:
        for _ in range(count // senders):
            await floor.echo()

    with watched(floor.pids) as watch:
        async with asyncio.TaskGroup() as group:
            for _ in range(senders):
                group.create_task(send())
    return watch.sample("floor rate", count, {"per second": count / watch.seconds})


async def _pause(gap_s: float) -> None:
    if gap_s:
        await asyncio.sleep(gap_s)
