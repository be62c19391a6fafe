"""What every `Leases` promises: a worker is alive until its lease ends, and no shorter."""

from __future__ import annotations

from headrace.kernel.model import Instant, WorkerId, later
from headrace.ports import Stores
from headrace.testing.contracts.given import T0

ONE, TWO = WorkerId("worker-1"), WorkerId("wörker-2")


class LeasesContract:
    """Renewing, dropping, lapsing."""

    async def test_a_lease_lapses_at_its_end_and_not_before(self, stores: Stores) -> None:
        await stores.leases.renew(ONE, later(T0, 5_000))
        assert await stores.leases.lapsed(later(T0, 4_999)) == []
        assert await stores.leases.lapsed(later(T0, 5_000)) == [ONE]
        assert await stores.leases.lapsed(later(T0, 5_001)) == [ONE]

    async def test_renewing_never_shortens_it(self, stores: Stores) -> None:
        for end in (5_000, 9_000, 7_000):
            await stores.leases.renew(ONE, later(T0, end))
        assert await stores.leases.lapsed(later(T0, 8_999)) == []
        assert await stores.leases.lapsed(later(T0, 9_000)) == [ONE]

    async def test_those_that_lapsed_longest_ago_come_first(self, stores: Stores) -> None:
        await stores.leases.renew(ONE, later(T0, 2))
        await stores.leases.renew(TWO, later(T0, 1))
        assert await stores.leases.lapsed(later(T0, 2)) == [TWO, ONE]

    async def test_a_worker_that_left_is_forgotten(self, stores: Stores) -> None:
        await stores.leases.renew(ONE, T0)
        await stores.leases.drop(ONE)
        await stores.leases.drop(TWO)
        assert await stores.leases.lapsed(Instant(T0 + 10**9)) == []

    async def test_after_an_outage_everybody_has_time_to_come_back(self, stores: Stores) -> None:
        await stores.leases.renew(ONE, later(T0, 1_000))
        await stores.leases.renew(TWO, later(T0, 9_000))
        await stores.leases.extend(later(T0, 5_000))
        assert await stores.leases.lapsed(later(T0, 4_999)) == []
        assert await stores.leases.lapsed(later(T0, 8_999)) == [ONE]
        assert await stores.leases.lapsed(later(T0, 9_000)) == [ONE, TWO]
