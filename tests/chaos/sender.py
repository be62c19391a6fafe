"""One sender: sends its share of the messages, as far as it is allowed to, and keeps a history.

    python -m tests.chaos.sender KIND SEED COUNT HISTORY STREAM,... RUN...

Each line on its input is the number of messages that it may have sent by then, so that whoever
breaks things decides how much happens in between. A tenth of the messages is sent again with the
same key after it was acknowledged. Of the calls that end without an answer most are made again,
with the same key; a few are left as they are.

Must never know: who is killed, or when.
"""

from __future__ import annotations

import asyncio
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headrace.errors import HeadraceError, Mistake
from headrace.wire.views import Receipt
from tests.chaos.callers import Caller, calling
from tests.chaos.workload import digest
from tests.history import events as e

AT_ONCE: Final = 4
AGAIN: Final = 0.1
LEFT_ALONE: Final = 0.05
PAUSE_S: Final = 0.1
THINKS_S: Final = 0.04
TRIES: Final = 500


@dataclass(frozen=True, slots=True)
class Message:
    """One logical message, however often it is sent."""

    n: int
    run: str
    stream: str
    text: str
    key: str


class Refused(Exception):
    """A message was not taken, and never will be."""


class Sender:
    """Sends messages and writes down what becomes of each call."""

    def __init__(self, kind: str, call: Caller, pen: e.Pen, chance: random.Random) -> None:
        self._kind, self._call, self._pen, self._chance = kind, call, pen, chance
        self._calls = 0

    def pause(self) -> float:
        """Say how long to think before a message, so that not all are sent in one breath."""
        return self._chance.uniform(0, THINKS_S)

    async def send(self, message: Message) -> None:
        """Send until it is acknowledged; then perhaps once more."""
        try:
            await self._until_acknowledged(message)
        except Refused:
            return  # the judge will ask why

    async def _until_acknowledged(self, message: Message) -> None:
        again, patient = self._chance.random() < AGAIN, self._chance.random() >= LEFT_ALONE
        for _ in range(TRIES):
            receipt = await self._once(message)
            if receipt is not None:
                if again:
                    await self._once(message)
                return
            if not patient:
                return
            await asyncio.sleep(PAUSE_S)

    async def _once(self, message: Message) -> Receipt | None:
        self._calls += 1
        name = f"{self._kind}:{message.n}:{self._calls}"
        self._pen.write(
            e.SendInvoke(
                at=e.instant(),
                id=name,
                sender=self._kind,
                run=message.run,
                stream=message.stream,
                key=message.key,
                digest=digest(message.text),
            )
        )
        try:
            receipt = await self._call(message.run, message.stream, message.text, message.key)
        except Mistake as error:
            self._pen.write(e.SendFail(at=e.instant(), id=name, code=error.code))
            raise Refused(name) from error
        except HeadraceError as error:
            self._pen.write(e.SendInfo(at=e.instant(), id=name, why=error.message))
            return None
        self._pen.write(
            e.SendOk(at=e.instant(), id=name, seq=receipt.seq, duplicate=receipt.duplicate)
        )
        return receipt


def messages(
    kind: str, where: tuple[list[str], list[str]], count: int, chance: random.Random
) -> list[Message]:
    """Make up messages for runs and streams; no two have the same text."""
    runs, streams = where
    found: list[Message] = []
    for n in range(count):
        padding = "x" * chance.choice((0, 0, 10, 200, 2_000))
        run, stream = chance.choice(runs), chance.choice(sorted(streams))
        found.append(Message(n, run, stream, f"{kind} {n} {padding}", f"{kind}-{n}"))
    return found


async def work(sender: Sender, left: list[Message], allowed: asyncio.Queue[int]) -> None:
    """Send what is allowed, some at once."""
    total, room = 0, asyncio.Semaphore(AT_ONCE)
    pauses = [sender.pause() for _ in left]

    async def one(message: Message) -> None:
        async with room:
            await asyncio.sleep(pauses.pop())
            await sender.send(message)

    async with asyncio.TaskGroup() as group:
        while left:
            total = max(total, await allowed.get())
            while left and left[0].n < total:
                group.create_task(one(left.pop(0)))


async def _heed(allowed: asyncio.Queue[int]) -> None:
    """Pass on what the input says."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        allowed.put_nowait(int(line))


async def main(kind: str, seed: str, count: str, history: str, streams: str, *runs: str) -> None:
    """Send everything."""
    chance = random.Random(f"{seed} {kind}")  # noqa: S311 - no secret
    allowed = asyncio.Queue[int]()
    with e.Pen(Path(history)) as pen:
        async with calling(kind) as call, asyncio.TaskGroup() as group:
            heeding = group.create_task(_heed(allowed))
            sender = Sender(kind, call, pen, chance)
            where = [*runs], streams.split(",")
            await work(sender, messages(kind, where, int(count), chance), allowed)
            heeding.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
