"""Other processes: started, listened to, ended.

Owns: the life of a process that prints a line of JSON for each thing that happens.
Must never know: what is measured.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

PATIENCE_S: Final = 30.0


class Event(msgspec.Struct, frozen=True):
    """What a program has said."""

    event: str
    url: str = ""
    pid: int = 0
    key: str = ""


_event: Final = msgspec.json.Decoder(Event).decode


class Broken(Exception):
    """A program has ended, or keeps silent."""


class Program:
    """One process of ours; `log` gets what it complains about."""

    def __init__(self, process: Process, log: Path) -> None:
        self._process, self._log = process, log

    @property
    def pid(self) -> int:
        """Return the id of the process."""
        return self._process.pid

    async def says(self, event: str) -> Event:
        """Wait until it says so."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._said(event)
        except TimeoutError:
            raise Broken(f"no {event!r} within {PATIENCE_S} s; see {self._log}") from None

    async def _said(self, event: str) -> Event:
        if self._process.stdout is None:
            raise TypeError("its output was not asked for")
        async for line in self._process.stdout:
            said = _event(line)
            if said.event == event:
                return said
        complaint = await asyncio.to_thread(self._log.read_text, "utf-8")
        raise Broken(f"process {self.pid} has ended before it said {event!r}:\n{complaint}")

    async def kill(self) -> None:
        """End it with -9."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        """Tell it to end, and wait; with -9 if it takes too long."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._process.wait()
        except TimeoutError:
            await self.kill()


async def start(module: Sequence[str], environment: Mapping[str, str], log: Path) -> Program:
    """Start `python -m` with these arguments."""
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *module,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=errors,
            env=dict(environment),
        )
    return Program(process, log)


@asynccontextmanager
async def running(
    module: Sequence[str], environment: Mapping[str, str], log: Path
) -> AsyncGenerator[Program]:
    """Run a program while the block lasts."""
    program = await start(module, environment, log)
    try:
        yield program
    finally:
        await program.stop()
