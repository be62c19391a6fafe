"""Several servers in front of one database, and workers at each: all processes of one Headrace.

Owns: starting and ending them, and who talks to which server. Must never know: what is measured.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio.to_thread

from bench import programs
from bench.house import AS_A_USER
from bench.machine import whole_s
from bench.places import Corner
from headrace.app.connecting import DEFAULT_PATIENCE, client
from headrace.app.home import Home
from headrace.app.settings import Settings
from headrace.client import Client
from headrace.wire.views import RunQuery, Status

KEY: Final = "tr_dev_0123456789abcdef0123456789abcdef"
SECRETS: Final = {
    "HEADRACE_SECRET_KEY": KEY,
    "HEADRACE_MASTER_KEY": "a master key of more than sixteen letters",
    "HEADRACE_SNAPSHOT_KEY": "a snapshot key of more than sixteen letters",
}
UNENDED: Final[tuple[Status, ...]] = ("QUEUED", "DEQUEUED", "EXECUTING", "WAITING")
POLL_S: Final = 0.1
"""Seldom, since a server pays for the answer."""
PATIENCE_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Size:
    """How many servers, and workers in all."""

    servers: int
    workers: int

    def __str__(self) -> str:
        """Name it."""
        return f"{self.servers} and {self.workers}"


SIZES: Final = (Size(1, 2), Size(2, 4))


@dataclass(frozen=True, slots=True)
class Fleet:
    """Made by `standing`. `servers` and `workers` are the first processes of each."""

    size: Size
    corner: Corner
    servers: Sequence[int]
    workers: Sequence[int]
    apis: Sequence[Client]

    def speaker(self, number: int) -> Client:
        """Return who talks to a server: to each in turn."""
        return self.apis[number % len(self.apis)]

    def used_s(self) -> dict[str, float]:
        """Return the processor time so far, with children, by who used it."""
        behind = {name: whole_s(pid) for name, pid in self.corner.behind.items()}
        return {
            "servers": sum(map(whole_s, self.servers)),
            "workers": sum(map(whole_s, self.workers)),
            **behind,
        }

    async def none_is(self, *status: Status, task: str) -> None:
        """Wait until no run of the task is in one of these states."""
        end = time.monotonic() + PATIENCE_S
        query = RunQuery(size=1, status=status, task=(task,))
        while (await self.apis[0].list_runs(query)).data:
            if time.monotonic() > end:
                raise AssertionError(f"a run of {task} is still {status} after {PATIENCE_S} s")
            await asyncio.sleep(POLL_S)


@asynccontextmanager
async def standing(size: Size, corner: Corner) -> AsyncGenerator[Fleet]:
    """Have a fleet while the block lasts."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="headrace-fleet-")))
        rest = {name: value for name, value in os.environ.items() if "HEADRACE" not in name}
        known = {**rest, **SECRETS, **corner.environment, "HEADRACE_PORT": "0"}
        servers, workers, urls, apis = list[int](), list[int](), list[str](), list[Client]()
        for number in range(size.servers):
            home = {"HEADRACE_HOME": str(folder / f"server-{number}")}
            log = folder / f"server-{number}.log"
            server = programs.running(AS_A_USER.server, {**known, **home}, log)
            program = await stack.enter_async_context(server)
            urls.append((await program.says("serving")).url)
            servers.append(program.pid)
        for number in range(size.workers):
            home = {"HEADRACE_HOME": str(folder / f"worker-{number}")}
            place = {**home, "HEADRACE_URL": urls[number % len(urls)]}
            log = folder / f"worker-{number}.log"
            worker = programs.running(AS_A_USER.worker, {**known, **place}, log)
            program = await stack.enter_async_context(worker)
            await program.says("ready")
            workers.append(program.pid)
        for url in urls:
            api = await anyio.to_thread.run_sync(_speaking, url, folder)
            stack.push_async_callback(api.aclose)
            apis.append(api)
        yield Fleet(size, corner, servers, workers, apis)


def _speaking(url: str, folder: Path) -> Client:
    return client(Settings(home=folder, url=url, key=KEY), Home(folder), DEFAULT_PATIENCE)
