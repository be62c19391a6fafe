"""A run may not start or send any more, and its worker's server has not heard of it."""

from __future__ import annotations

from headrace.engine.sheet import Sheet
from headrace.kernel.commands import Lose
from headrace.kernel.model import RunId
from headrace.wire.channel import Fenced, Refusal
from headrace.wire.views import RunQuery
from tests.engine.worker import attached, sent, started
from tests.servers.town import Site, at_rest, town


async def test_what_was_cancelled_elsewhere_starts_and_sends_nothing(site: Site) -> None:
    async with town(site, hints=False) as (here, there), attached(here) as worker:
        job, other = await worker.job(await here.start()), await here.start("strict")
        await at_rest(here, there)
        await there.api.cancel(job.run)
        job.post(started(job, "/t#0", "strict", b'{"payload":7}'), sent(job, "/m#0", other, b"7"))
        codes = [(await job.heard(Refusal)).code for _ in range(2)]
        await at_rest(here, there)
        assert codes == ["stopping"] * 2
        assert len((await there.api.list_runs(RunQuery())).data) == 2
        assert list(await there.stores.streams.ends(RunId(other))) == []


async def test_whose_run_was_given_away_elsewhere_starts_and_sends_nothing(site: Site) -> None:
    async with town(site, hints=False) as (here, there), attached(here) as late:
        job, other = await late.job(await here.start()), await here.start("strict")
        await at_rest(here, there)

        async def lost(sheet: Sheet) -> object:
            return sheet.apply(Lose(here.worker("worker")))

        async with attached(there, name="next") as successor:
            await there.core.post(RunId(job.run), lost)
            assert (await successor.job(job.run)).epoch == job.epoch + 1
            last = sent(job, "/m#0", other, b"7")
            job.post(started(job, "/t#0", "strict", b'{"payload":7}'), last)
            await job.heard(Fenced)
            await at_rest(here, there)
        assert len((await there.api.list_runs(RunQuery())).data) == 2
        assert list(await there.stores.streams.ends(RunId(other))) == []
