"""Starting runs: delays, times to live, attempts, and idempotency keys."""

from __future__ import annotations

from typing import Literal

import pytest

from headrace.errors import BadValue, NotFound
from headrace.kernel.model import RunId
from headrace.wire.channel import Ended, Refusal
from headrace.wire.registration import Registration, TaskSpec
from headrace.wire.views import RunQuery
from tests.engine.gates import Gates
from tests.engine.house import PROD, House, order
from tests.engine.worker import attached, parked, started

DAY_MS = 86_400_000
Ending = Literal["completed", "canceled", "failed", "expired"]


# --- when ---------------------------------------------------------------------------------------


async def test_a_delayed_run_is_given_out_at_its_moment(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start(delay="90s")
        await house.pass_time(89_999)
        assert worker.unread() == []
        assert await house.status(run) == "DELAYED"
        await house.pass_time(1)
        assert (await worker.job(run)).assigned.attempt == 1


async def test_a_delay_that_has_passed_is_none(house: House) -> None:
    async with attached(house) as worker:
        await worker.job(await house.start(delay="2020-01-01"))


async def test_a_run_that_nobody_starts_in_time_expires(house: House) -> None:
    run = await house.start(ttl="5m")
    await house.pass_time(299_999)
    assert await house.status(run) == "QUEUED"
    await house.pass_time(1)
    view = await house.api.retrieve(run)
    assert (view.status, view.is_failed, view.ttl) == ("EXPIRED", True, "5m")


async def test_a_run_that_was_started_in_time_does_not_expire(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start(ttl="5m")
        job = await parked(house, await worker.job(run))
        job.release()
        await job.heard(Ended)
    await house.api.send(run, "notes", b"1")
    await house.pass_time(10 * 300_000)
    assert await house.status(run) == "QUEUED"


async def test_a_time_to_live_begins_with_the_end_of_the_delay(house: House) -> None:
    run = await house.start(delay="1h", ttl="5m")
    await house.pass_time(3_600_000)
    assert await house.status(run) == "QUEUED"
    await house.pass_time(300_000)
    assert await house.status(run) == "EXPIRED"


async def test_a_worker_with_room_is_not_given_what_is_too_old(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start(delay="1h", ttl="5m")
        await house.pass_time(3_600_000 + 300_000)  # nobody looked when the delay was over
        assert await house.status(run) == "EXPIRED"
        assert worker.unread(run) == []


async def test_a_task_may_have_a_time_to_live_of_its_own(house: House) -> None:
    run, patient = await house.start("short"), await house.start("short", ttl="1h")
    await house.pass_time(60_000)
    assert [await house.status(one) for one in (run, patient)] == ["EXPIRED", "QUEUED"]


# --- how often ----------------------------------------------------------------------------------


async def test_a_task_that_raises_is_tried_again_with_growing_pauses(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start(maxAttempts=4)
        for attempt, pause in ((1, 1_000), (2, 2_000), (3, 4_000)):
            job = await worker.job(run)
            assert (job.assigned.attempt, job.epoch) == (attempt, attempt)
            job.fail()
            await job.heard(Ended)
            await house.pass_time(pause - 1)
            assert worker.unread() == []
            await house.pass_time(1)
        job = await worker.job(run)
        job.fail()
        await job.heard(Ended)
        view = await house.api.retrieve(run)
        assert (view.status, view.attempt_count) == ("FAILED", 4)


async def test_where_another_try_is_pointless_there_is_none(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.fail(again=False)
        await job.heard(Ended)
        assert await house.status(run) == "FAILED"


async def test_the_next_attempt_replays_all_but_the_failures_at_the_end(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.step("/a#0", b"1")
        job.step("/b#0", b"{}", "failure")
        job.step("/c#0", b"{}", "failure")
        for _ in range(3):
            await job.told()
        job.fail(undone=1)
        await house.pass_time(1_000)
        job = await worker.job(run)
        assert [(entry.n, entry.key) for entry in job.entries] == [(0, "/a#0")]
        job.step("/b#0", b"2")
        assert (await job.told()).n == 1
        journal = await house.stores.runs.journal(RunId(run))
        assert [(entry.key, entry.body) for entry in journal] == [("/a#0", b"1"), ("/b#0", b"2")]


async def test_an_entry_that_the_worker_had_not_seen_is_kept(house: House) -> None:
    """A take landed while the task was raising: it is not undone with the failures."""
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.step("/b#0", b"{}", "failure")
        await job.told()
        job.stand()
        await house.rest()
        await house.api.send(run, "notes", b"7")
        job.fail(undone=0)
        await house.pass_time(1_000)
        job = await worker.job(run)
        assert [entry.key for entry in job.entries] == ["/b#0", "/q#0"]


# --- keys ---------------------------------------------------------------------------------------


async def _ended(house: House, how: Ending) -> str:
    run = await house.start(idempotencyKey="k", ttl="1m")
    if how == "canceled":
        await house.api.cancel(run)
    elif how == "expired":
        await house.pass_time(60_000)
    else:
        async with attached(house) as worker:
            job = await worker.job(run)
            job.fail(again=False) if how == "failed" else job.complete()
            await job.heard(Ended)
    assert await house.status(run) == how.upper()
    return run


@pytest.mark.parametrize("how", ["completed", "canceled"])
async def test_a_key_gives_the_run_that_ended_well(house: House, how: Ending) -> None:
    run = await _ended(house, how)
    again = await house.api.trigger("work", order(idempotencyKey="k"))
    assert (again.id, again.is_cached) == (run, True)


@pytest.mark.parametrize("how", ["failed", "expired"])
async def test_a_run_that_failed_sets_its_key_free(house: House, how: Ending) -> None:
    run = await _ended(house, how)
    fresh = await house.api.trigger("work", order(idempotencyKey="k"))
    assert (fresh.id != run, fresh.is_cached) == (True, False)
    again = await house.api.trigger("work", order(idempotencyKey="k"))
    assert (again.id, again.is_cached) == (fresh.id, True)


async def test_a_key_is_free_again_after_its_time(house: House) -> None:
    run = await house.start(idempotencyKey="k", idempotencyKeyTTL="1h")
    await house.pass_time(3_599_999)
    assert await house.start(idempotencyKey="k") == run
    await house.pass_time(1)
    fresh = await house.start(idempotencyKey="k")
    assert fresh != run
    await house.pass_time(29 * DAY_MS)
    assert await house.start(idempotencyKey="k") == fresh
    await house.pass_time(DAY_MS)
    assert await house.start(idempotencyKey="k") != fresh


async def test_keys_are_apart_by_task_and_environment(house: House) -> None:
    prod = House(house.stores, house.clock, house.engine, PROD)
    await prod.api.register(Registration(version="1", tasks=(TaskSpec(id="work"),), streams=()))
    runs = {
        await house.start(idempotencyKey="k"),
        await house.start("short", idempotencyKey="k"),
        await prod.start(idempotencyKey="k"),
    }
    assert len(runs) == 3


async def test_a_repeated_request_is_the_same_run_and_not_cached(house: House) -> None:
    one = await house.api.trigger("work", order(), request_key="r")
    two = await house.api.trigger("work", order(), request_key="r")
    assert (two.id, two.is_cached) == (one.id, False)
    both = await house.api.trigger("work", order(idempotencyKey="k"), request_key="s")
    again = await house.api.trigger("work", order(idempotencyKey="k"), request_key="s")
    assert (again.id, again.is_cached) == (both.id, False)
    other = await house.api.trigger("work", order(idempotencyKey="k"), request_key="t")
    assert (other.id, other.is_cached) == (both.id, True)


async def test_a_requests_key_is_free_again_after_a_day(house: House) -> None:
    one = await house.api.trigger("work", order(), request_key="r")
    await house.pass_time(DAY_MS)
    two = await house.api.trigger("work", order(), request_key="r")
    assert two.id != one.id


async def test_a_child_is_started_once_however_long_it_takes_to_record_it(
    troubled: tuple[House, Gates],
) -> None:
    """It was started, but the run's journal could not be written for forty days."""
    house, gates = troubled
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        gates.commits_fail = True
        job.post(started(job, "/t#0", "strict", b'{"payload":1}'))
        assert (await job.heard(Refusal)).code == "unavailable"
        gates.commits_fail = False
        await house.pass_time(40 * DAY_MS)
        job.post(started(job, "/t#0", "strict", b'{"payload":1}'))
        assert (await job.told()).kind == "trigger"
    page = await house.api.list_runs(RunQuery(task=("strict",)))
    assert len(page.data) == 1


# --- what is not there --------------------------------------------------------------------------


async def test_what_is_wrong_starts_nothing(house: House) -> None:
    with pytest.raises(NotFound, match="unheard"):
        await house.start("unheard")
    with pytest.raises(BadValue, match="integer"):
        await house.start("strict", b'"seven"')
    with pytest.raises(NotFound):
        await house.engine.at(PROD).trigger("work", order())
    assert not (await house.api.list_runs(RunQuery())).data
