"""New code: runs that the old one could not replay try again (law 11)."""

from __future__ import annotations

from msgspec.structs import replace

from headrace.kernel.model import Cause
from headrace.wire.channel import Blocked, Ended
from tests.engine.house import DECLARED, House
from tests.engine.worker import attached


async def test_law_11_a_blocked_run_waits_for_new_code_and_burns_no_attempt(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.post(Blocked(run, job.epoch, Cause("-step a\n+step b", "Diverged")))
        await job.heard(Ended)
        view = await house.api.retrieve(run)
        assert (view.status, view.blocked) == ("PENDING_VERSION", "-step a\n+step b")

        await house.api.register(DECLARED)  # the same code again changes nothing
        await house.rest()
        assert await house.status(run) == "PENDING_VERSION"

        await house.api.register(replace(DECLARED, version="2"))
        again = await worker.job(run)
        assert (again.assigned.attempt, again.epoch) == (1, 2)


async def test_law_11_a_task_that_the_new_code_does_not_have_stays_blocked(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.post(Blocked(run, job.epoch, Cause("-step a\n+step b", "Diverged")))
        await job.heard(Ended)
        others = tuple(task for task in DECLARED.tasks if task.id != "work")
        await house.api.register(replace(DECLARED, version="2", tasks=others))
        await house.rest()
        assert await house.status(run) == "PENDING_VERSION"
