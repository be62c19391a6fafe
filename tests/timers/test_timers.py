"""Timers over the whole system, as processes: never early, and seldom late.

`python -m tests.timers` measures many more of them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.timers import faketime
from tests.timers.faketime import WallClock
from tests.timers.jumps import DAY_MS, set_back_before_a_restart, set_while_they_wait
from tests.timers.limits import LATE_MS, OVERDUE_MS, allowed
from tests.timers.many import many, overdue

pytestmark = [pytest.mark.timeout(120)]
GRAIN_MS = 1
"""The store's clock counts whole milliseconds."""


@pytest.fixture
def wall_clock(tmp_path: Path) -> WallClock:
    library = faketime.library()
    if library is None:
        pytest.skip("libfaketime is not installed: scripts/install-test-tools.sh says how")
    return WallClock(library, tmp_path / "offset")


async def test_timers_are_never_early_and_seldom_late() -> None:
    found = await many(300, 3.0)
    assert found.early == 0
    assert found.p99 <= allowed(LATE_MS, found.noise), found


async def test_what_was_due_while_no_server_was_there_happens_at_once() -> None:
    found = await overdue(100)
    assert found.early == 0
    assert found.on_disk <= allowed(OVERDUE_MS, found.noise), found


async def test_a_wall_clock_that_is_set_changes_no_timer(wall_clock: WallClock) -> None:
    found = await set_while_they_wait(wall_clock, 60)
    assert found.moved > DAY_MS / 2, "the clock of the worker was not set"
    assert found.early == 0
    assert min(found.longer) >= -GRAIN_MS
    assert max(found.longer) <= allowed(LATE_MS, found.noise), found


async def test_a_server_that_starts_in_the_past_goes_on_from_what_was_written(
    wall_clock: WallClock,
) -> None:
    ms = 2_000
    found = await set_back_before_a_restart(wall_clock, ms)
    assert found.early == 0
    assert min(found.longer) >= -GRAIN_MS
    # Overdue is counted from when a server serves again; the nap starts over at the most.
    assert max(found.longer) <= allowed(ms + found.away + OVERDUE_MS, found.noise), found
