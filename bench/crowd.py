"""`python -m bench.crowd`: 100,000 runs wait, everything is killed, all are answered.

    python -m bench.crowd [--runs N] [--warm S] [--json] [--write]

Owns: the order of things, and what must come of it. Must never know: how runs leave.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import psutil
import uvloop
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

import headrace
from bench.crowd_page import PAGE, Crowd, shown
from bench.house import Commands, House, opened
from bench.machine import machine
from bench.rates import SENDERS, all_at_once
from bench.readings import counted, size
from bench.work import crowd as work
from bench.work.crowd import Question, ask, replies
from headrace import Handle
from headrace.app.connecting import DEFAULT_PATIENCE

COMMANDS: Final = Commands.for_file(work.__file__)
FIRST: Final = 50
"""So many runs are over before a worker counts as idle: it has then used what it needs once."""
EVERY_S: Final = 0.25
PATIENCE_S: Final = 120.0
TRIMMED_S: Final = 2.5
"""A worker gives memory back once a second."""
SETTLED_S: Final = 5.0
"""How long after the last run has left the memory is weighed at the latest."""
WAITING: Final = "SELECT count(*) FROM run WHERE state = 'waiting' AND saved IS NOT NULL"
OVER: Final = "SELECT count(*) FROM run WHERE state = 'over'"


class Trial:
    """One crowd, in one house."""

    def __init__(self, house: House, bar: Progress) -> None:
        self._house, self._bar = house, bar
        self._handles: list[Handle[int]] = []
        self.slowest_s = 0.0
        """The longest that a trigger or a send has taken."""

    @contextmanager
    def _timed(self) -> Generator[None]:
        began = time.monotonic()
        yield
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    async def idle(self) -> int:
        """Let a few runs come to their end; return what the worker occupies then."""
        before = await self._count(OVER)
        handles = [await ask.trigger(_question(0)) for _ in range(FIRST)]
        for handle in handles:
            await replies.send(handle, 7)
        await self._until(OVER, before + FIRST)
        await asyncio.sleep(TRIMMED_S)
        return self._rss()

    async def gather(self, count: int) -> tuple[float, int]:
        """Start all; return how long it took until all had left, and the most the worker had."""
        began, most = time.monotonic(), 0
        numbers, handles = iter(range(count)), dict[int, Handle[int]]()
        started = self._bar.add_task("started", total=count)

        async def start(_sender: int) -> None:
            for number in numbers:
                with self._timed():
                    handles[number] = await ask.trigger(_question(number))
                self._bar.advance(started)

        async with asyncio.TaskGroup() as group:
            weighing = group.create_task(self._most())
            await all_at_once(start, range(SENDERS))
            left = self._bar.add_task("saved and gone", total=count)
            await self._until(WAITING, count, left)
            most = await _ended(weighing)
        self._handles = [handles[number] for number in range(count)]
        return time.monotonic() - began, most

    async def _most(self) -> int:
        """Return, when cancelled, the most that the worker has had."""
        most = 0
        try:
            while True:
                most = max(most, self._rss())
                await asyncio.sleep(EVERY_S)
        except asyncio.CancelledError:
            return most

    async def settled(self, most: int) -> tuple[int, float]:
        """Return what the worker occupies, and after how long it was no more than `most`."""
        began = time.monotonic()
        while (rss := self._rss()) > most and time.monotonic() < began + SETTLED_S:
            self._bar.refresh()
            await asyncio.sleep(EVERY_S)
        return rss, time.monotonic() - began

    async def again(self) -> tuple[float, float, float]:
        """Kill everybody and start anew; return when the server, the worker and an answer came."""
        await self._house.kill_all()
        began = time.monotonic()
        await self._house.start_server()
        served = time.monotonic()
        await self._house.start_worker()
        ready = time.monotonic()
        last = self._handles.pop()
        await replies.send(last, len(self._handles))
        if await last.result() != 3 * len(self._handles):
            raise AssertionError("the first run that was answered has another result")
        return served - began, ready - began, time.monotonic() - began

    async def answer(self, over: int) -> float:
        """Answer all; return how long it took until the last was over."""
        began, left = time.monotonic(), iter(enumerate(self._handles))
        sent = self._bar.add_task("answered", total=len(self._handles))

        async def reply(_sender: int) -> None:
            for number, handle in left:
                with self._timed():
                    await replies.send(handle, number)
                self._bar.advance(sent)

        await all_at_once(reply, range(SENDERS))
        ended = self._bar.add_task("over", total=over)
        await self._until(OVER, over, ended)
        return time.monotonic() - began

    async def wrong(self) -> int:
        """Ask for every result; return how many are not what they should be."""
        left, found = iter(enumerate(self._handles)), 0
        asked = self._bar.add_task("looked at", total=len(self._handles))

        async def look(_sender: int) -> None:
            nonlocal found
            for number, handle in left:
                run = await headrace.runs.retrieve(handle)
                found += run.status != "COMPLETED" or run.output != 3 * number
                self._bar.advance(asked)

        await all_at_once(look, range(SENDERS))
        return found

    def size(self) -> int:
        """Return the bytes of the database once its log has been copied into it."""
        with tempfile.TemporaryDirectory(prefix="headrace-crowd-") as folder:
            for file in self._house.database.parent.glob("headrace.db*"):
                if not file.name.endswith("-shm"):
                    shutil.copy(file, folder)
            return size(Path(folder) / self._house.database.name)

    def _rss(self) -> int:
        return psutil.Process(self._house.worker_pid).memory_info().rss

    async def _until(self, question: str, count: int, bar: TaskID | None = None) -> None:
        """Wait until the database says so; as long as the number changes there is hope."""
        seen, end = -1, time.monotonic() + PATIENCE_S
        while (now := await self._count(question)) < count:
            if now != seen:
                seen, end = now, time.monotonic() + PATIENCE_S
            if time.monotonic() > end:
                raise AssertionError(f"{now:,} of {count:,}, and no more come: {question}")
            if bar is not None:
                self._bar.update(bar, completed=now)
            self._bar.refresh()
            await asyncio.sleep(EVERY_S)
        if bar is not None:
            self._bar.update(bar, completed=count)

    async def _count(self, question: str) -> int:
        return await asyncio.to_thread(counted, self._house.database, question)


def _question(number: int) -> Question:
    return {"number": number, "title": "Water mills of the north"}


async def _ended(weighing: asyncio.Task[int]) -> int:
    weighing.cancel()
    return await weighing


async def crowd(
    runs: int, warm_s: float, note: Callable[[str], Awaitable[None]], bar: Progress
) -> Crowd:
    """Go through all of it."""
    async with opened(
        commands=COMMANDS, environment={work.WARM: str(warm_s)}, patience=DEFAULT_PATIENCE
    ) as house:
        trial = Trial(house, bar)
        idle = await trial.idle()
        await note("idle")
        gathered_s, most = await trial.gather(runs)
        waiting, trimmed_s = await trial.settled(idle)
        server = psutil.Process(house.pids["server"]).memory_info().rss
        disk = await asyncio.to_thread(trial.size)
        await note("all wait")
        served_s, ready_s, first_s = await trial.again()
        await note("started again")
        idle_again = await trial.idle()
        answered_s = await trial.answer(runs + 2 * FIRST)
        over, _ = await trial.settled(idle_again)
        wrong = await trial.wrong()
    return Crowd(
        runs=runs,
        warm_s=warm_s,
        gathered_s=gathered_s,
        idle=idle,
        most=most,
        waiting=waiting,
        trimmed_s=trimmed_s,
        server=server,
        disk=disk / runs,
        served_s=served_s,
        ready_s=ready_s,
        first_s=first_s,
        answered_s=answered_s,
        slowest_s=trial.slowest_s,
        over=over - idle_again,
        wrong=wrong,
    )


async def _measured(options: argparse.Namespace, console: Console) -> Crowd:
    columns = (TextColumn("{task.description:<16}"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, auto_refresh=False) as bar:

        async def note(what: str) -> None:
            if not console.is_terminal:
                console.print(f"{datetime.now(UTC):%H:%M:%S} {what}")

        return await crowd(options.runs, options.warm, note, bar)


def main(arguments: Sequence[str]) -> int:
    """Measure, show, write down, say whether it is as it must be."""
    parser = argparse.ArgumentParser("python -m bench.crowd", description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000, help="how many runs wait")
    parser.add_argument("--warm", type=float, default=30.0, help="seconds that they stay warm")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE}")
    options = parser.parse_args(arguments)
    found = uvloop.run(_measured(options, Console(stderr=True)))
    with tempfile.TemporaryDirectory(prefix="headrace-crowd-") as folder:
        text = shown(found, machine(Path(folder)))
    print(msgspec.json.encode(found).decode() if options.json else text)
    if options.write:
        PAGE.write_text(text, "utf-8")
    return int(bool(found.missed()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
