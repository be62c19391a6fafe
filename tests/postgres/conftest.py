"""Servers that a test may break, and other ways to a database."""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from headrace.backends.postgres import open_postgres
from headrace.ports import Stores
from tests.services.postgres import Postgres, postgres


@pytest.fixture
def breakable() -> Iterator[Postgres]:
    """A server of one test."""
    with postgres() as server:
        yield server


@pytest.fixture
async def stores(database: str) -> AsyncIterator[Stores]:
    async with open_postgres(database) as opened:
        yield opened


@pytest.fixture
async def twin(stores: Stores, database: str) -> AsyncIterator[Stores]:
    async with open_postgres(database) as opened:
        yield opened


@pytest.fixture
async def fresh(postgres_server: Postgres) -> AsyncIterator[str]:
    """The URL of a database with nothing in it, not even our schema."""
    async for name in _made(postgres_server, "fresh"):
        yield postgres_server.dsn(name)


@pytest.fixture
async def other(postgres_server: Postgres) -> AsyncIterator[str]:
    """Another one."""
    async for name in _made(postgres_server, "other"):
        yield postgres_server.dsn(name)


async def _made(server: Postgres, name: str) -> AsyncIterator[str]:
    connection = await asyncpg.connect(server.dsn())
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {name}")
        yield name
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()
