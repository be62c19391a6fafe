"""Where the measured servers keep things: a file, or a Postgres, a Redis and an S2 of our own.

Owns: what a place is called, the servers behind it, and a fresh corner of them for each house.
Must never know: what is measured.

Rule: who sends shares the processor with what is measured, so drivers are loaded where they are
      used: what lies in memory costs each look of the garbage collector.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Collection, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.s2.lite import Lite
    from tests.services.postgres import Postgres
    from tests.services.redis import RedisServer

SQLITE: Final = "sqlite"
PLACES: Final = (SQLITE, "postgres", "postgres+redis", "postgres+s2", "postgres+redis+s2")
BASIN: Final = "headrace-bench"


@dataclass(frozen=True, slots=True)
class Corner:
    """What one house has of a place: where it is, and the processes behind it."""

    on: str = SQLITE
    database: str = ""
    redis: str = ""
    streams: str = ""
    behind: Mapping[str, int] = field(default_factory=dict[str, int])
    """By name, the first process of each server that is no part of Headrace."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Return what `headrace serve` is told."""
        said = {
            "HEADRACE_DATABASE": self.database,
            "HEADRACE_REDIS": self.redis,
            "HEADRACE_STREAMS": self.streams,
        }
        return {name: value for name, value in said.items() if value}


ON_A_FILE: Final = Corner()


@dataclass(frozen=True, slots=True)
class Ground:
    """The servers that run. Made by `laid_out`."""

    postgres: Postgres | None
    redis: RedisServer | None
    lite: Lite | None
    _corners: count[int] = field(default_factory=lambda: count(1))

    async def corner(self, on: str) -> Corner:
        """Make a corner that is empty."""
        number, parts = next(self._corners), on.split("+")
        database = redis = streams = ""
        if "postgres" in parts and self.postgres is not None:
            database = await _made(self.postgres, f"house_{number}")
        if "redis" in parts and self.redis is not None:
            redis = self.redis.url(number)
        if "s2" in parts and self.lite is not None:
            streams = f"s2://{BASIN}/{secrets.token_hex(4)}?endpoint={self.lite.url}"
        behind = {name: pid for name, pid in self.behind.items() if name in parts}
        return Corner(on, database, redis, streams, behind)

    @property
    def behind(self) -> dict[str, int]:
        """Return the first process of each server."""
        servers = {"postgres": self.postgres, "redis": self.redis, "s2": self.lite}
        return {name: each.pid for name, each in servers.items() if each is not None}


async def _made(server: Postgres, name: str) -> str:
    import asyncpg  # noqa: PLC0415 - the rule above

    connection = await asyncpg.connect(server.dsn())
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return server.dsn(name)


@contextmanager
def laid_out(places: Collection[str]) -> Generator[Ground]:
    """Run the servers that any of these places needs, while the block lasts."""
    parts = {part for place in places for part in place.split("+")}
    one = two = three = None
    with ExitStack() as stack:
        if "postgres" in parts:
            from tests.services.postgres import postgres  # noqa: PLC0415 - the rule above

            one = stack.enter_context(postgres())
        if "redis" in parts:
            from tests.services.redis import redis_server  # noqa: PLC0415 - the rule above

            two = stack.enter_context(redis_server({"databases": "64"}))
        if "s2" in parts:
            from tests.s2.lite import running  # noqa: PLC0415 - the rule above

            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="headrace-s2-"))
            three = stack.enter_context(running(Path(folder)))
        yield Ground(one, two, three)
