"""`python -m bench.subscribers`: 10,000 follow runs, and hear of every message in time.

    python -m bench.subscribers [--count N] [--messages N] [--rate N] [--json] [--write]

Owns: the order of things, and what is sent. Must never know: who follows what, or any framing.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import psutil
import uvloop
from rich.console import Console

from bench.audience import (
    EACH_RUN,
    INPUT,
    OUTPUT,
    PATIENCE_S,
    RUN,
    TAG,
    Audience,
    Message,
    late,
    plan,
    tag,
)
from bench.house import Commands, House, opened
from bench.machine import machine
from bench.rates import all_at_once
from bench.samples import watched
from bench.subscribers_page import PAGE, Counts, Subscribed, shown
from bench.work import subscribers as work
from bench.work.subscribers import followed, told, words
from headrace.app.connecting import DEFAULT_PATIENCE
from headrace.app.home import Home
from headrace.wire.changes import Amendment, Edit
from headrace.wire.views import RunQuery

COMMANDS: Final = Commands.for_file(work.__file__)
AT_ONCE: Final = 50
SETTLED_S: Final = 2.0
POLL_S: Final = 0.05
BUSY: Final = RunQuery(status=("QUEUED", "DEQUEUED", "EXECUTING"), size=1)

Note = Callable[[str], None]


class Trial:
    """One audience, in one house."""

    def __init__(self, house: House, note: Note) -> None:
        self._note = note
        self._client = house.api(DEFAULT_PATIENCE)
        self._server = psutil.Process(house.pids["server"])
        self._audience = Audience(self._client.url, Home(house.home).key())
        self._runs: list[str] = []
        self._sent: dict[str, Message] = {}
        """The last message to each run."""
        self.late_ms: list[float] = []
        self.broken = 0

    @property
    def audience(self) -> Audience:
        """Return whoever follows."""
        return self._audience

    async def begin(self, runs: int) -> None:
        """Start runs, and send each a message of each kind: what is used once is there then."""
        names = dict[int, str]()

        async def start(number: int) -> None:
            names[number] = (await followed.trigger(number, tags=[tag(number)])).id

        await self._each(start, runs)
        self._runs = [names[number] for number in range(runs)]
        await _until(self._all_wait)
        await self._each(self._send, 3 * runs)
        self._note(f"{runs:,} runs wait")

    async def _all_wait(self) -> bool:
        return not (await self._client.list_runs(BUSY)).data

    async def counts(self) -> Counts:
        """Return what the server holds, once it has come to rest."""
        await asyncio.sleep(SETTLED_S)
        server = self._server
        return Counts(server.memory_info().rss, server.num_fds(), server.num_threads())

    async def enter(self, count: int) -> float:
        """Let so many follow; return how long it took until all did."""
        began, entries = time.monotonic(), plan(self._runs, count)

        async def enter(number: int) -> None:
            await self._audience.enter(*entries[number])

        await self._each(enter, count)
        self._note(f"{count:,} follow")
        return time.monotonic() - began

    async def _each(self, work: Callable[[int], Awaitable[None]], count: int) -> None:
        numbers = iter(range(count))

        async def some(_door: int) -> None:
            for number in numbers:
                await work(number)

        await all_at_once(some, range(AT_ONCE))

    async def talk(self, messages: int, rate: float) -> int:
        """Send so many at their times; return how often one did not reach somebody."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(messages):
                due = began + number / rate
                await asyncio.sleep(due - time.monotonic())
                self.late_ms.append(max(0.0, time.monotonic() - due) * 1e3)
                group.create_task(self._send(number))
        for message in self._sent.values():
            await _reached(message)
        self._note(f"{messages:,} messages are sent")
        return self._audience.lost

    async def _send(self, number: int) -> None:
        """Send to a run what those who follow it in one way have to hear."""
        turn, way = divmod(number, 3)
        run = self._runs[turn % len(self._runs)]
        if run in self._sent:
            # Of two changes that come together, a poll tells only the second.
            await _reached(self._sent[run])
        kinds = ((INPUT,), (OUTPUT,), (RUN, TAG))[way]
        mark, self._sent[run] = self._audience.expect(run, kinds, time.monotonic_ns())
        match way:
            case 0:
                await told.send(run, mark)
            case 1:
                await self._client.write(run, words.id, [msgspec.json.encode(mark)])
            case _:
                value = msgspec.Raw(msgspec.json.encode(mark))
                edit = Edit(type="set", key="mark", value=value)
                await self._client.amend(run, Amendment(operations=[edit]))

    async def leave(self, files: int) -> float:
        """Let all go; return how long the server took to hold no more files than these."""
        self.broken += self._audience.leave()
        began = time.monotonic()

        async def is_back() -> bool:
            return self._server.num_fds() <= files

        await _until(is_back)
        self._note("all are gone")
        return time.monotonic() - began

    async def aclose(self) -> None:
        """Let go of the server."""
        await self._client.aclose()


async def _until(asked: Callable[[], Awaitable[bool]]) -> None:
    """Ask until it is so, but not for ever: whoever counts sees that it is not."""
    end = time.monotonic() + PATIENCE_S
    while not await asked() and time.monotonic() < end:  # noqa: ASYNC110 - processes tell nobody
        await asyncio.sleep(POLL_S)


async def _reached(message: Message) -> None:
    """Wait until everybody has heard, but not for ever: whoever has not is counted."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await message.arrived.wait()
    except TimeoutError:
        return


async def subscribers(count: int, messages: int, rate: float, note: Note) -> Subscribed:
    """Go through all of it."""
    runs = -(-count // EACH_RUN)
    async with opened(commands=COMMANDS, patience=DEFAULT_PATIENCE) as house:
        trial = Trial(house, note)
        await trial.begin(runs)
        start = await trial.counts()
        opened_s = await trial.enter(count)
        held, kinds = await trial.counts(), trial.audience.kinds
        with watched(house.pids) as watch:
            lost = await trial.talk(messages, rate)
        busy, lateness = await trial.counts(), trial.audience.lateness()
        closed_s = await trial.leave(start.files)
        closed = await trial.counts()
        await trial.enter(count)
        await trial.leave(start.files)
        again = await trial.counts()
        await trial.aclose()
    return Subscribed(
        subscriptions=kinds,
        runs=runs,
        messages=messages,
        rate=rate,
        opened_s=opened_s,
        start=start,
        held=held,
        busy=busy,
        closed=closed,
        closed_s=closed_s,
        again=again,
        lateness=lateness,
        lost=lost,
        broken=trial.broken,
        own=late(trial.late_ms),
        cpu={
            name: (watch.after.used_s[pid] - watch.before.used_s[pid]) / watch.seconds
            for name, pid in watch.pids.items()
        },
        foreign=watch.foreign,
    )


def main(arguments: Sequence[str]) -> int:
    """Measure, show, write down, say whether it is as it must be."""
    parser = argparse.ArgumentParser("python -m bench.subscribers", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="how many follow")
    parser.add_argument("--messages", type=int, default=2_000, help="how many are sent")
    parser.add_argument("--rate", type=float, default=20.0, help="messages a second")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE}")
    options = parser.parse_args(arguments)
    console = Console(stderr=True)

    def note(what: str) -> None:
        console.print(f"{datetime.now(UTC):%H:%M:%S} {what}")

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # What is measured is the server: this process must not stop in order to tidy up.
    gc.disable()
    found = uvloop.run(subscribers(options.count, options.messages, options.rate, note))
    with tempfile.TemporaryDirectory(prefix="headrace-subscribers-") as folder:
        text = shown(found, machine(Path(folder)))
    print(msgspec.json.encode(found).decode() if options.json else text)
    if options.write:
        PAGE.write_text(text, "utf-8")
    return int(bool(found.missed()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
