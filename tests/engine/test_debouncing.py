"""Many triggers, one run: it is put off while it is delayed, whoever comes at the same time."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from headrace.engine.triggers import Start, trigger
from headrace.errors import Mistake, Unavailable
from headrace.kernel.commands import Change
from headrace.kernel.model import Delayed, RunId, later
from headrace.ports import Created, Ticket
from headrace.testing.faulting import Fault
from headrace.wire.channel import Ended
from headrace.wire.views import RunQuery, Triggered
from tests.engine.gates import Gates
from tests.engine.house import DECLARED, DEV, PROD, House, order
from tests.engine.worker import attached, started

K = {"key": "user:7", "delay": "5s"}
TRAILING = {**K, "mode": "trailing"}


async def again(house: House, payload: bytes = b"1", key: str = "", **options: object) -> Triggered:
    """Trigger under the key `K`, if nothing else is said."""
    asked = order(payload, **{"debounce": K, **options})
    return await house.api.trigger("work", asked, request_key=key)


async def begins_in(house: House, run: str) -> int:
    """Return after how many milliseconds the run begins."""
    state = (await house.run(run)).state
    assert isinstance(state, Delayed)
    return state.until - house.clock.now()


async def test_each_trigger_puts_the_run_off(house: House) -> None:
    async with attached(house) as worker:
        first = await again(house, b"1")
        assert first.is_cached is False
        for payload in (b"2", b"3"):
            await house.pass_time(4_999)
            found = await again(house, payload)
            assert (found.id, found.is_cached) == (first.id, True)
            assert found.public_token == first.public_token
        await house.pass_time(4_999)
        assert await house.status(first.id) == "DELAYED"
        await house.pass_time(1)
        assert (await worker.job(first.id)).assigned.payload == b"1"
        assert len((await house.api.list_runs(RunQuery())).data) == 1


async def test_the_last_trigger_counts_where_it_is_trailing(house: House) -> None:
    async with attached(house) as worker:
        run = (await again(house, b"1", debounce=TRAILING, tags=["a"], metadata={"n": 1})).id
        await again(house, b"2", debounce=TRAILING, tags=["b"], metadata={"n": 2}, maxAttempts=7)
        await again(house, b"3", debounce=TRAILING, maxDuration=9)
        view = await house.api.retrieve(run)
        assert view.tags == ["b"]
        await house.pass_time(5_000)
        told = (await worker.job(run)).assigned
        assert (told.payload, told.metadata, told.tags) == (b"3", b'{"n":2}', ("b",))
        limits = (await house.run(run)).limits
        assert (limits.max_attempts, limits.max_duration_ms) == (7, 9_000)


async def test_the_first_trigger_counts_where_nothing_else_is_said(house: House) -> None:
    run = (await again(house, b"1", tags=["a"], metadata={"n": 1})).id
    before = await house.api.retrieve(run)
    await again(house, b"2", tags=["b"], metadata={"n": 2}, maxAttempts=7)
    assert await house.api.retrieve(run) == before
    assert (await house.run(run)).limits.max_attempts == 3


async def test_a_run_that_has_begun_is_not_put_off(house: House) -> None:
    async with attached(house) as worker:
        first = await again(house)
        await house.pass_time(5_000)
        job = await worker.job(first.id)
        second = await again(house)
        assert (second.id != first.id, second.is_cached) == (True, False)
        assert (await again(house)).id == second.id
        job.complete()
        await job.heard(Ended)
        await house.api.cancel(second.id)
        assert (await again(house)).id not in {first.id, second.id}


async def test_a_trigger_never_brings_the_run_forward(house: House) -> None:
    run = (await again(house, debounce={**K, "delay": "1h"})).id
    await again(house)
    assert await begins_in(house, run) == 3_600_000
    await again(house, delay="3h")
    assert await begins_in(house, run) == 3_600_000


async def test_an_explicit_delay_is_that_of_the_first(house: House) -> None:
    run = (await again(house, delay="1h")).id
    assert await begins_in(house, run) == 3_600_000
    past = await again(house, delay="2020-01-01", debounce={**K, "key": "l"})
    assert await begins_in(house, past.id) == 5_000


async def test_a_run_is_put_off_no_longer_than_it_may_be(house: House) -> None:
    limited = {**K, "maxDelay": "12s"}
    first = (await again(house, debounce=limited)).id
    for _ in range(2):
        await house.pass_time(3_500)
        assert (await again(house, debounce=limited)).id == first
    assert await begins_in(house, first) == 5_000
    await house.pass_time(1)
    second = (await again(house, debounce=limited)).id
    assert second != first
    assert await begins_in(house, first) == 4_999
    assert (await again(house, debounce=limited)).id == second
    await house.pass_time(4_999)
    assert await house.status(first) == "QUEUED"
    assert (await again(house, debounce=limited)).id == second


async def test_keys_are_apart_by_task_and_environment(house: House) -> None:
    await house.engine.at(PROD).register(DECLARED)
    first = (await again(house)).id
    other = await house.api.trigger("strict", order(debounce=K))
    abroad = await house.engine.at(PROD).trigger("work", order(debounce=K))
    another = await again(house, debounce={**K, "key": "user:8"})
    assert len({first, other.id, abroad.id, another.id}) == 4


async def test_a_run_that_was_given_another_time_is_still_put_off(house: House) -> None:
    run = (await again(house)).id
    await house.api.reschedule(run, "1s")
    assert (await again(house)).id == run
    assert await begins_in(house, run) == 5_000


# --- at the same time -----------------------------------------------------------------------------


async def test_of_many_at_once_one_run_comes(house: House) -> None:
    triggers = [again(house, str(n).encode(), f"r{n}", debounce=TRAILING) for n in range(50)]
    found = await asyncio.gather(*triggers)
    assert len({one.id for one in found}) == 1
    assert sum(not one.is_cached for one in found) == 1
    assert len((await house.api.list_runs(RunQuery())).data) == 1


async def test_who_comes_as_the_run_begins_starts_another(troubled: tuple[House, Gates]) -> None:
    """The store finds it delayed; its desk is about to commit that it has begun."""
    house, gates = troubled
    first = (await again(house, b"1")).id
    await house.rest()
    gates.may_commit.clear()
    house.clock.advance(5_000)
    await house.until(lambda: gates.committing == 1)
    async with asyncio.TaskGroup() as group:
        coming = group.create_task(again(house, b"2"))
        waiting = house.core.desk(RunId(first))._slips  # pyright: ignore[reportPrivateUsage]  # a test may look inside
        await house.until(lambda: len(waiting) == 1)
        gates.may_commit.set()
    second = coming.result()
    assert (second.id != first, second.is_cached) == (True, False)
    assert [await house.status(run) for run in (first, second.id)] == ["QUEUED", "DELAYED"]


async def test_two_servers_on_one_file_make_one_run(house: House) -> None:
    # Another's write is what a second server does: the desk here knows an older version.
    first = (await again(house)).id
    run = await house.run(first)
    moved = replace(run, state=Delayed(later(house.clock.now(), 60_000)), version=run.version + 1)
    await house.stores.runs.commit(Change(run, moved))
    assert (await again(house, debounce={**K, "delay": "2m"})).id == first
    assert await begins_in(house, first) == 120_000


@pytest.mark.parametrize("landed", [False, True])
async def test_a_lost_answer_puts_the_run_off_once(
    troubled: tuple[House, Gates], *, landed: bool
) -> None:
    house, gates = troubled
    run = (await again(house, b"1", "r1", debounce=TRAILING)).id
    gates.fault = Fault(at=gates.writes + 2, landed=landed)  # finding it is the first write
    with pytest.raises(Unavailable):
        await again(house, b"2", "r2", debounce=TRAILING)
    await again(house, b"3", "r3", debounce=TRAILING)
    if landed:
        await again(house, b"2", "r2", debounce=TRAILING)
    view = await house.api.retrieve(run)
    assert bytes(view.payload) == b"3"  # type: ignore[arg-type]  # it is there
    await house.pass_time(5_000)
    late = await again(house, b"3", "r3", debounce=TRAILING)
    assert late.id == run, "the same request, though the run has begun"


async def test_an_idempotency_key_is_that_of_the_run_put_off(house: House) -> None:
    run = (await again(house, b"1")).id
    assert (await again(house, b"2", idempotencyKey="k")).id == run
    await house.pass_time(5_000)
    found = await house.api.trigger("work", order(idempotencyKey="k"))
    assert (found.id, found.is_cached) == (run, True)


async def test_a_single_use_token_puts_a_run_off_once(house: House) -> None:
    run = (await again(house, b"1")).id
    ticket = Ticket(b"t" * 32, later(house.clock.now(), 60_000))
    once = house.engine.at(DEV, ticket=ticket)
    found = await once.trigger("work", order(debounce=K), request_key="r")
    assert found.id == run
    assert (await once.trigger("work", order(debounce=K), request_key="r")).id == run
    with pytest.raises(Mistake, match="already been used"):
        await once.trigger("work", order(debounce=K), request_key="s")


async def test_a_task_puts_off_what_it_has_started(house: House) -> None:
    async with attached(house) as worker:
        job = await worker.job(await house.start())
        body = json.dumps({"payload": 1, "options": {"debounce": K}}).encode()
        for key in ("/t#0", "/t#1"):
            job.post(started(job, key, order=body))
        told = [json.loads((await job.told()).body) for _ in range(2)]
        assert told[0]["id"] == told[1]["id"]
        assert sorted(one["isCached"] for one in told) == [False, True]
        again = Start(DEV, "work", order(debounce=K), f"{job.run}/{job.entries[0].key}")
        found = await trigger(house.core, again)
        assert found == Created(RunId(told[0]["id"]), cached=True, by_request=True)


@pytest.mark.parametrize(
    "debounce",
    [
        {"key": "", "delay": "5s"},
        {"key": "x" * 513, "delay": "5s"},
        {"key": "k", "delay": "soon"},
        {"key": "k", "delay": "0s"},
        {"key": "k", "delay": "2030-01-01"},
        {"key": "k", "delay": "-5s"},
        {"key": "k", "delay": "5s", "maxDelay": "never"},
        {"key": "k", "delay": "5s", "maxDelay": "0s"},
    ],
)
async def test_a_debounce_that_means_nothing_starts_nothing(
    house: House, debounce: dict[str, str]
) -> None:
    with pytest.raises(Mistake) as refused:
        await again(house, debounce=debounce)
    assert refused.value.code == "mistake"
    assert not (await house.api.list_runs(RunQuery())).data


async def test_feeds_hear_of_a_run_put_off(house: House) -> None:
    run = (await again(house, b"1", debounce=TRAILING)).id
    seen = house.api.subscribe(run)
    before = await anext(seen)
    async with asyncio.TaskGroup() as group:
        coming = group.create_task(anext(seen))
        await house.pass_time(1_000)
        await again(house, b"2", debounce=TRAILING)
    after = coming.result()
    assert str(after.delayed_until) > str(before.delayed_until)
    assert bytes(after.payload) == b"2"  # type: ignore[arg-type]  # it is there
    await seen.aclose()
