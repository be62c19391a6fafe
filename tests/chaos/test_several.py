"""Laws 1 to 4 and 8 to 12 with several servers on what they share: short campaigns.

`make chaos-postgres-redis` and `make chaos-postgres-redis-s2` have the long ones.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.chaos.apart import way_in
from tests.chaos.campaign import ROOT
from tests.chaos.report import judged
from tests.chaos.several import Course
from tests.chaos.several_report import HALTED, Fought, section, written
from tests.chaos.shared import PLACES, Place
from tests.history import events as e
from tests.history.clean import history
from tests.history.recovery import WAKES
from tests.s2.lite import binary
from tests.services.keeper import kept

KIND = "Redis FLUSHALL"


@pytest.mark.chaos
@pytest.mark.timeout(300)
@pytest.mark.parametrize("place", PLACES)
def test_nothing_acknowledged_is_lost_whatever_breaks(place: Place, seed: int) -> None:
    if not way_in():
        pytest.skip("no network of its own can be had here: needs unshare, nft, and the right")
    if place.endswith("s2"):
        binary()  # or skip
    command = [sys.executable, "-m", "tests.chaos", "--on", place, "--seed", str(seed + 1)]
    process = subprocess.Popen(
        [*command, "--brief"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with kept(process, signal.SIGTERM):
        said, _ = process.communicate(timeout=280)
    assert process.returncode == 0, said


# --- the report, on histories made up -------------------------------------------------------------


def fought(*more: e.Event, sends: int = 5, kinds: Sequence[str] = ()) -> Fought:
    """Judge a good history with something beside it."""
    course = Course("postgres+redis", 7, sends=sends, per_wave=10, runs=2, kinds=tuple(kinds))
    made = Fought(course, seconds=3.0)
    events = sorted([*history(), *more], key=lambda event: event.at)
    plan = next(course.waves())
    made.judge(plan, events)
    # Who sent, and how much: the made-up history is too small to prove anything.
    made.waves[0] = judged(plan, events, 0.0)
    return made


def told(made: Fought) -> list[str]:
    """Return what is wrong beside the wave itself."""
    return made.faults()[len(made.waves[0].faults()) :]


def healed(at: int, since: int) -> list[e.Event]:
    return [e.Fault(at=since, kind=KIND), e.Healed(at=at, kind=KIND, since=since)]


def late(ms: int) -> list[e.Event]:
    """Hold a send up, so long after a healing at 2,000 s."""
    second = 1_000_000_000
    whole = 2_000 * second
    begin = e.SendInvoke(
        at=1_999 * second, id="slow", sender="raw", run="a", stream="s", key="late", digest="late"
    )
    end = e.SendOk(at=whole + ms * 1_000_000, id="slow", seq=0)
    return [begin, *healed(whole, 1_998 * second), end]


def test_what_is_held_up_for_too_long_is_told() -> None:
    assert not [fault for fault in told(fought(*late(1_900))) if "held up" in fault]
    assert "p99 of what was held up went on 2,100 ms after the healing" in told(
        fought(*late(2_100))
    )


def test_what_two_troubles_held_up_was_held_up_once() -> None:
    other = e.Healed(at=2_000 * 1_000_000_000, kind=HALTED, since=1)
    alone, both = fought(*late(7)), fought(*late(7), other)
    assert both.held_up() == alone.held_up() == [7.0]
    assert [one.sends for one in both.chosen(KIND) + both.chosen(HALTED)] == [[7.0], [7.0]]


def test_a_campaign_that_proves_too_little_is_told() -> None:
    sent = fought(*late(1)).count("acknowledged")
    assert not told(fought(*late(1), sends=sent))
    few = told(fought(*late(1), sends=sent + 1))
    assert few == [f"acknowledged: {sent} of at least {sent + 1}"]
    assert "nothing was held up by anything" in told(fought())
    assert f"never: {HALTED}" in told(fought(*late(1), kinds=(HALTED,)))
    assert f"never: {KIND}" not in told(fought(*late(1), kinds=(KIND,)))


def test_a_worker_that_was_halted_must_have_come_back_to_runs_of_others() -> None:
    halted = e.Fault(at=1, kind=HALTED, who="worker 1")
    wakes = e.Fault(at=10**12, kind=WAKES, who="9")
    assert "no worker came back to a run that was somebody else's by then" in told(
        fought(halted, wakes)
    )


def test_the_page_keeps_the_other_campaign() -> None:
    first = fought(*late(700))
    page = written(first, "")
    assert "| seed | 7 |" in page
    assert f"| {KIND} | 1 | 1 | 700 |" in page
    second = Fought(Course("postgres+redis+s2", 8), waves=first.waves)
    both = written(second, page)
    assert "| seed | 7 |" in both
    assert "| seed | 8 |" in both
    assert section(first).strip() in both
    assert written(second, both) == both
