"""A worker whose task is three steps, each followed by a wait at which it saves and leaves.

Owns: what a life remembers, what it does again after a break, and what it leaves behind.
Must never know: which write fails.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import msgspec

from headrace.errors import Unavailable
from headrace.kernel.model import EPOCH, Entry, Key
from headrace.ports import Api, Channel
from headrace.wire import channel as c

ROUNDS: Final = 3
TASK: Final = "job"
STREAM: Final = "x"
_values = msgspec.json.Decoder(list[int]).decode


@dataclass(slots=True)
class World:
    """What the lives of a run leave behind."""

    drops: bool
    done: Counter[Key] = field(default_factory=Counter[Key])
    """How often each step was carried out."""
    left: int = -1
    """The latest round of which a worker has heard that it has left the run there."""
    restored: int = 0
    wrong: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class _Life:
    run: str
    epoch: int
    next_n: int
    got: list[int]
    """What the waits have given: all that the code knows, and what is saved of it."""
    restored: int = -1
    """The round at whose wait the code went on from a snapshot."""
    leaving: int = -1
    known: dict[Key, Entry] = field(default_factory=dict[Key, Entry])
    results: dict[Key, Entry] = field(default_factory=dict[Key, Entry])


class Again(Exception):
    """It is unknown what has happened: come back and ask."""


class Saver:
    """One process's worker."""

    def __init__(self, api: Api, name: str, world: World) -> None:
        self._api, self._name, self._world = api, name, world
        self._life: _Life | None = None
        self._channel: Channel | None = None

    async def run(self) -> None:
        """Work for ever."""
        while True:
            try:
                await self._attached()
            except (Again, Unavailable):
                continue

    async def _attached(self) -> None:
        life = self._life
        held = () if life is None else (c.Holding(life.run, life.epoch, life.next_n),)
        hello = c.Hello(worker=self._name, version="1", tasks=(TASK,), slots=1, holdings=held)
        async with self._api.attach(hello) as self._channel:
            if life is not None:
                self._go_on(life)
            async for batch in self._channel.pushes:
                for push in batch:
                    self._hear(push)

    def _hear(self, push: c.Push) -> None:
        life = self._life
        match push:
            case c.Assigned():
                self._begin(push)
            case c.Refusal(code="unavailable"):
                raise Again
            case c.Told(entries=entries) if life is not None and life.epoch == push.epoch:
                for entry in entries:
                    self._add(life, entry)
                self._go_on(life)
            case c.Ended() | c.Fenced() if life is not None and life.epoch == push.epoch:
                if isinstance(push, c.Ended):
                    self._world.left = max(self._world.left, life.leaving)
                self._life = None
            case _:
                pass

    def _begin(self, push: c.Assigned) -> None:
        if self._life is not None and self._life.epoch >= push.epoch:
            return
        got = _values(push.snapshot) if push.snapshot else []
        start = push.saved if push.snapshot else push.base
        self._world.restored += bool(push.snapshot)
        if push.base and not push.snapshot:
            self._world.wrong.append("the journal is gone, and so is the snapshot")
        if len(got) < self._world.left:
            self._world.wrong.append(f"left in round {self._world.left}, begun in {len(got)}")
        restored = len(got) if push.snapshot else -1
        life = self._life = _Life(push.run, push.epoch, start, got, restored)
        for entry in push.entries:
            self._add(life, entry)
        self._go_on(life)

    @staticmethod
    def _add(life: _Life, entry: Entry) -> None:
        if entry.n == life.next_n:  # else it was told before
            life.next_n += 1
            life.known[entry.key] = entry

    def _go_on(self, life: _Life) -> None:
        """Run the code as far as it goes, and ask for what it lacks."""
        while (number := len(life.got)) < ROUNDS:
            step, wait = Key(f"/step#{number}"), Key(f"/wait#{number}")
            if (answer := life.known.get(wait)) is not None:
                life.got.append(int(answer.body))
            elif step in life.known or life.restored == number:
                self._stand(life, wait)
                return
            else:
                self._post(c.Remembered(life.run, life.epoch, self._carried_out(life, step)))
                return
        self._post(c.Completed(life.run, life.epoch, msgspec.json.encode(life.got)))

    def _carried_out(self, life: _Life, step: Key) -> Entry:
        """Do the step, once in a life; after a break only its result is told again."""
        if step not in life.results:
            self._world.done[step] += 1
            life.results[step] = Entry(0, step, "step", "value", b"1", EPOCH)
        return life.results[step]

    def _stand(self, life: _Life, wait: Key) -> None:
        """Wait, and put the run away at once."""
        life.leaving = len(life.got)
        body = msgspec.json.encode(life.got)
        drops = self._world.drops
        self._post(
            c.Standing(life.run, life.epoch, wait, STREAM, held=True),
            c.Parked(life.run, life.epoch, life.next_n),
            c.Saved(life.run, life.epoch, life.next_n, body, drops=drops, leaves=True),
        )

    def _post(self, *operations: c.Operation) -> None:
        if self._channel is not None:
            self._channel.post(operations)
