"""What a worker by script does when it saves: telling results, saving, leaving.

Must never know: what a snapshot holds.
"""

from __future__ import annotations

from headrace.kernel.model import Footing, RunId
from headrace.wire.channel import Ended, Saved
from tests.engine.house import House
from tests.engine.worker import Job, parked


def save(
    job: Job,
    body: bytes = b"frames",
    *,
    drops: bool = False,
    leaves: bool = False,
    footing: Footing | None = None,
) -> None:
    """Keep the state of the code, and perhaps give the run up with it."""
    job.post(Saved(job.run, job.epoch, job.next_n, body, drops, leaves, footing))


async def remembers(job: Job, count: int) -> Job:
    """Tell the results of so many steps."""
    for n in range(count):
        job.step(f"/s#{n}", str(n).encode())
    for _ in range(count):
        await job.told()
    return job


async def left(
    house: House, job: Job, *, drops: bool = False, footing: Footing | None = None
) -> Job:
    """Park, save and leave."""
    await parked(house, job)
    save(job, drops=drops, leaves=True, footing=footing)
    await job.heard(Ended)
    return job


async def kept(house: House, run: str) -> bytes | None:
    """Return the snapshot of the run, if it has one."""
    saved = (await house.run(run)).saved
    return None if saved is None else await house.stores.snapshots.read(RunId(run), saved)
