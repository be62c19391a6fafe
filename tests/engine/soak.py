"""Workers who keep to the rules, senders who try again, and a store that fails at random.

Owns: the play, and what must be true at its end. Every choice is made by one seeded dice.
Must never know: the inside of the engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

import anyio

from headrace.errors import Unavailable
from headrace.kernel.model import EPOCH, Entry, Key, Over, Retry, RunId, inward
from headrace.ports import Channel, Stores
from headrace.wire import channel as ch
from headrace.wire.channel import Hello, Holding, Operation, Push
from tests.engine.gates import Gates
from tests.engine.house import House
from tests.engine.worker import CAUSE

T = TypeVar("T")
EACH, RUNS, SENDERS, WORKERS = 6, 12, 2, 3
ROUNDS = EACH * SENDERS
POLICY = Retry(first_ms=100, jitter=False)


class Chancy(Gates):
    """Fails some writes, before or after they land, and some reads; some of them take long."""

    def __init__(self, dice: Random) -> None:
        super().__init__()
        self._dice, self.often = dice, 0.0
        self.failed = 0

    async def write(self, call: Callable[[], Awaitable[T]]) -> T:
        """Do the write, or fail it."""
        if self._dice.random() < 0.3:
            await asyncio.sleep(0)
        if self._dice.random() < self.often:
            self.failed += 1
            if self._dice.random() < 0.5:
                await call()
            raise Unavailable("by chance")
        return await call()

    async def read(self, call: Awaitable[T]) -> T:
        """Do the read, or fail it."""
        value = await call
        if self._dice.random() < self.often / 3:
            raise Unavailable("by chance")
        if self._dice.random() < 0.2:
            await asyncio.sleep(0)
        return value


@dataclass(slots=True)
class Held:
    """A run in the memory of a worker: a loop of a wait and a step, some rounds long."""

    run: str
    epoch: int
    entries: list[Entry]
    asked: list[Operation] = field(default_factory=list[Operation])

    def ask(self, dice: Random) -> list[Operation]:
        """Return what the code asks next."""
        known = {entry.key for entry in self.entries}
        run, epoch, seen = self.run, self.epoch, len(self.entries)
        for n in range(ROUNDS):
            wait, step = Key(f"/q#{n}"), Key(f"/s#{n}")
            if wait not in known:
                held, parks = dice.random() < 0.5, dice.random() < 0.7
                stands = ch.Standing(run, epoch, wait, "notes", held=held)
                return [stands, ch.Parked(run, epoch, seen)] if parks else [stands]
            if step not in known:
                if dice.random() < 0.05:
                    return [ch.Raised(run, epoch, CAUSE, POLICY, seen=seen)]
                entry = Entry(0, step, "step", "value", b"%d" % n, EPOCH)
                return [ch.Remembered(run, epoch, entry)]
        return [ch.Completed(run, epoch, b"1")]


@dataclass(slots=True)
class Play:
    """Everybody in it, and what went wrong. The `stores` are those that do not fail."""

    stores: Stores
    house: House
    gates: Chancy
    dice: Random
    runs: list[str] = field(default_factory=list[str])
    receipts: dict[tuple[str, bytes], int] = field(default_factory=dict[tuple[str, bytes], int])
    wrong: list[str] = field(default_factory=list[str])
    cuts: int = 0
    """How often a worker was cut off."""


class Player:
    """A worker that comes and goes, and sometimes forgets everything."""

    def __init__(self, play: Play, name: str) -> None:
        self._play, self._name = play, name
        self._held: dict[str, Held] = {}
        self.attachment = anyio.CancelScope()

    async def live(self) -> None:
        """Attach again and again."""
        while True:
            holdings = [Holding(h.run, h.epoch, len(h.entries)) for h in self._held.values()]
            hello = Hello(
                worker=self._name,
                version="1",
                tasks=("work",),
                slots=4,
                holdings=tuple(holdings),
            )
            try:
                with anyio.CancelScope() as self.attachment:
                    async with self._play.house.api.attach(hello) as channel:
                        await self._work(channel)
            except Unavailable:
                await asyncio.sleep(0)
            if self._play.dice.random() < 0.1:
                self._held.clear()
            await asyncio.sleep(0)

    async def _work(self, channel: Channel) -> None:
        channel.post([ch.Renewed(slots=4)])
        for held in self._held.values():
            channel.post(held.asked)
        async for batch in channel.pushes:
            for push in batch:
                self._hear(channel, push)

    def _hear(self, channel: Channel, push: Push) -> None:
        held = self._held.get(push.run)
        if isinstance(push, ch.Assigned):
            if held is not None and held.epoch == push.epoch:
                self._play.wrong.append(f"{push.run} was assigned twice in one epoch")
            fresh = self._held[push.run] = Held(push.run, push.epoch, list(push.entries))
            self._ask(channel, fresh)
        elif held is not None and held.epoch == push.epoch:
            self._go_on(channel, held, push)
        elif isinstance(push, ch.Told):
            self._play.wrong.append(f"{push.run} was told in an epoch that nobody holds")

    def _go_on(self, channel: Channel, held: Held, push: Push) -> None:
        match push:
            case ch.Told(entries=entries):
                if entries[0].n > len(held.entries):
                    self._play.wrong.append(f"{held.run}: entry {len(held.entries)} was left out")
                news = [entry for entry in entries if entry.n >= len(held.entries)]
                held.entries += news
                if news:
                    self._ask(channel, held)
            case ch.Refusal(code="unavailable"):
                channel.post(held.asked)
            case ch.Refusal(code=code):
                self._play.wrong.append(f"{held.run} was refused: {code}")
            case ch.Fenced() | ch.Ended():
                del self._held[held.run]
            case _:
                pass

    def _ask(self, channel: Channel, held: Held) -> None:
        held.asked = held.ask(self._play.dice)
        channel.post(held.asked)


async def _send(play: Play, run: str, name: int) -> None:
    """Send a few messages, each until it is acknowledged, sometimes once more."""
    for n in range(EACH):
        body = f'"{name}-{n}"'.encode()
        for _ in range(1 + (play.dice.random() < 0.2)):
            while (seq := await _receipt(play, run, body)) is None:  # noqa: ASYNC110 - it asks again
                await asyncio.sleep(0)
            if play.receipts.setdefault((run, body), seq) != seq:
                play.wrong.append(f"{run}: {body!r} stands at two places")


async def _receipt(play: Play, run: str, body: bytes) -> int | None:
    try:
        return (await play.house.api.send(run, "notes", body, key=body.decode())).seq
    except Unavailable:
        return None


async def _disturb(play: Play, players: list[Player]) -> None:
    """Let time pass, and workers be cut off."""
    while True:
        for _ in range(play.dice.randrange(20)):
            await asyncio.sleep(0)
        play.house.clock.advance(play.dice.choice((1, 20, 50, 200)))
        if play.dice.random() < 0.4:
            play.dice.choice(players).attachment.cancel()
            play.cuts += 1


async def soak(play: Play, often: float) -> None:
    """Play until every run is over, then look whether everything came out right."""
    for _ in range(RUNS):
        play.runs.append(await play.house.start(maxAttempts=1_000))
    play.gates.often = often
    players = [Player(play, f"worker{n}") for n in range(WORKERS)]
    async with anyio.create_task_group() as group:
        for player in players:
            group.start_soon(player.live)
        group.start_soon(_disturb, play, players)
        async with anyio.create_task_group() as senders:
            for run in play.runs:
                for name in range(SENDERS):
                    senders.start_soon(_send, play, run, name)
        while not await _is_over(play):  # noqa: ASYNC110 - the store does not tell
            await asyncio.sleep(0)
        group.cancel_scope.cancel()


async def _is_over(play: Play) -> bool:
    found = [await play.stores.runs.load(RunId(run)) for run in play.runs]
    return all(run is not None and isinstance(run.state, Over) for run in found)


async def judge(play: Play) -> list[str]:
    """Return what is wrong at the end."""
    wrong, stores = list(play.wrong), play.stores
    for run in play.runs:
        ident = RunId(run)
        journal = await stores.runs.journal(ident)
        taken = [entry.seq for entry in journal if entry.kind == "take"]
        if taken != list(range(ROUNDS)) or len(journal) != 2 * ROUNDS:
            wrong.append(f"{run} took {taken}")
        log = await stores.streams.read(ident, inward("notes"), 0, 1_000)
        if len(log) != ROUNDS:
            wrong.append(f"{run} holds {len(log)} messages")
        for (of, body), seq in play.receipts.items():
            if of == run and (seq >= len(log) or log[seq].body != body):
                wrong.append(f"{run}: {body!r} was acknowledged at {seq} and is not there")
    return wrong
