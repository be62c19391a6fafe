"""A whole Headrace in memory, once as it is and once replaying at every wait."""

from collections.abc import AsyncIterator

import pytest

from headrace.testing import Harness, local
from headrace.testing.harness import Replay
from tests.sdk.given import seen


@pytest.fixture(params=["crashes", "always"])
def replay(request: pytest.FixtureRequest) -> Replay:
    mode: Replay = request.param
    return mode


@pytest.fixture
async def h(replay: Replay) -> AsyncIterator[Harness]:
    seen.clear()
    async with local(replay=replay) as harness:
        yield harness
