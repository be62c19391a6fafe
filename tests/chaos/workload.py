"""The task that the senders send to: it reads four streams, each by another verb.

It writes down what it was given: each process of a worker keeps a history of its own. Every
`MARK_EVERY` values it runs a step, whose result tells which life of the run has written that entry
of the journal.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Final

from headrace import Ok, TimedOut, current_run, step, streams, task
from tests.history import events as e

HISTORY: Final = "HEADRACE_TEST_HISTORY"
END: Final = "end"
"""Sent to every stream when the senders have finished."""
MARK_EVERY: Final = 10
PATIENCE: Final = "1s"

by_wait = streams.input("by-wait", str)
by_once = streams.input("by-once", str)
by_on = streams.input("by-on", str)
by_loop = streams.input("by-loop", str)
STREAMS: Final = {stream.id: stream for stream in (by_wait, by_once, by_on, by_loop)}
VERBS: Final = {name: name.removeprefix("by-") for name in STREAMS}


def digest(message: str) -> str:
    """Stand in for a message in a history."""
    return blake2b(message.encode(), digest_size=8).hexdigest()


def _pen() -> e.Pen:
    """Open this process's history. What is written survives its kill; no machine is lost here.

    A sync for each value would make replays last longer than the worker lives.
    """
    path = Path(os.environ[HISTORY], f"worker-{os.getpid()}-{e.instant()}.jsonl")
    return e.Pen(path, sync=False)


@dataclass(slots=True)
class Life:
    """One execution of the code, from its top."""

    run: str
    pen: e.Pen
    name: str = field(default_factory=lambda: f"{os.getpid()}.{e.instant()}")
    born: int = field(default_factory=e.instant)
    places: dict[str, int] = field(default_factory=dict[str, int])

    def asks(self, stream: str) -> None:
        """Write down that the code asks for the next value of a stream."""
        at, place = e.instant(), self._place(stream)
        asked = e.TakeInvoke(at=at, run=self.run, stream=stream, place=place, life=self.name)
        self.pen.write(asked)

    def given(self, stream: str, message: str | None) -> None:
        """Write down what the code was given; None stands for a timeout."""
        taken = e.TakeOk(
            at=e.instant(),
            run=self.run,
            stream=stream,
            place=self._place(stream),
            life=self.name,
            verb=VERBS[stream],
            ending="timeout" if message is None else "value",
            digest="" if message is None else digest(message),
        )
        self.pen.write(taken)
        self.places[stream] = self.places.get(stream, 0) + 1

    def _place(self, stream: str) -> str:
        return f"{stream}#{self.places.get(stream, 0)}"

    async def mark(self, stream: str) -> None:
        """Leave this life's time of birth in the journal now and then."""
        if self.places[stream] % MARK_EVERY == 0:
            await step(f"mark-{stream}", self._born)

    async def _born(self) -> int:
        return self.born


_history: Final[list[e.Pen]] = []


@task(max_attempts=1)
async def consume() -> dict[str, int]:
    """Read every stream until its end."""
    if not _history:
        _history.append(_pen())
    life = Life(current_run().id, _history[0])
    readers: tuple[Callable[[Life], Awaitable[None]], ...] = (_wait, _once, _on, _loop)
    async with asyncio.TaskGroup() as group:
        for reader in readers:
            group.create_task(_whole(reader(life)))
    return life.places


async def _whole(reader: Awaitable[None]) -> None:
    await reader


async def _wait(life: Life) -> None:
    while True:
        life.asks(by_wait.id)
        match await by_wait.wait(timeout=PATIENCE):
            case Ok(output=message):
                life.given(by_wait.id, message)
                if message == END:
                    return
            case TimedOut():
                life.given(by_wait.id, None)
        await life.mark(by_wait.id)


async def _once(life: Life) -> None:
    while True:
        life.asks(by_once.id)
        message = await by_once.once().unwrap()
        life.given(by_once.id, message)
        if message == END:
            return
        await life.mark(by_once.id)


async def _on(life: Life) -> None:
    ended = asyncio.Event()

    async def hear(message: str) -> None:
        life.given(by_on.id, message)
        if message == END:
            ended.set()
        else:
            await life.mark(by_on.id)

    with by_on.on(hear):
        await ended.wait()


async def _loop(life: Life) -> None:
    async for message in by_loop:
        life.given(by_loop.id, message)
        if message == END:
            return
        await life.mark(by_loop.id)
