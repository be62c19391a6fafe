"""A client of a real server keeps the contract of every `Api`: HTTP adds and loses nothing."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from headrace.app.home import Home
from headrace.app.serving import serving
from headrace.app.settings import Settings
from headrace.app.system import SystemChance, wall_now
from headrace.backends.clocks import CarriedClock
from headrace.client import Client, Target, open_client
from headrace.ports import Api
from headrace.testing.contracts.api import ApiContract


@asynccontextmanager
async def _reached(home: Home, *, by_socket: bool) -> AsyncGenerator[Client]:
    async with serving(Settings(port=0), home) as served:
        key = await anyio.to_thread.run_sync(home.key)
        target = Target(served.url, key, home.socket_path if by_socket else None)
        async with open_client(target, CarriedClock(wall_now()), SystemChance()) as client:
            yield client


class TestClientOverHttp(ApiContract):
    """Workers attach over a WebSocket."""

    @pytest.fixture
    async def api(self, tmp_path: Path) -> AsyncIterator[Api]:
        async with _reached(Home(tmp_path / "h"), by_socket=False) as client:
            yield client


class TestClientOverASocketFile(ApiContract):
    """Workers attach over the file; all else goes over HTTP."""

    @pytest.fixture
    async def api(self, tmp_path: Path) -> AsyncIterator[Api]:
        async with _reached(Home(tmp_path / "h"), by_socket=True) as client:
            yield client
