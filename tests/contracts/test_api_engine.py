"""The engine in this process keeps the contract of every `Api`."""

from collections.abc import AsyncIterator

import pytest

from headrace.app.connecting import SystemChance
from headrace.backends.memory import open_memory
from headrace.engine import open_engine
from headrace.kernel.model import EnvId
from headrace.ports import Api
from headrace.testing.contracts.api import ApiContract


class TestEngineOnMemory(ApiContract):
    @pytest.fixture
    async def api(self) -> AsyncIterator[Api]:
        async with open_memory() as stores, open_engine(stores, SystemChance()) as engine:
            yield engine.at(EnvId("dev"))
