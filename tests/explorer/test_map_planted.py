"""The explorer itself, about the wait map: each step of an engine that is left out is found.

The bugs are in the engine here: what it says, and when it asks, is its own business.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from headrace.engine.desk import Desk
from headrace.engine.presence import Presence
from headrace.engine.seats import Seat
from headrace.engine.sheet import Sheet
from headrace.kernel.effects import is_offered
from headrace.kernel.model import Instant, Run, Running, WorkerId
from tests.explorer.map_cast import ONE, SETTLED, MapCast
from tests.explorer.map_play import explore
from tests.explorer.mapped import MapBackstage, StagedLeases
from tests.explorer.staged import Process

pytestmark = pytest.mark.timeout(180)  # of searches: seconds alone, many on a busy machine

# All schedules of these casts are many: the bugs are looked for where they can be.
PARKING = (
    *("worker asks", "worker read", "worker renew", "worker commit", "worker dies"),
    *("sender 0 sender 0 begins", "time sit", "time asks", "time load", "time parks"),
    *("time ends", "time read", "time read", "time commit", "time read", "sender 0 append"),
)
LOOKING = (
    *("worker renew", "sender 0 sender 0 begins", "sender 0 where"),
    *("sender 0 > live 1 arrives", "sender 0 is told", "time 2200 ms pass"),
)
LOST = "stands, and record 0 is in the log"


def _found(
    cast: MapCast,
    backstage: type[MapBackstage] = MapBackstage,
    *,
    begin: tuple[str, ...] = (),
) -> str:
    """Return what was wrong with the first schedule that failed, of those that begin so."""
    report = explore(cast, backstage, stop_at=1, begin=begin)
    return "\n".join(wrong for failure in report.failures for wrong in failure.wrong)


def _is_live_though_it_parks(presence: Presence, seat: Seat, run: Run) -> bool:
    del presence
    is_held = isinstance(run.state, Running) and run.state.worker == seat.worker
    return seat.is_open and is_held and not any(map(is_offered, run.waits))


def test_live_that_is_said_while_a_run_parks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Presence, "_is_live", _is_live_though_it_parks)
    assert LOST in _found(replace(SETTLED, fate="crash"), begin=PARKING)


def test_without_the_bug_nothing_is_found_there() -> None:
    report = explore(replace(SETTLED, fate="crash"), begin=PARKING[:-1])
    assert not report.failures
    assert report.ended


async def _asks_and_then_appends(desk: Desk, sheet: Sheet) -> bool:
    if sheet.entries or sheet.looked:
        return False
    is_live = await desk._landing.is_live(desk.run_id)  # pyright: ignore[reportPrivateUsage]  # the bug is inside
    await desk._append(sheet)  # pyright: ignore[reportPrivateUsage]  # the bug is inside
    return is_live


def test_a_look_before_the_append_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Desk, "_lands_in_haste", _asks_and_then_appends)
    assert LOST in _found(replace(SETTLED, passes=True), begin=LOOKING)


class NoRenewal(StagedLeases):
    """A lease is said to be renewed, and nobody is asked."""

    async def renew(self, worker: WorkerId, until: Instant, seat: int) -> Instant:  # noqa: ARG002
        """Do nothing."""
        return until


class Unrenewed(MapBackstage):
    def leases(self, process: Process) -> StagedLeases:
        return NoRenewal(process)


def test_live_that_is_said_without_a_renewal_is_found() -> None:
    assert LOST in _found(replace(ONE, fate="moved"), Unrenewed)
