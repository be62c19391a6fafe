"""Laws 1 to 4, 8, 10 and 12 with real processes: a short campaign; `make chaos` is a long one."""

from pathlib import Path

import pytest

from tests.chaos import campaign
from tests.chaos.campaign import Plan
from tests.chaos.report import judged, page


@pytest.mark.chaos
@pytest.mark.timeout(180)
def test_nothing_acknowledged_is_lost_doubled_or_reordered(tmp_path: Path, seed: int) -> None:
    plan = Plan(seed, messages=400, kills=10, runs=6)
    history = campaign.run(plan, tmp_path, lambda _: None)
    outcome = judged(plan, history, 0.0)
    assert outcome.is_good, outcome.faults()
    assert f"| seed | {seed} |" in page(outcome)
