"""Sites to test at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

import pytest

from tests.faults.site import Site, open_site
from tests.server.house import House, house


@pytest.fixture
async def home() -> AsyncIterator[House]:
    """A server without a worker."""
    async with house() as opened:
        yield opened


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A server and a worker whose runs stay in memory while they wait."""
    async with open_site() as opened:
        yield opened


@pytest.fixture(params=["warm", "always"])
async def either(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """The same; and one whose worker saves each run that waits, and puts it away."""
    snapshots: Literal["warm", "always"] = request.param
    async with open_site(snapshots) as opened:
        yield opened
