"""The store's time: wall time at open, carried on by boot time, never below what was written."""

from pathlib import Path

from headrace.backends.clocks import BOOT_CLOCK, CarriedClock, boot_ms
from headrace.backends.sqlite import Settings, open_sqlite
from headrace.kernel.model import EPOCH, Instant, WorkerId, later
from headrace.testing.clock import ManualClock
from headrace.testing.contracts.given import T0
from tests.sqlite.raw import raw

SMALL = Settings(wal_pages=10)
YEAR_MS = 365 * 24 * 3_600_000
ONE = WorkerId("worker-1")


def stamped(path: Path) -> int:
    with raw(path) as db:
        (at,) = db.execute("SELECT at FROM meta").fetchall()[0]
    assert isinstance(at, int)
    return at


async def test_it_starts_with_the_wall_clock(tmp_path: Path) -> None:
    with raw(":memory:") as db:
        (wall,) = db.execute("SELECT unixepoch('subsec') * 1000").fetchall()[0]
    assert isinstance(wall, float)
    async with open_sqlite(tmp_path / "x.db", settings=SMALL) as stores:
        assert abs(stores.clock.now() - wall) < 5_000


async def test_every_commit_leaves_its_instant(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "x.db", settings=SMALL) as stores:
        before = stores.clock.now()
        await stores.leases.sit(ONE, T0)
        assert before <= stamped(tmp_path / "x.db") <= stores.clock.now()


async def test_a_wall_clock_set_back_does_not_turn_time_back(tmp_path: Path) -> None:
    ahead = ManualClock(later(Instant(2_000_000_000_000), YEAR_MS))  # what was, before it was set
    async with open_sqlite(tmp_path / "x.db", clock=ahead, settings=SMALL) as stores:
        await stores.leases.sit(ONE, T0)
        ahead.advance(5)
        await stores.leases.sit(ONE, later(T0, 1))
    async with open_sqlite(tmp_path / "x.db", settings=SMALL) as stores:
        assert ahead.now() <= stores.clock.now() < later(ahead.now(), 60_000)
        await stores.leases.sit(ONE, later(T0, 2))
    assert stamped(tmp_path / "x.db") >= ahead.now()


async def test_another_process_that_is_ahead_takes_this_one_along(tmp_path: Path) -> None:
    ahead = ManualClock(later(Instant(2_000_000_000_000), YEAR_MS))
    async with (
        open_sqlite(tmp_path / "x.db", settings=SMALL) as stores,
        open_sqlite(tmp_path / "x.db", clock=ahead, settings=SMALL) as other,
    ):
        assert stores.clock.now() < ahead.now()
        await other.leases.sit(ONE, T0)
        async with stores.wakeups.listen() as hints:
            await anext(hints)  # that somebody else has written is enough
            assert stores.clock.now() >= ahead.now()
        ahead.advance(YEAR_MS)
        await other.leases.sit(ONE, later(T0, 1))
        await stores.leases.sit(ONE, later(T0, 1))
        assert stores.clock.now() >= ahead.now()
        await other.leases.sit(ONE, later(T0, 2))
        assert stamped(tmp_path / "x.db") >= ahead.now()


async def test_a_carried_clock_sleeps_until_its_instant() -> None:
    clock = CarriedClock(T0)
    assert T0 <= clock.now() < later(T0, 5_000)
    await clock.sleep_until(later(clock.now(), 20))
    await clock.sleep_until(EPOCH)
    clock.lift(later(T0, YEAR_MS))
    assert clock.now() >= later(T0, YEAR_MS)
    clock.lift(T0)
    assert clock.now() >= later(T0, YEAR_MS)


def test_boot_time_goes_on_by_milliseconds() -> None:
    assert BOOT_CLOCK > 0
    before = boot_ms()
    assert 0 <= boot_ms() - before < 5_000
