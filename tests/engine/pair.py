"""Two servers that share a store and the map of runs that live; the worker sits `here`."""

from __future__ import annotations

from dataclasses import dataclass

from headrace.kernel.model import RunId
from headrace.ports import Live, WaitMap
from headrace.wire import channel as ch
from tests.engine.house import House
from tests.engine.worker import Job, Worker


@dataclass(frozen=True, slots=True)
class Pair:
    """`there` is the other server."""

    here: House
    there: House
    waitmap: WaitMap

    async def renew(self, worker: Worker) -> None:
        """Let the worker renew its lease, and the server say what follows."""
        worker.channel.post([ch.Renewed(slots=8)])
        await self.here.rest()

    async def live(self, worker: Worker) -> tuple[str, Job]:
        """Bring a run so far that it is said to live, and both servers know it."""
        run = await self.here.start()
        job = await worker.job(run)
        for house in (self.there, self.here):
            await house.api.send(run, "orders", b"0")
            await house.core.specs.stream(house.env, "notes")
        await self.rest()
        await self.renew(worker)
        assert isinstance(await self.waitmap.where(RunId(run)), Live)
        return run, job

    async def rest(self) -> None:
        """Return once nothing is under way."""
        for house in (self.here, self.there, self.here):
            await house.rest()
