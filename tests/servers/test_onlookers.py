"""What only onlookers elsewhere care for is gathered; what others act on is told at once.

Here gathered hints are never told: whatever arrives was told at once.
"""

from __future__ import annotations

import pytest

from headrace.engine import onlookers
from headrace.engine.hints import Grown, heard
from headrace.kernel.model import RunId
from headrace.wire.channel import Ended
from tests.engine.house import House
from tests.engine.worker import attached
from tests.servers.town import Site, town


@pytest.fixture(autouse=True)
def _never(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onlookers, "GATHER_S", 3_600.0)


def recorded(house: House, run: str, monkeypatch: pytest.MonkeyPatch) -> list[RunId]:
    """Return what the engine tells of the run from now on."""
    told, tell = list[RunId](), house.stores.wakeups.announce

    async def announce(run_id: RunId, by: str = "") -> None:
        hint = heard(run_id)
        about = hint.run if isinstance(hint, Grown) else run_id
        if by == house.core.name and about == run:
            told.append(run_id)
        await tell(run_id, by)

    monkeypatch.setattr(house.stores.wakeups, "announce", announce)
    return told


async def test_what_goes_on_here_is_not_told_each_time(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with town(site) as (here, _), attached(here) as worker:
        run = await here.start()
        told = recorded(here, run, monkeypatch)
        job = await worker.job(run)
        for n in range(3):
            job.stand(key=f"/q#{n}")
            await here.api.send(run, "notes", b"%d" % n)
            assert (await job.told()).body == b"%d" % n
        assert told == []
        assert here.core.onlookers.is_behind
        job.complete()
        await job.heard(Ended)
        await here.until(lambda: told == [run])  # whoever waits for its result
        assert not here.core.onlookers.is_behind


async def test_what_is_sent_elsewhere_is_told_at_once(site: Site) -> None:
    async with town(site) as (here, there), attached(here) as worker:
        run = await there.start()
        job = await worker.job(run)
        job.stand()
        await there.api.send(run, "notes", b"7")
        assert (await job.told()).body == b"7"
