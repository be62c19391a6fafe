"""New code: runs that the old one could not replay try again (law 11)."""

from __future__ import annotations

from msgspec.structs import replace

from headrace.engine.deploys import try_again
from headrace.kernel.model import Cause
from headrace.wire.channel import Blocked, Ended
from tests.engine.house import DECLARED, House
from tests.engine.worker import Worker, attached

NEW = replace(DECLARED, version="2")


async def _blocked(house: House, worker: Worker) -> str:
    """Start a run that the worker's code does not fit, once what that has come for is done."""
    await house.rest()
    run = await house.start()
    job = await worker.job(run)
    job.post(Blocked(run, job.epoch, Cause("-step a\n+step b", "Diverged")))
    await job.heard(Ended)
    return run


async def test_law_11_a_blocked_run_waits_for_new_code_and_burns_no_attempt(house: House) -> None:
    async with attached(house) as old:
        run = await _blocked(house, old)
        view = await house.api.retrieve(run)
        assert (view.status, view.blocked) == ("PENDING_VERSION", "-step a\n+step b")

        await house.api.register(DECLARED)  # the same code again changes nothing
        await house.rest()
        assert await house.status(run) == "PENDING_VERSION"

        await house.api.register(NEW)  # the old code, still there, would only block it again
        await house.rest()
        assert await house.status(run) == "PENDING_VERSION"

        async with attached(house, name="new", version="2") as new:
            again = await new.job(run)
            assert (again.assigned.attempt, again.epoch) == (1, 2)


async def test_law_11_new_code_tries_once_however_often_it_comes(house: House) -> None:
    await house.api.register(NEW)
    async with attached(house, version="2") as worker:
        run = await _blocked(house, worker)
    for name in ("worker", "another"):
        async with attached(house, name=name, version="2"):
            await house.rest()
            assert await house.status(run) == "PENDING_VERSION"


async def test_law_11_new_code_leaves_what_it_has_blocked_itself(house: House) -> None:
    """Looking for blocked runs may be slow: the worker has taken one up meanwhile."""
    await house.api.register(NEW)
    async with attached(house, version="2") as worker:
        await house.rest()
        await house.pass_time(1)
        run = await _blocked(house, worker)
        (seat,) = house.core.seats.all()
        house.core.tried.clear()
        await try_again(house.core, seat, "2")
        await house.rest()
        assert await house.status(run) == "PENDING_VERSION"


async def test_law_11_old_code_that_comes_back_is_not_new(house: House) -> None:
    async with attached(house) as old:
        run = await _blocked(house, old)
    await house.api.register(NEW)
    async with attached(house):
        await house.rest()
        assert await house.status(run) == "PENDING_VERSION"


async def test_law_11_code_that_is_put_back_is_new_again(house: House) -> None:
    await house.api.register(NEW)
    async with attached(house, version="2") as new:
        run = await _blocked(house, new)
        await house.api.register(DECLARED)
        async with attached(house, name="put back") as worker:
            await worker.job(run)


async def test_law_11_where_new_code_has_no_room_the_run_is_queued(house: House) -> None:
    async with attached(house) as old:
        run = await _blocked(house, old)
    await house.api.register(NEW)
    async with attached(house, name="new", version="2", slots=0):
        await house.rest()
        assert await house.status(run) == "QUEUED"


async def test_law_11_a_task_that_the_new_code_does_not_have_stays_blocked(house: House) -> None:
    async with attached(house) as worker:
        run = await _blocked(house, worker)
    await house.api.register(NEW)
    async with attached(house, name="new", version="2", tasks=("short",)):
        await house.rest()
        assert await house.status(run) == "PENDING_VERSION"
