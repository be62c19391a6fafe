"""A whole Headrace in memory: as it is, replaying at every wait, and saving at every wait."""

from collections.abc import AsyncIterator
from typing import Literal

import pytest

from headrace.testing import Harness, local
from tests.sdk.given import seen

Mode = Literal["crashes", "always", "saved"]


@pytest.fixture(params=["crashes", "always", "saved"])
def replay(request: pytest.FixtureRequest) -> Mode:
    mode: Mode = request.param
    return mode


@pytest.fixture
async def h(replay: Mode) -> AsyncIterator[Harness]:
    seen.clear()
    snapshot: Literal["warm", "always"] = "always" if replay == "saved" else "warm"
    async with local(
        replay="always" if replay == "always" else "crashes", snapshot=snapshot
    ) as harness:
        yield harness
