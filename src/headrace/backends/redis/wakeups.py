"""Hints by Redis: at once within the process, by a channel to other processes.

Owns: the connection that listens; what has not been told yet.
Must never know: what follows from a hint.

Rule: a hint only saves work. While the connection is lost, all who listen are told to look for
themselves after each try to have it back: every second, or every five where something takes
connections and gives no answer; and once more when it is back, since nobody knows what was told
meanwhile. Nobody depends on that: engines look again by themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import asynccontextmanager
from typing import Final, TypeAlias, cast

import anyio
import msgspec
from redis.asyncio import Connection

from headrace.backends.broadcast import Broadcast
from headrace.backends.redis.faults import TROUBLE
from headrace.backends.redis.link import Link
from headrace.errors import Unavailable
from headrace.kernel.model import RunId
from headrace.ports import ANYTHING

BEAT_S: Final = 1.0
"""After so long a silence it is asked whether anybody is there."""
ANSWER_S: Final = 2.0
PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 0.8
RUNS_AT_ONCE: Final = 500
PENDING_AT_MOST: Final = 10_000


Read: TypeAlias = "Callable[..., Awaitable[Sequence[bytes] | None]]"
"""What is heard on a channel: what it is, the channel, and the message."""


class Message(msgspec.Struct, frozen=True, array_like=True):
    """What is sent: by whom, and about which runs."""

    sender: str
    runs: tuple[RunId, ...]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Message).decode


def messages(sender: str, runs: Iterable[RunId]) -> Iterator[bytes]:
    """Yield messages of moderate size about all the runs."""
    every = tuple(runs)
    for start in range(0, len(every), RUNS_AT_ONCE):
        yield _encode(Message(sender, every[start : start + RUNS_AT_ONCE]))


class RedisWakeups:
    """The `Wakeups` port. `channel` is of all databases of a Redis; `name` of one process."""

    def __init__(self, link: Link, channel: str, name: str) -> None:
        self._link, self._channel, self._name = link, channel, name
        self._broadcast = Broadcast()
        self._pending: dict[RunId, None] = {}
        self._filled = asyncio.Event()
        self.hearing = asyncio.Event()
        """Set while other processes are heard."""

    async def announce(self, run_id: RunId, by: str = "") -> None:
        """Say that something about the run has changed."""
        self._broadcast.tell(run_id, by)
        self._pending[run_id] = None
        self._filled.set()

    @asynccontextmanager
    async def listen(self, but: str = "") -> AsyncGenerator[AsyncIterator[RunId]]:
        """Hear what is announced from now on, in this process or another; not by `but`."""
        async with self._broadcast.listen(but) as hints:
            yield hints

    async def tell(self) -> None:
        """Pass on to other processes whatever waits to be told; until cancelled."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            told, self._pending = self._pending, {}
            try:
                for message in messages(self._name, told):
                    await self._link.ask("PUBLISH", self._channel, message)
            except Unavailable:
                self._pending = told | self._pending
                if len(self._pending) > PENDING_AT_MOST:
                    self._pending = {ANYTHING: None}
                self._filled.set()
                await anyio.sleep(PAUSE_S)

    async def hear(self) -> None:
        """Listen, and again whenever the connection was lost; until cancelled."""
        pause = PAUSE_S
        while True:
            try:
                await self._heard()
            except TROUBLE:
                pause = PAUSE_S if self.hearing.is_set() else min(pause * 2, LONGEST_PAUSE_S)
            self.hearing.clear()
            self._broadcast.tell(ANYTHING)
            await anyio.sleep(pause)

    async def _heard(self) -> None:
        """Hear what others tell, as long as the connection holds."""
        async with self._link.connection(ANSWER_S) as connection:
            async with asyncio.timeout(ANSWER_S):
                await connection.send_command("SUBSCRIBE", self._channel)
                await connection.read_response()
            self.hearing.set()
            self._broadcast.tell(ANYTHING)
            while True:
                await self._heard_once(connection)

    async def _heard_once(self, connection: Connection) -> None:
        """Hear one message; after a silence ask for an answer, which is a message as well."""
        # The driver's own limit leaves a message that has come in part where it is.
        read = cast("Read", connection.read_response)
        answer = await read(timeout=BEAT_S, disconnect_on_error=False)
        if answer is None:
            async with asyncio.timeout(ANSWER_S):
                await connection.send_command("PING")
                answer = await read()
        if answer is not None and answer[0] == b"message":
            self._told(answer[2])

    def _told(self, body: bytes) -> None:
        try:
            message = _decode(body)
        except msgspec.DecodeError:
            message = Message("", (ANYTHING,))  # of a newer server, perhaps
        if message.sender != self._name:
            for run_id in message.runs:
                self._broadcast.tell(run_id)
