"""What is due happens once, whoever notices: of several servers one sees to it."""

from __future__ import annotations

import pytest

from headrace.kernel.model import RunId
from headrace.wire.channel import Fenced
from tests.engine.house import House
from tests.engine.worker import attached
from tests.servers.town import Site, at_rest, soon, town

COUNT, MINUTE = 20, 60_000
CALM_MS = 50


def _apart(houses: tuple[House, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each pick a moment of its own, the first one at once."""
    for n, house in enumerate(houses):
        monkeypatch.setattr(house.core.chance, "jitter", lambda n=n: n / len(houses))


async def _passed(houses: tuple[House, ...], ms: int) -> None:
    for step in (ms, CALM_MS // 2, CALM_MS // 2):
        await at_rest(*houses)
        houses[0].clock.advance(step)
    await at_rest(*houses)


async def test_one_server_sees_to_what_is_due(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async with town(site, 3) as houses:
        _apart(houses, monkeypatch)
        runs = [await houses[0].start(delay="1m") for _ in range(COUNT)]
        await _passed(houses, MINUTE)
        assert [await houses[1].status(run) for run in runs] == ["QUEUED"] * COUNT
        assert [len(house.core.desks()) for house in houses] == [COUNT, 0, 0]
        for run in runs:
            found = await houses[0].run(run)
            assert (found.version, found.epoch) == (1, 0)


async def test_its_own_server_sees_to_a_run_at_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with town(site, 3) as houses, attached(houses[2]) as worker:
        _apart(houses, monkeypatch)
        job = await worker.job(await houses[2].start())
        job.stand(timeout_ms=MINUTE, held=True)
        job.park()
        await _passed(houses, MINUTE)
        assert (await job.told()).ending == "timeout"
        assert len(await houses[2].stores.runs.journal(RunId(job.run))) == 1


async def test_a_lost_worker_is_noticed_once(site: Site) -> None:
    """All servers find its lease lapsed; each run is taken from it by one of them."""
    async with town(site, 3) as houses:
        async with attached(houses[0], lasts=False) as worker:
            jobs = [await worker.job(await houses[0].start()) for _ in range(4)]
        for _ in range(5):  # a jump would look as if they had stood still themselves
            await soon(*houses)
        async with attached(houses[1], name="another") as another:
            for job in jobs:
                assert (await another.job(job.run)).epoch == 2
                assert (await houses[2].run(job.run)).lost == 1
        assert not worker.unread() or isinstance(worker.unread()[-1], Fenced)
