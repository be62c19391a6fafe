"""How Redis is asked: a few connections, short patience, and a rest after each failure.

Owns: the pool, the patience, how well it went last. Must never know: what is asked.

Rule: Redis only saves time, so it may never cost much. Who gets no answer in time (`ANSWER_S`) goes
on without one, and for `REST_S` nobody asks again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol, cast

import anyio
from redis.asyncio import Connection, ConnectionPool, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError

from headrace.backends.redis.faults import TROUBLE, is_gone, meaning
from headrace.backends.redis.place import Place
from headrace.errors import HeadraceError, Unavailable

CONNECTIONS: Final = 8
ANSWER_S: Final = 0.25
REST_S: Final = 1.0

Part = str | bytes | int


class _Client(Protocol):
    """The one verb of the driver's client that is used."""

    async def execute_command(self, *parts: Part) -> object: ...


class Script:
    """A script that Redis runs as one step."""

    def __init__(self, text: str) -> None:
        self.text = text
        # Redis itself names scripts so; nothing secret is hidden behind it.
        self.name = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class Link:
    """Asks Redis."""

    def __init__(self, pool: ConnectionPool, place: Place, patience_s: float) -> None:
        self._place, self._patience_s = place, patience_s
        # The driver says nothing about the types of these two.
        self._asked = cast("_Client", Redis.from_pool(pool)).execute_command
        self._made = cast("Callable[[], Connection]", pool.make_connection)
        # The driver's pool that waits for a free connection takes half as long as the question.
        self._room = asyncio.Semaphore(CONNECTIONS)
        self._rested = 0.0
        self._trouble: HeadraceError | None = None
        self.failures = 0
        """How many questions had no answer, or a refusal."""

    @property
    def trouble(self) -> str:
        """Return what was wrong when Redis was asked last; nothing if all was well."""
        return str(self._trouble or "")

    async def ask(self, *parts: Part) -> object:
        """Return the answer; `Unavailable`, whatever the matter is."""
        if self._trouble is not None and anyio.current_time() < self._rested:
            self.failures += 1
            raise Unavailable(self._trouble.message, hint=self._trouble.hint)
        try:
            answer = await self.tried(*parts, patience_s=self._patience_s)
        except NoScriptError:
            raise  # nothing is wrong: it was started again, or somebody emptied it
        except TROUBLE as error:
            self.failures += 1
            self._trouble = wrong = meaning(error, self._place)
            if is_gone(error):
                self._rested = anyio.current_time() + REST_S
            raise Unavailable(wrong.message, hint=wrong.hint) from error
        self._trouble = None
        return answer

    async def run(self, script: Script, key: str, *values: Part) -> object:
        """Run the script, which Redis may have forgotten."""
        try:
            return await self.ask("EVALSHA", script.name, 1, key, *values)
        except NoScriptError:
            return await self.ask("EVAL", script.text, 1, key, *values)

    async def tried(self, *parts: Part, patience_s: float) -> object:
        """Return the answer, or raise what the driver does."""
        async with asyncio.timeout(patience_s), self._room:
            # A command that is cut off closes its connection: nobody else gets its answer.
            return await self._asked(*parts)

    @asynccontextmanager
    async def connection(self, patience_s: float) -> AsyncGenerator[Connection]:
        """Open a connection of one's own, and close it."""
        connection = self._made()
        connect = cast("Callable[[], Awaitable[None]]", connection.connect)
        try:
            async with asyncio.timeout(patience_s):
                await connect()
            yield connection
        finally:
            with anyio.CancelScope(shield=True):
                await connection.disconnect(nowait=True)


@asynccontextmanager
async def linked(place: Place, patience_s: float) -> AsyncGenerator[Link]:
    """Open the connections when they are needed; close them in the end."""
    options: dict[str, Any] = {
        "host": place.host,
        "port": place.port,
        "db": place.db,
        "username": place.user,
        "password": place.password,
        "client_name": "headrace",
        "driver_info": None,  # says which Python this is; not theirs to know
        "protocol": 2,  # what everything that speaks as Redis understands
        "retry": Retry(NoBackoff(), 0),  # who asks decides that
        "socket_connect_timeout": 1.0,
        "socket_timeout": None,
    }
    if place.tls:
        options["ssl_ca_certs"] = place.ca_file
    pool = ConnectionPool(
        max_connections=CONNECTIONS,
        connection_class=SSLConnection if place.tls else Connection,
        **options,
    )
    try:
        yield Link(pool, place, patience_s)
    finally:
        with anyio.move_on_after(1, shield=True):
            await pool.disconnect()
