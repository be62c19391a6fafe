"""The house under test."""

from collections.abc import AsyncIterator

import pytest

from tests.server.house import House, house


@pytest.fixture
async def home() -> AsyncIterator[House]:
    """One server for one test."""
    async with house() as opened:
        yield opened
