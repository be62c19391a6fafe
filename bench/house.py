"""A server and a worker in a folder of their own, started as a user starts them.

Owns: the two processes, and the `Api` that talks to them. Must never know: what is measured.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import anyio.to_thread
import psutil

import headrace
from bench import programs
from bench.places import ON_A_FILE, Corner
from bench.programs import PATIENCE_S, Program
from bench.work import tasks
from headrace.app.connecting import client
from headrace.app.home import Home
from headrace.app.settings import Settings
from headrace.client import Client, Patience


@dataclass(frozen=True, slots=True)
class Commands:
    """What is started, as arguments of `python -m`."""

    server: tuple[str, ...]
    worker: tuple[str, ...]

    @classmethod
    def for_file(cls, file: str) -> Commands:
        """Return what a user types for such tasks."""
        return cls(("headrace", "serve", "--json"), ("headrace", "worker", file, "--json"))


AS_A_USER: Final = Commands.for_file(tasks.__file__)
NOTHING: Final[Mapping[str, str]] = {}
IMPATIENT: Final = Patience(attempts=1, answer_s=5.0)
"""Whoever measures how long something is away must not rest in between."""


class House:
    """Made by `opened`."""

    def __init__(
        self,
        folder: Path,
        commands: Commands,
        environment: Mapping[str, str] = NOTHING,
        corner: Corner = ON_A_FILE,
    ) -> None:
        self.folder, self._commands, self.corner = folder, commands, corner
        self.home = folder / "home"
        environment = {**corner.environment, **environment}
        rest = {name: value for name, value in os.environ.items() if "HEADRACE" not in name}
        self._environment = {**rest, "HEADRACE_HOME": str(self.home), **environment}
        self._server: Program | None = None
        self._supervisor: Program | None = None
        self._url = ""
        self.worker_pid = 0

    @property
    def database(self) -> Path:
        """Return the file of the database."""
        return self.home / "headrace.db"

    @property
    def pids(self) -> dict[str, int]:
        """Return the processes by what they do; the sender is this one."""
        server, supervisor = _running(self._server).pid, _running(self._supervisor).pid
        return {
            "server": server,
            "worker": self.worker_pid,
            "supervisor": supervisor,
            "sender": os.getpid(),
        }

    @property
    def behind(self) -> Mapping[str, int]:
        """Return the servers that are no part of Headrace."""
        return self.corner.behind

    async def start_server(self) -> None:
        """Serve; after a first time, on the same port again."""
        port = str(urlsplit(self._url).port) if self._url else "0"
        environment = {**self._environment, "HEADRACE_PORT": port}
        log = self.folder / "server.log"
        self._server = await programs.start(self._commands.server, environment, log)
        self._url = (await self._server.says("serving")).url

    async def start_worker(self) -> None:
        """Have a worker execute the tasks."""
        log = self.folder / "worker.log"
        self._supervisor = await programs.start(self._commands.worker, self._environment, log)
        await self.worker_serves()

    async def worker_serves(self) -> None:
        """Wait until the worker says that it serves, or serves again."""
        self.worker_pid = (await _running(self._supervisor).says("ready")).pid

    async def kill_server(self) -> None:
        """End the server with -9."""
        await _running(self._server).kill()

    def kill_worker(self) -> None:
        """End the worker with -9; its supervisor will start another one."""
        os.kill(self.worker_pid, signal.SIGKILL)

    async def kill_all(self) -> None:
        """End everything with -9; the worker ends with its supervisor."""
        worker = psutil.Process(self.worker_pid)
        await _running(self._supervisor).kill()
        await _running(self._server).kill()
        await anyio.to_thread.run_sync(worker.wait, PATIENCE_S)

    async def stop(self) -> None:
        """End both in order."""
        for program in (self._supervisor, self._server):
            if program is not None:
                await program.stop()
        self._server = self._supervisor = None

    def api(self, patience: Patience) -> Client:
        """Talk to the server."""
        return client(Settings(home=self.home, url=self._url), Home(self.home), patience)


@asynccontextmanager
async def opened(
    *,
    commands: Commands = AS_A_USER,
    environment: Mapping[str, str] = NOTHING,
    patience: Patience = IMPATIENT,
    corner: Corner = ON_A_FILE,
) -> AsyncGenerator[House]:
    """Open a house, and let the sdk of this process talk to it, while the block lasts.

    `environment` is for server and worker alone.
    """
    async with standing(
        commands=commands, environment=environment, patience=patience, corner=corner
    ) as (house, api):
        headrace.configure(api=api)
        try:
            yield house
        finally:
            headrace.configure()


@asynccontextmanager
async def standing(
    *,
    commands: Commands = AS_A_USER,
    environment: Mapping[str, str] = NOTHING,
    patience: Patience = IMPATIENT,
    corner: Corner = ON_A_FILE,
) -> AsyncGenerator[tuple[House, Client]]:
    """Have a house while the block lasts, one of several: who wants to talk to it configures so."""
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        house = House(Path(folder), commands, environment, corner)
        try:
            await house.start_server()
            await house.start_worker()
            api = await anyio.to_thread.run_sync(house.api, patience)
            try:
                yield house, api
            finally:
                await api.aclose()
        finally:
            await house.stop()


def _running(program: Program | None) -> Program:
    if program is None:
        raise TypeError("it does not run")
    return program
