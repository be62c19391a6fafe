"""What a message would take if Headrace did nothing: the HTTP stack, and a commit on disk.

Owns: the paced echo and the paced commit, with the pauses of the workload they stand beside.
Must never know: any workload.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from bench import programs
from bench.samples import Sample, spread, watched
from headrace.backends.sqlite.database import Database, Settings

BODY: Final = b'{"data":{"sent":1234567890123456,"last":false}}'
HEADERS: Final = {
    "authorization": "Bearer tr_dev_0123456789abcdef0123456789abcdef0123456789abcdef",
    "content-type": "application/json",
    "x-trigger-request-idempotency-key": "01234567-89ab-4def-8123-456789abcdef",
}
INSERT: Final = "INSERT INTO row (body) VALUES (?)"
WARM_UP: Final = 300


@dataclass(frozen=True, slots=True)
class Floor:
    """An echo server, and a file to commit to."""

    url: str
    session: aiohttp.ClientSession
    db: Database
    pids: dict[str, int]

    async def echo(self) -> float:
        """Post a message; return what that took, in ms."""
        start = time.perf_counter()
        async with self.session.post(self.url, data=BODY, headers=HEADERS) as response:
            await response.read()
        return (time.perf_counter() - start) * 1_000

    def commit(self) -> float:
        """Write a row and have it on disk; return what that took, in ms."""
        start = time.perf_counter()
        self.db.run(INSERT, (BODY,))
        return (time.perf_counter() - start) * 1_000


@asynccontextmanager
async def laid(folder: Path) -> AsyncGenerator[Floor]:
    """Have an echo server and a file while the block lasts."""
    async with (
        programs.running(["bench.echo"], os.environ, folder / "echo.log") as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        url = (await server.says("serving")).url
        db = _opened(folder / "floor.db")
        try:
            yield Floor(url, session, db, {"echo": server.pid, "sender": os.getpid()})
        finally:
            db.close()


def _opened(path: Path) -> Database:
    db = Database(path, Settings(), cache_kib=16_384)
    db.script("PRAGMA journal_mode = WAL")
    db.run("CREATE TABLE row (no INTEGER PRIMARY KEY, body BLOB)")
    for _ in range(WARM_UP):  # into a log that need not grow any more
        db.run(INSERT, (BODY,))
    db.checkpoint()
    return db


async def latency(floor: Floor, count: int, gap_s: float) -> Sample:
    """Measure `count` echos and commits, with a pause after each."""
    echoes, commits = list[float](), list[float]()
    with watched(floor.pids) as watch:
        for _ in range(count):
            echoes.append(await floor.echo())
            await _pause(gap_s)
        for _ in range(count):
            commits.append(floor.commit())
            await _pause(gap_s)
    both = [echo + commit for echo, commit in zip(echoes, commits, strict=True)]
    echo, commit = spread(echoes), spread(commits)
    parts = {"echo p50": echo["p50"], "commit p50": commit["p50"], "commit p99": commit["p99"]}
    name = "floor paced" if gap_s else "floor back to back"
    return watch.sample(name, count, {**spread(both), **parts})


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
