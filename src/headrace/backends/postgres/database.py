"""Connections, typed, and how they heal.

Owns: how a database is reached, for how long that is tried, and which work is done once more.
Must never know: any query.

Rule 1: while nothing can be reached, nothing has happened: it is tried until patience ends.
Rule 2: a read whose answer is lost is asked once more; of a write it is told that it is lost.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast
from urllib.parse import parse_qsl, urlencode

import anyio
import asyncpg

from headrace.backends.beside import beside
from headrace.backends.postgres.faults import AGAIN, BROKEN, TROUBLE, UNREACHED, is_gone, meaning
from headrace.backends.postgres.url import well_formed
from headrace.backends.postgres.vigil import Vigil
from headrace.backends.rows import Row
from headrace.errors import Mistake, Unavailable

if TYPE_CHECKING:
    from asyncpg.pool import Pool, PoolConnectionProxy

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
T = TypeVar("T")
AGAIN_AT_MOST: Final = 20
"""Times that work which got into another's way is done once more."""
ASIDE: Final = "headrace: looking after a connection"
LOST: Final = "was lost before it answered; it may or may not have happened"
CLOSE_S: Final = 2.0
COMMAND_S: Final = 20.0
"""No statement takes that long, unless the network swallows what is sent."""
CONNECT_S: Final = 2.0
"""One try to connect; a first packet that was lost is sent again after 1 s, then after 2 more."""
ASKING_S: Final = 0.8
PLAIN: Final = {
    "jit": "off",  # compiling costs more than any statement here
    "enable_seqscan": "off",  # a plan outlives the time when its table was a page long
    "plan_cache_mode": "force_generic_plan",  # planning the great statements costs a millisecond
}
"""Settings of a session; behind a pooler there are none, and everything works without."""
STATEMENTS_S: Final = 30
"""How long a plan is kept: that of a table when it was empty is no good when it is not."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a database is used; the options of the same names in its URL say so as well."""

    connections: int = 10
    """At most, beside those that write groups and the one that listens."""
    pooler: bool = False
    """A transaction pooler is between: no prepared statements, no LISTEN, no settings."""
    patience_s: float = 5.0
    """How long the database may be out of reach before its users are told."""
    is_said: bool = False
    """Whether it was said that there is a pooler, or none: then nobody has to find out."""


def parted(dsn: str, settings: Settings) -> tuple[str, Settings]:
    """Take our own options out of the URL."""
    well_formed(dsn)
    place, _, query = dsn.partition("?")
    options, rest = dict[str, str](), list[tuple[str, str]]()
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in {"pooler", "connections"}:
            options[name] = value
        else:
            rest.append((name, value))
    pooler = options.get("pooler", "transaction" if settings.pooler else "none")
    connections = options.get("connections", str(settings.connections))
    if pooler not in {"transaction", "session", "none"}:
        raise Mistake(f"pooler={pooler} is unknown", hint="It is transaction, session or none.")
    if not connections.isdecimal() or int(connections) < 1:
        raise Mistake(f"connections={connections} is no number of connections")
    is_said = settings.is_said or "pooler" in options
    read = Settings(int(connections), pooler == "transaction", settings.patience_s, is_said)
    return f"{place}?{urlencode(rest)}" if rest else place, read


def shown(dsn: str) -> str:
    """Return the URL without its secrets."""
    scheme, _, rest = dsn.partition("?")[0].partition("://")
    user, _, path = rest.partition("/")
    return f"{scheme}://{user.rpartition('@')[2]}/{path}"


class Database:
    """The connections of one process to one database."""

    def __init__(
        self, pool: Pool[asyncpg.Record], settings: Settings, place: str, vigil: Vigil
    ) -> None:
        self._pool, self.place, self._vigil = pool, place, vigil
        self._patience_s = settings.patience_s

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        """Lend a connection that was there a moment ago."""
        connection = await self._reached()
        try:
            with self._vigil.over(connection):
                yield connection
        finally:
            await self._pool.release(connection)

    async def _reached(self) -> PoolConnectionProxy[asyncpg.Record]:
        end, pause = perf_counter() + self._patience_s, 0.01
        while True:
            try:
                return await self._pool.acquire()
            except TROUBLE as error:
                if not is_gone(error) or perf_counter() > end:
                    raise meaning(error, self.place, lost=UNREACHED) from error
            await anyio.sleep(pause)
            pause = min(pause * 2, 0.25)

    async def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Look something up."""
        end = perf_counter() + self._patience_s
        while True:
            try:
                async with self.connection() as connection:
                    return await fetched(connection, sql, values)
            except (*AGAIN, *TROUBLE) as error:
                is_worth_it = is_gone(error) or isinstance(error, AGAIN)
                if not is_worth_it or perf_counter() > end:
                    raise meaning(error, self.place) from error
            await anyio.sleep(0.005)

    async def run(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Write by one statement, which is a transaction; return its rows."""
        return await self.call(lambda connection: fetched(connection, sql, values))

    async def transact(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do `work` in a transaction, again from its beginning if another is in its way."""

        async def whole(connection: Connection) -> T:
            async with connection.transaction(isolation="read_committed"):
                return await work(connection)

        return await self.call(whole)

    async def call(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do `work`, again if another is in its way; a transaction is its own business."""
        for tried in range(AGAIN_AT_MOST):
            try:
                async with self.connection() as connection:
                    return await work(connection)
            except AGAIN:
                await anyio.sleep(0.001 * tried)
            except BROKEN:
                raise
            except TROUBLE as error:
                raise meaning(error, self.place, lost=LOST if is_gone(error) else "") from error
        raise busy(self.place)


def busy(place: str) -> Unavailable:
    """Say that others were always faster."""
    return Unavailable(f"the database {place} is written to by too many at once", hint="Try again.")


async def fetched(connection: Connection, sql: str, values: Sequence[object]) -> list[Row]:
    """Run one statement; return its rows."""
    # A record is iterated, indexed and unpacked as a tuple is.
    return cast("list[Row]", await connection.fetch(sql, *values))


def reaching(
    settings: Settings, *, name: str = "headrace", is_unhurried: bool = False
) -> dict[str, object]:
    """Return how asyncpg is to connect, and as whom.

    Who `is_unhurried` waits for any statement, and keeps none: there may be a pooler.
    """
    session = {"application_name": name}
    return {
        "timeout": min(CONNECT_S, settings.patience_s),
        "command_timeout": None if is_unhurried else COMMAND_S,
        "statement_cache_size": 0 if settings.pooler or is_unhurried else 100,
        "max_cached_statement_lifetime": STATEMENTS_S,
        "server_settings": session if settings.pooler else session | PLAIN,
    }


@asynccontextmanager
async def connection_of(
    dsn: str,
    settings: Settings,
    *,
    name: str = "headrace",
    is_unhurried: bool = False,
    connect_s: float = CONNECT_S,
) -> AsyncGenerator[asyncpg.Connection[asyncpg.Record]]:
    """Open a connection of its own."""
    options = reaching(settings, name=name, is_unhurried=is_unhurried) | {"timeout": connect_s}
    # asyncpg names each option; they are one thing to us.
    connection = await asyncpg.connect(dsn, **cast("Any", options))
    try:
        yield connection
    finally:
        if connection.is_closed():
            connection.terminate()
        else:
            with anyio.move_on_after(1, shield=True):
                await connection.close()
            connection.terminate()


@asynccontextmanager
async def connected(dsn: str, settings: Settings) -> AsyncGenerator[Database]:
    """Open the connections; at the end they are closed, and what hangs then is cut off."""

    async def leave(_: object) -> None:
        """Leave a connection as it is: whoever has used it has left nothing behind."""

    pool = asyncpg.create_pool(
        dsn,
        min_size=0,
        max_size=settings.connections,
        max_queries=2**31,
        reset=leave,
        **cast("Any", reaching(settings)),  # asyncpg names each; they are one thing to us
    )
    vigil = Vigil(lambda: connection_of(dsn, settings, name=ASIDE, connect_s=ASKING_S))
    # Behind a pooler no connection is a session that the database could be asked about.
    async with pool, beside(*(() if settings.pooler else (vigil.run,))):
        try:
            yield Database(pool, settings, shown(dsn), vigil)
        finally:
            with anyio.CancelScope(shield=True):
                with anyio.move_on_after(CLOSE_S):
                    await pool.close()
                pool.terminate()
