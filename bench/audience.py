"""Whoever follows runs, by kind and by run, and what each has heard.

Owns: who follows what, and how long each message took to each of them.
Must never know: any framing, or how messages are sent.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from bench.listeners import Listener, Poll, Stream
from bench.samples import quantile
from bench.subscribers_page import Lateness
from bench.work.subscribers import told, words

EACH_RUN: Final = 10
"""Subscriptions of one run: of the run 4, of its tag 1, of its output 3, of its input 2."""
TAGGED: Final = 5
"""Runs with the same tag."""
PATIENCE_S: Final = 60.0
RUN, TAG, OUTPUT, INPUT = "polls of a run", "polls of a tag", "output streams", "input streams"
KINDS: Final = (RUN, TAG, OUTPUT, INPUT)


@dataclass(slots=True, eq=False)
class Message:
    """What was sent, when, and whom it has not reached."""

    sent: int
    awaited: set[Listener]
    arrived: asyncio.Event = field(default_factory=asyncio.Event)


class Audience:
    """All who follow the runs of a server."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key
        self._kinds: dict[Listener, str] = {}
        self._follow: dict[tuple[str, str], set[Listener]] = {}
        self._messages: dict[bytes, Message] = {}
        self._took_ms: dict[str, list[float]] = {}

    @property
    def kinds(self) -> dict[str, int]:
        """Return how many there are of each kind."""
        every = list(self._kinds.values())
        return {kind: every.count(kind) for kind in KINDS}

    async def enter(self, kind: str, runs: Sequence[str], path: str) -> None:
        """Follow these runs until further notice."""
        make = Poll if kind in {RUN, TAG} else Stream
        where = urlsplit(self._url)
        _, listener = await asyncio.get_running_loop().create_connection(
            lambda: make(path, self._key, self._hear), where.hostname or "", where.port or 0
        )
        async with asyncio.timeout(PATIENCE_S):
            await listener.follows
        self._kinds[listener] = kind
        for run in runs:
            self._follow.setdefault((kind, run), set()).add(listener)

    def expect(self, run: str, kinds: Iterable[str], at: int) -> tuple[str, Message]:
        """Return a mark to be sent now, which whoever follows the run in these ways must hear."""
        awaited = set[Listener]().union(*(self._follow.get((kind, run), ()) for kind in kinds))
        mark, message = f"mark-{len(self._messages):07}", Message(at, awaited)
        if not awaited:
            message.arrived.set()
        self._messages[mark.encode()] = message
        return mark, message

    def _hear(self, who: Listener, mark: bytes, at: int) -> None:
        """Note that somebody has heard of a message, the first time."""
        message = self._messages.get(mark)
        if message is None or who not in message.awaited:
            return
        message.awaited.discard(who)
        self._took_ms.setdefault(self._kinds[who], []).append((at - message.sent) / 1e6)
        if not message.awaited:
            message.arrived.set()

    @property
    def lost(self) -> int:
        """Return how often a message has not reached somebody."""
        return sum(len(message.awaited) for message in self._messages.values())

    def lateness(self) -> dict[str, Lateness]:
        """Return how late messages were, by kind."""
        took = self._took_ms
        found = {kind: late(took[kind]) for kind in KINDS if kind in took}
        return {**found, "all": late([each for some in took.values() for each in some])}

    def leave(self) -> int:
        """Let all go away; return how many the server had sent away before."""
        broken = [listener.broke for listener in self._kinds if listener.broke]
        for listener in self._kinds:
            listener.close()
        for why in broken[:3]:
            print(why, file=sys.stderr)
        self._kinds.clear()
        self._follow.clear()
        return len(broken)


def plan(runs: Sequence[str], count: int) -> list[tuple[str, Sequence[str], str]]:
    """Say who follows which runs, and where."""
    entries = list[tuple[str, Sequence[str], str]]()
    for number, run in enumerate(runs):
        group = number // TAGGED
        fellows = runs[group * TAGGED : (group + 1) * TAGGED]
        streams = f"/realtime/v1/streams/{run}"
        entries += [(RUN, [run], f"/realtime/v1/runs/{run}")] * 4
        entries += [(TAG, fellows, f"/realtime/v1/runs?tags={tag(number)}")]
        entries += [(OUTPUT, [run], f"{streams}/{words.id}")] * 3
        entries += [(INPUT, [run], f"{streams}/input/{told.id}")] * 2
    return entries[:count]


def tag(number: int) -> str:
    """Return the tag of a run."""
    return f"group-{number // TAGGED}"


def late(taken_ms: Sequence[float]) -> Lateness:
    """Sum up."""
    if not taken_ms:
        return Lateness(0, 0.0, 0.0, 0.0)
    p50, p99 = quantile(taken_ms, 0.5), quantile(taken_ms, 0.99)
    return Lateness(len(taken_ms), p50, p99, max(taken_ms))
