"""What every `Leases` promises: a worker is alive until its lease ends, and no shorter."""

from __future__ import annotations

import pytest

from headrace.kernel import commands as c
from headrace.kernel.machine import decide
from headrace.kernel.model import Instant, WorkerId, later
from headrace.ports import Order, Stores, Unseated
from headrace.testing.contracts.given import T0, VERSION, WORKER, executing, parked, queued

ONE, TWO = WorkerId("worker-1"), WorkerId("wörker-2")


class LeasesContract:
    """Sitting down, renewing, dropping, lapsing."""

    async def test_a_lease_lapses_at_its_end_and_not_before(self, stores: Stores) -> None:
        await stores.leases.sit(ONE, later(T0, 5_000))
        assert await stores.leases.lapsed(later(T0, 4_999)) == []
        assert await stores.leases.lapsed(later(T0, 5_000)) == [ONE]
        assert await stores.leases.lapsed(later(T0, 5_001)) == [ONE]

    async def test_renewing_never_shortens_it(self, stores: Stores) -> None:
        seat = await stores.leases.sit(ONE, later(T0, 5_000))
        for end in (9_000, 7_000):
            renewed = await stores.leases.renew(ONE, later(T0, end), seat)
            assert renewed == later(T0, 9_000)
        assert await stores.leases.lapsed(later(T0, 8_999)) == []
        assert await stores.leases.lapsed(later(T0, 9_000)) == [ONE]

    async def test_those_that_lapsed_longest_ago_come_first(self, stores: Stores) -> None:
        await stores.leases.sit(ONE, later(T0, 2))
        await stores.leases.sit(TWO, later(T0, 1))
        assert await stores.leases.lapsed(later(T0, 2)) == [TWO, ONE]

    async def test_who_holds_a_run_without_a_lease_is_listed_before_them(
        self, stores: Stores
    ) -> None:
        runs = [await executing(stores, f"run-{n}") for n in range(3)]
        await stores.runs.commit(parked(runs[1]))
        await stores.leases.sit(TWO, T0)
        assert await stores.leases.lapsed(T0) == [WORKER, TWO]
        await stores.leases.sit(WORKER, later(T0, 1))
        assert await stores.leases.lapsed(T0) == [TWO]
        assert await stores.leases.lapsed(later(T0, 1)) == [TWO, WORKER]
        assert await stores.leases.drop(WORKER, later(T0, 1))
        assert await stores.leases.lapsed(T0) == [WORKER, TWO]
        for run in (runs[0], runs[2]):
            await stores.runs.commit(decide(run, c.Complete(run.epoch, b""), T0))
        assert await stores.leases.lapsed(T0) == [WORKER, TWO]
        await stores.runs.commit(decide(parked(runs[1]).after, c.Lose(WORKER), T0))
        assert await stores.leases.lapsed(T0) == [TWO]

    async def test_each_of_many_that_hold_runs_without_a_lease_is_listed(
        self, stores: Stores
    ) -> None:
        names = [WorkerId(f"{name}-{n}") for n in range(7) for name in ("A", "b", "ö", "~")]
        for n, name in enumerate(names):
            for run in (queued(f"run-{n}-{other}") for other in range(2)):
                change = decide(run, c.Claim(name, VERSION), T0)
                await stores.runs.create(change.after, Order())
        for name in names[::2]:
            await stores.leases.sit(name, later(T0, 1))
        found = await stores.leases.lapsed(T0)
        assert len(found) == len(names) // 2
        assert set(found) == set(names[1::2])

    async def test_a_worker_that_left_is_forgotten(self, stores: Stores) -> None:
        await stores.leases.sit(ONE, T0)
        assert await stores.leases.drop(ONE, T0)
        assert await stores.leases.drop(TWO, T0), "it has none, as before"
        assert await stores.leases.lapsed(Instant(T0 + 10**9)) == []

    async def test_all_leases_can_be_made_to_last(self, stores: Stores) -> None:
        await stores.leases.sit(ONE, later(T0, 1_000))
        await stores.leases.sit(TWO, later(T0, 9_000))
        await stores.leases.extend(later(T0, 5_000))
        assert await stores.leases.lapsed(later(T0, 4_999)) == []
        assert await stores.leases.lapsed(later(T0, 8_999)) == [ONE]
        assert await stores.leases.lapsed(later(T0, 9_000)) == [ONE, TWO]

    async def test_sitting_down_again_never_shortens_it(self, stores: Stores) -> None:
        for end in (9_000, 7_000):
            await stores.leases.sit(ONE, later(T0, end))
        assert await stores.leases.lapsed(later(T0, 8_999)) == []
        assert await stores.leases.lapsed(later(T0, 9_000)) == [ONE]

    async def test_who_holds_an_older_seat_renews_nothing(self, stores: Stores) -> None:
        older = await stores.leases.sit(ONE, later(T0, 1))
        newer = await stores.leases.sit(ONE, later(T0, 1))
        assert newer > older
        with pytest.raises(Unseated):
            await stores.leases.renew(ONE, later(T0, 9_000), older)
        assert await stores.leases.lapsed(later(T0, 1)) == [ONE]
        await stores.leases.renew(ONE, later(T0, 9_000), newer)
        assert await stores.leases.lapsed(later(T0, 1)) == []

    async def test_nobody_renews_the_lease_of_a_worker_that_was_given_up(
        self, stores: Stores
    ) -> None:
        seats = [await stores.leases.sit(ONE, later(T0, n)) for n in (1, 2, 3)]
        await stores.leases.drop(ONE, later(T0, 3))
        with pytest.raises(Unseated):
            await stores.leases.renew(ONE, later(T0, 9_000), seats[-1])
        assert await stores.leases.lapsed(later(T0, 9_000)) == []
        again = await stores.leases.sit(ONE, later(T0, 5_000))
        assert again > max(seats)
        with pytest.raises(Unseated):
            await stores.leases.renew(ONE, later(T0, 9_000), seats[-1])

    async def test_a_worker_that_has_come_back_is_not_given_up(self, stores: Stores) -> None:
        await stores.leases.sit(ONE, later(T0, 1))
        seat = await stores.leases.sit(ONE, later(T0, 5_001))
        assert not await stores.leases.drop(ONE, later(T0, 5_000))
        await stores.leases.renew(ONE, later(T0, 6_000), seat)
        assert await stores.leases.lapsed(later(T0, 6_000)) == [ONE]
