"""The engine in this process keeps the contract of every `Api`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headrace.app.system import SystemChance
from headrace.backends.memory import open_memory
from headrace.backends.postgres import open_postgres
from headrace.backends.sqlite import open_sqlite
from headrace.engine import open_engine
from headrace.kernel.model import EnvId
from headrace.ports import Api
from headrace.testing.contracts.api import ApiContract


class TestEngineOnMemory(ApiContract):
    @pytest.fixture
    async def api(self) -> AsyncIterator[Api]:
        async with open_memory() as stores, open_engine(stores, SystemChance()) as engine:
            yield engine.at(EnvId("dev"))


class TestEngineOnSqlite(ApiContract):
    @pytest.fixture
    async def api(self, tmp_path: Path) -> AsyncIterator[Api]:
        async with (
            open_sqlite(tmp_path / "a.db") as stores,
            open_engine(stores, SystemChance()) as engine,
        ):
            yield engine.at(EnvId("dev"))


class TestEngineOnPostgres(ApiContract):
    @pytest.fixture
    async def api(self, database: str) -> AsyncIterator[Api]:
        async with (
            open_postgres(database) as stores,
            open_engine(stores, SystemChance()) as engine,
        ):
            yield engine.at(EnvId("dev"))
