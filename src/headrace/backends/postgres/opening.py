"""Opens the database and puts the ports together.

Owns: what a database has to be like, the clock's start, the life of the lanes.
Must never know: what is stored.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Final, TypeVar, cast

import anyio
import asyncpg

from headrace.backends.beside import beside
from headrace.backends.postgres.around import PostgresBlobs, PostgresCatalog, PostgresLeases
from headrace.backends.postgres.clock import HeardClock
from headrace.backends.postgres.creating import Creator
from headrace.backends.postgres.database import (
    PLAIN,
    Settings,
    connected,
    connection_of,
    fetched,
    parted,
    shown,
)
from headrace.backends.postgres.faults import REACH, TROUBLE, UNREACHED, is_gone, meaning
from headrace.backends.postgres.keys import PostgresCredentials
from headrace.backends.postgres.landing import Lander
from headrace.backends.postgres.lanes import Lane
from headrace.backends.postgres.lookups import Lookups
from headrace.backends.postgres.migrations import SCRIPTS, migrate, version_of
from headrace.backends.postgres.notes import PostgresNotebook, PostgresTaken
from headrace.backends.postgres.postponing import PostgresPostponing
from headrace.backends.postgres.queries import SQL
from headrace.backends.postgres.revisions import PostgresRevisions
from headrace.backends.postgres.runs import PostgresRuns, PostgresSnapshots, RunLooks
from headrace.backends.postgres.streams import Looks, PostgresStreams
from headrace.backends.postgres.waitpoints import PostgresWaitpoints
from headrace.backends.postgres.wakeups import PostgresWakeups
from headrace.backends.statements import Migrated, Told, nobody
from headrace.errors import Mistake
from headrace.ports import Clock, Stores

T = TypeVar("T")
if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

NOT_OURS: Final = (
    asyncpg.ProtocolViolationError,  # a pooler: "unsupported startup parameter"
    asyncpg.UndefinedObjectError,
    asyncpg.CantChangeRuntimeParamError,
    asyncpg.InvalidParameterValueError,
)
"""Whoever answers does not take the settings of a session."""


EAR: Final = "headrace: listening"
LOOKED_UP: Final = (
    "select_run",
    "select_entries",
    "select_order",
    "select_notes",
    "select_records",
    "select_known",
    "select_all_ends",
    "select_sight",
)
LANES: Final = 2
"""Creations and landings, each a group at a time."""
EXTRA: Final = LANES + 1
"""Connections beside those that the URL speaks of: these, and the one that listens."""


@asynccontextmanager
async def open_postgres(
    dsn: str,
    *,
    clock: Clock | None = None,
    settings: Settings | None = None,
    migrating: bool = True,
) -> AsyncGenerator[Stores]:
    """Open the store in the database at `dsn`.

    `migrating`: bring its schema up to the present; else it has to be.
    """
    dsn, settings = parted(dsn, settings or Settings())
    settings, start = await _prepared(dsn, settings, migrating=migrating)
    heard = HeardClock(start)
    writing = replace(settings, connections=LANES)  # nobody who reads is in their way
    async with connected(dsn, settings) as database, connected(dsn, writing) as lanes:
        number = (await database.run(SQL["next_number"], ("server",)))[0][0]
        creations, landings = Lane(lanes, Creator(heard)), Lane(lanes, Lander(heard))
        wakeups = PostgresWakeups(
            database,
            heard,
            name=f"server-{cast('int', number)}",
            connect=None if settings.pooler else lambda: connection_of(dsn, settings, name=EAR),
            written=lambda: creations.groups + landings.groups,
        )
        looks = {name: Lookups(database, name) for name in LOOKED_UP}
        services = (creations.run, landings.run, wakeups.hear, wakeups.tell)
        async with beside(*services, *(each.run for each in looks.values())):
            yield Stores(
                runs=PostgresRuns(database, creations, landings, _run_looks(looks)),
                revisions=PostgresRevisions(database),
                notebook=PostgresNotebook(database, looks["select_notes"]),
                taken=PostgresTaken(database),
                postponing=PostgresPostponing(database, Lander(heard)),
                snapshots=PostgresSnapshots(database),
                streams=PostgresStreams(database, landings, _looks(looks)),
                waitpoints=PostgresWaitpoints(database, clock),
                leases=PostgresLeases(database, heard),
                catalog=PostgresCatalog(database),
                wakeups=wakeups,
                blobs=PostgresBlobs(database),
                credentials=PostgresCredentials(database),
                clock=heard if clock is None else clock,
            )


def _run_looks(looks: Mapping[str, Lookups]) -> RunLooks:
    return RunLooks(looks["select_run"], looks["select_order"], looks["select_entries"])


def _looks(looks: Mapping[str, Lookups]) -> Looks:
    return Looks(
        looks["select_records"],
        looks["select_known"],
        looks["select_all_ends"],
        looks["select_sight"],
    )


async def migrate_postgres(dsn: str, told: Told = nobody) -> Migrated:
    """Bring the schema of the database up to the present."""
    dsn, settings = parted(dsn, Settings())

    async def work(connection: Connection) -> int:
        await _checked(connection, shown(dsn))
        return await migrate(connection, told=told)

    _, before = await reached(dsn, settings, work)
    return Migrated(before, len(SCRIPTS))


async def _prepared(dsn: str, settings: Settings, *, migrating: bool) -> tuple[Settings, int]:
    """Migrate; return how the database is to be used, and where time starts."""

    async def work(connection: Connection) -> int:
        await _checked(connection, shown(dsn))
        await _at_present(connection, shown(dsn), migrating=migrating)
        return cast("int", (await fetched(connection, SQL["select_start"], ()))[0][0])

    return await reached(dsn, settings, work)


async def reached(
    dsn: str, settings: Settings, work: Callable[[Connection], Awaitable[T]]
) -> tuple[Settings, T]:
    """Do `work` on a connection of its own; return how the database is to be used, as well.

    Whether a pooler is between is noticed here, and while nobody answers it is tried again.
    """
    end, pause = perf_counter() + settings.patience_s, 0.02
    while True:
        try:
            async with connection_of(dsn, settings, is_unhurried=True) as connection:
                if settings.pooler or settings.is_said or await _keeps_settings(connection):
                    return settings, await work(connection)
            settings = replace(settings, pooler=True)
        except NOT_OURS as error:
            if settings.pooler:
                hint = "Check the options in its URL."
                why = f"the database {shown(dsn)} refuses an option: {error}"
                raise Mistake(why, hint=hint) from error
            settings = replace(settings, pooler=True)
        except TROUBLE as error:
            if not is_gone(error) or perf_counter() > end:
                raise meaning(error, shown(dsn), lost=UNREACHED, again=REACH) from error
            await anyio.sleep(pause)
            pause = min(pause * 2, 0.5)


async def _keeps_settings(connection: Connection) -> bool:
    """Tell whether what was asked for when connecting holds; a pooler may take it and forget it."""
    try:
        rows = await fetched(connection, SQL["select_settings"], (list(PLAIN),))
    except (asyncpg.SyntaxOrAccessError, asyncpg.FeatureNotSupportedError):
        return False  # no Postgres, but something that speaks as one
    return dict(cast("list[tuple[str, str | None]]", rows)) == PLAIN


async def _checked(connection: Connection, place: str) -> None:
    """Refuse a database that loses what it has acknowledged."""
    try:
        rows = await fetched(connection, "SHOW synchronous_commit", ())
    except asyncpg.UndefinedObjectError:
        return  # no Postgres, but something that speaks as one
    if rows[0][0] == "off":
        raise Mistake(
            f"the database {place} acknowledges commits before they are on disk",
            hint="Set synchronous_commit = on, for the server or for the user of headrace.",
        )


async def _at_present(connection: Connection, place: str, *, migrating: bool) -> None:
    if migrating:
        await migrate(connection)
        return
    version = await version_of(connection) or 0
    if version < len(SCRIPTS):
        raise Mistake(
            f"the schema of {place} is {version}, this headrace needs {len(SCRIPTS)}",
            hint="Run `headrace db migrate`; servers may go on meanwhile.",
        )
