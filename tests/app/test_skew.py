"""Clocks that are apart: from how much on it is told, once, and when it is over."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

import anyio
import pytest
from structlog.testing import capture_logs

from headrace.app.skew import APART_MS, LATE_MS, apart, comparing, late
from headrace.backends.memory import open_memory
from headrace.kernel.model import Instant
from headrace.testing import ManualClock

NOW = Instant(1_900_000_000_000)


@pytest.mark.parametrize(
    ("ahead", "says"),
    [
        (0, ""),
        (APART_MS, ""),
        (-APART_MS, ""),
        (APART_MS + 1, "1.0 s ahead of the database's"),
        (-APART_MS - 1, "1.0 s behind the database's"),
        (3_600_000, "3,600.0 s ahead of"),
    ],
)
def test_more_than_a_second_is_told(ahead: int, says: str) -> None:
    told = apart(Instant(NOW + ahead), NOW)
    assert (says in told, bool(told)) == (True, bool(says))
    assert not told or "NTP" in told


def test_a_database_far_away_is_told() -> None:
    assert late(LATE_MS) == ""
    assert "takes 201 ms" in late(LATE_MS + 1)


@asynccontextmanager
async def _compared(walls: Iterator[int]) -> AsyncGenerator[None]:
    """Compare a wall clock that says one thing after another, until all is said."""
    done = anyio.Event()

    def wall() -> Instant:
        ahead = next(walls, None)
        if ahead is None:
            done.set()
        return Instant(NOW + (ahead or 0))

    async with open_memory(ManualClock(NOW)) as stores, comparing(stores, wall=wall, every_s=0.001):
        with anyio.fail_after(5):
            await done.wait()
        yield


async def test_it_is_told_at_the_start_once_and_when_it_is_over() -> None:
    with capture_logs() as logs:
        async with _compared(iter((5_000, 5_000, 5_001, 0, 0, -7_000, 0))):
            pass
    said = [log["event"].partition(" the database's")[0] for log in logs]
    assert said == [
        "the clock of this machine is 5.0 s ahead of",
        "no more: the clock of this machine is 5.0 s ahead of",
        "the clock of this machine is 7.0 s behind",
        "no more: the clock of this machine is 7.0 s behind",
    ]


async def test_clocks_that_agree_are_not_spoken_of() -> None:
    with capture_logs() as logs:
        async with _compared(iter((0, 900, -900))):
            pass
    assert logs == []
