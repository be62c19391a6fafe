"""Server and worker processes on one Postgres (and one Redis), behind one address.

Owns: how they are started and ended, each by its own id. Must never know: what they are asked.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

import anyio
import anyio.to_thread

from headrace.cli.leash import Ready, decode
from tests.fleet.processes import Member
from tests.services.balancer import Balancer, balancer
from tests.services.keeper import kept

KEY = "tr_dev_" + "k" * 40
TASKS = """
from headrace import streams, task

notes = streams.input("notes", int)
tokens = streams.output("tokens", int)


@task
async def collect(_: int) -> list[int]:
    found: list[int] = []
    while (number := await notes.wait(timeout="1h").unwrap()) >= 0:
        found.append(number)
        await tokens.append(number)
    return found
"""


class Server:
    """A process that serves, at a port of its own."""

    def __init__(self, member: Member, port: int) -> None:
        self.member, self.port = member, port


class Quarter:
    """All of them. Everything they log is in files of the folder."""

    def __init__(self, folder: Path, front: Balancer, database: str, redis: str) -> None:
        self.folder, self.front = folder, front
        self._database, self._redis = database, redis
        self._members: list[Member] = []
        self.file = folder / "jobs.py"
        self.file.write_text(TASKS)

    @property
    def url(self) -> str:
        """Return the one address."""
        return f"http://127.0.0.1:{self.front.port}"

    def _environment(self, **own: str) -> dict[str, str]:
        rest = {name: value for name, value in os.environ.items() if "HEADRACE" not in name}
        every = {
            "PYTHONPATH": os.pathsep.join(sys.path),
            "HEADRACE_SECRET_KEY": KEY,
            "HEADRACE_MASTER_KEY": "m" * 40,
            "HEADRACE_SNAPSHOT_KEY": "s" * 40,
            "HEADRACE_DATABASE": self._database,
            "HEADRACE_HOME": str(self.folder / f"home-{len(self._members)}"),
        }
        if self._redis:
            every["HEADRACE_REDIS"] = self._redis
        return {**rest, **every, **own}

    def _member(self, process: subprocess.Popen[bytes], reports: IO[bytes]) -> Member:
        member = Member(kept(process), reports)
        self._members.append(member)
        return member

    def _log(self, name: str) -> IO[bytes]:
        return (self.folder / f"{name}.log").open("ab")

    async def server(self) -> Server:
        """Start a server; callers find it at once."""
        with self._log("server") as log:
            process = subprocess.Popen(  # noqa: ASYNC220 - soon done
                [sys.executable, "-m", "headrace", "serve", "--port", "0", "--json"],
                cwd=self.folder,
                env=self._environment(),
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert process.stdout is not None
        member = self._member(process, process.stdout)
        line = await anyio.to_thread.run_sync(member.line)
        port = int(json.loads(line)["url"].rpartition(":")[2])
        self.front.ports.append(port)
        return Server(member, port)

    async def worker(self) -> Member:
        """Start a worker at the one address, as a supervisor would; wait until it serves."""
        ours, theirs = socket.socketpair()
        handle = str(theirs.fileno())
        with theirs, self._log("worker") as log:
            process = subprocess.Popen(  # noqa: ASYNC220 - soon done
                [sys.executable, "-m", "headrace.cli.child", str(self.file), handle],
                cwd=self.folder,
                env=self._environment(HEADRACE_URL=self.url),
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
            )
        with ours:
            member = self._member(process, ours.makefile("rb"))
        assert isinstance(decode(await anyio.to_thread.run_sync(member.line)), Ready)
        return member

    async def stop(self, server: Server) -> None:
        """Let a server end in order; it is known by then that it is no longer there."""
        assert await anyio.to_thread.run_sync(server.member.stop) == 0
        self.front.ports.remove(server.port)

    def kill(self, server: Server) -> None:
        """Lose a server."""
        server.member.kill()
        self.front.ports.remove(server.port)

    def logged(self) -> str:
        """Return what the servers have logged."""
        return (self.folder / "server.log").read_text()

    def end(self) -> None:
        """End whatever still runs."""
        for member in self._members:
            if member.is_up:
                member.kill()


@asynccontextmanager
async def quarter(folder: Path, database: str, redis: str = "") -> AsyncGenerator[Quarter]:
    """Open one; its processes end with the block."""
    async with balancer() as front:
        one = Quarter(folder, front, database, redis)
        try:
            yield one
        finally:
            await anyio.to_thread.run_sync(one.end)
