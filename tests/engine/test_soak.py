"""Everything at once: no message is lost or doubled, no run stays where it is, whatever fails."""

from __future__ import annotations

from random import Random

import anyio
import pytest

from headrace.backends.memory import open_memory
from headrace.testing.clock import ManualClock
from tests.engine.gates import behind
from tests.engine.house import DECLARED, opened
from tests.engine.soak import Chancy, Play, judge, soak


@pytest.mark.parametrize("often", [0.0, 0.02, 0.15])
@pytest.mark.parametrize("delivers", [True, False])
async def test_everything_comes_out_right(
    clock: ManualClock, seed: int, often: float, *, delivers: bool
) -> None:
    dice = Random(f"{seed} {delivers} {often}")  # noqa: S311 - no secret
    gates = Chancy(dice)
    async with (
        open_memory(clock) as stores,
        opened(behind(stores, gates, delivers=delivers), clock, breaks_down=True) as house,
    ):
        await house.api.register(DECLARED)
        play = Play(stores, house, gates, dice)
        with anyio.fail_after(15):
            await soak(play, often)
        assert await judge(play) == []
    assert play.cuts > 0
    assert (gates.failed > 0) == (often > 0)
