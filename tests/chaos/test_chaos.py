"""Laws 1 to 4, 8, 10 to 12 with real processes: short campaigns; `make chaos` has the long ones."""

from pathlib import Path

import pytest

from tests.chaos import campaign
from tests.chaos.campaign import Plan
from tests.chaos.report import MARK, judged, page, section, written
from tests.chaos.works import LEAVING


@pytest.mark.chaos
@pytest.mark.timeout(180)
def test_nothing_acknowledged_is_lost_doubled_or_reordered(tmp_path: Path, seed: int) -> None:
    plan = Plan(seed, messages=400, kills=10, runs=6)
    history = campaign.run(plan, tmp_path, lambda _: None)
    outcome = judged(plan, history, 0.0)
    assert outcome.is_good, outcome.faults()
    assert f"| seed | {seed} |" in page(outcome)


@pytest.mark.chaos
@pytest.mark.timeout(180)
def test_what_leaves_while_workers_are_killed_goes_on_after_its_wait(
    tmp_path: Path, seed: int
) -> None:
    plan = Plan(seed, messages=400, kills=25, runs=9, work=LEAVING)
    history = campaign.run(plan, tmp_path, lambda _: None)
    outcome = judged(plan, history, 0.0)
    assert outcome.is_good, outcome.faults()
    text = written(outcome, f"# The first\n{MARK}the last one\n")
    assert text.startswith(f"# The first\n\n{MARK}\n## While runs leave")
    assert f"| seed | {seed} |" in text
    assert "the last one" not in text
    assert section(outcome).count("\n- ") == 3
