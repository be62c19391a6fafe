"""Hints in Postgres: at once within the process, by NOTIFY to other processes, and what time it is.

Owns: the connection that listens; who else is there to be told.
Must never know: what follows from a hint.

Rule 1: a hint only saves work. While the connection is lost, all who listen are told to look for
        themselves after each try to have it back: every second, or every six where something takes
        connections and gives no answer. Nobody depends on that: engines look again by themselves.
Rule 2: no hint is worth a server: whatever goes wrong here is told once, and tried again.
Rule 3: who is alone tells nobody: every NOTIFY is a commit, and they wait for each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio
import msgspec

from headrace.backends.broadcast import Broadcast
from headrace.backends.postgres.clock import HeardClock
from headrace.backends.postgres.complaint import Complaint
from headrace.backends.postgres.database import Connection, Database, fetched
from headrace.backends.postgres.faults import TROUBLE
from headrace.backends.postgres.queries import SQL
from headrace.errors import HeadraceError, Trouble
from headrace.kernel.model import RunId, later
from headrace.ports import ANYTHING

if TYPE_CHECKING:
    import asyncpg

Connect: TypeAlias = "Callable[[], AbstractAsyncContextManager[asyncpg.Connection[asyncpg.Record]]]"
CHANNEL: Final = "headrace"
BEAT_S: Final = 1.0
PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 0.8
"""Between two looks while nobody can be heard."""
ANSWER_S: Final = 2.0
"""A connection that gives no answer for so long is lost."""
PRESENCE_MS: Final = 15_000
BEATS_TO_RENEW: Final = 5
MESSAGE_BYTES: Final = 7_000
PENDING_AT_MOST: Final = 10_000


class Message(msgspec.Struct, frozen=True, array_like=True):
    """What is sent: by whom, and about which runs; none: "I am here"."""

    sender: str
    runs: tuple[RunId, ...] = ()


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Message).decode


def messages(sender: str, runs: Iterable[RunId]) -> Iterator[str]:
    """Yield as few messages as hold all of `runs`; what no message holds is told as `ANYTHING`."""
    some, size = list[RunId](), 0
    for run_id in runs:
        told, length = run_id, len(_encode(run_id)) + 1
        if length > MESSAGE_BYTES:
            told, length = ANYTHING, len(_encode(ANYTHING)) + 1
        if some and size + length > MESSAGE_BYTES:
            yield _encode(Message(sender, tuple(some))).decode()
            some, size = [], 0
        some.append(told)
        size += length
    yield _encode(Message(sender, tuple(some))).decode()


class PostgresWakeups:
    """The `Wakeups` port. `connect` opens the connection that listens, if one can."""

    def __init__(
        self,
        database: Database,
        clock: HeardClock,
        *,
        name: str,
        connect: Connect | None,
        written: Callable[[], int],
    ) -> None:
        self._database, self._clock, self._name = database, clock, name
        self._connect, self._written = connect, written
        self._broadcast = Broadcast()
        self._pending: dict[RunId, None] = {}
        self._filled = asyncio.Event()
        self._has_others, self._heard_of = False, 0
        self._stamped = self._beats = 0
        self._mute = Complaint("other servers cannot be told what is done here")
        self._deaf = Complaint("what other servers do cannot be heard")

    async def announce(self, run_id: RunId, by: str = "") -> None:
        """Say that something about the run has changed."""
        self._broadcast.tell(run_id, by)
        if self._has_others:
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
                await self._database.run(SQL["notify"], (list(messages(self._name, told)),))
            except Exception as error:  # noqa: BLE001 - a hint is worth no server
                self._mute.about(error)
                self._pending = told | self._pending
                if len(self._pending) > PENDING_AT_MOST or not isinstance(error, Trouble):
                    self._pending = {ANYTHING: None}
                self._filled.set()
                await anyio.sleep(PAUSE_S)
            else:
                self._mute.over()

    async def hear(self) -> None:
        """Listen, and again whenever the connection was lost; until cancelled."""
        pause = PAUSE_S
        try:
            while True:
                try:
                    await (self._looked() if self._connect is None else self._heard(self._connect))
                except Exception as error:  # noqa: BLE001 - who hears nothing looks
                    self._deaf.about(error)
                    self._broadcast.tell(ANYTHING)
                pause = PAUSE_S if self._beats else min(pause * 2, LONGEST_PAUSE_S)
                self._beats = 0
                await anyio.sleep(pause)
        finally:
            await self._leave()

    async def _heard(self, connect: Connect) -> None:
        """Hear what others tell, as long as the connection holds."""
        async with connect() as connection:
            async with asyncio.timeout(ANSWER_S):
                await connection.add_listener(CHANNEL, self._notified)
            while True:
                async with asyncio.timeout(ANSWER_S):
                    await self._beat(connection)
                if self._beats == 1:
                    self._broadcast.tell(ANYTHING)  # nobody knows what was told meanwhile
                await anyio.sleep(BEAT_S)

    async def _looked(self) -> None:
        """Look for ourselves: behind a pooler nobody is told."""
        while True:
            async with self._database.connection() as connection:
                await self._beat(connection)
            if self._has_others or self._beats == 1:
                self._broadcast.tell(ANYTHING)
            await anyio.sleep(LONGEST_PAUSE_S)

    async def _beat(self, connection: Connection) -> None:
        """Say that we are here, ask who else is, and what time it is; note how late it is."""
        now, beats = self._clock.now(), self._beats
        if beats % BEATS_TO_RENEW == 0:
            values = (self._name, later(now, PRESENCE_MS))
            await fetched(connection, SQL["upsert_listener"], values)
        if beats == 0:
            await fetched(connection, SQL["notify"], (list(messages(self._name, ())),))
        if (written := self._written()) != self._stamped:
            await fetched(connection, SQL["stamp_meta"], (now,))
            self._stamped = written
        heard = self._heard_of
        rows = await fetched(connection, SQL["select_others"], (self._name, now))
        others, told = rows[0]
        # Who was heard while this was asked may have come too late to be in the answer.
        self._has_others = bool(others) or self._heard_of != heard
        self._clock.hear(int(told or 0))
        self._beats += 1
        self._deaf.over()

    def _notified(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        try:
            message = _decode(str(payload))
        except msgspec.DecodeError:
            message = Message("", (ANYTHING,))  # of a newer server, perhaps
        if message.sender != self._name:
            self._has_others = True
            self._heard_of += 1
            for run_id in message.runs:
                self._broadcast.tell(run_id)

    async def _leave(self) -> None:
        """Tell the others by leaving no row; who cannot is forgotten before long."""
        with anyio.move_on_after(ANSWER_S / 2, shield=True):
            try:
                async with self._database.connection() as connection:
                    values = (self._name, later(self._clock.now(), -PRESENCE_MS))
                    await fetched(connection, SQL["delete_listeners"], values)
            except (*TROUBLE, HeadraceError):
                return
