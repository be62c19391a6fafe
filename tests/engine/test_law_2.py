"""Law 2: a send is acknowledged once it is durable and whoever waits was made runnable."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from headrace.errors import KeyReused, RunIsOver
from headrace.kernel.model import Queued, RunId, Running, inward
from headrace.ports import Api
from headrace.wire.channel import Ended
from headrace.wire.views import Receipt
from tests.engine.house import DECLARED, Ground, House
from tests.engine.worker import attached, parked

NEW = Receipt(seq=0, duplicate=False, resumed=False)
AGAIN = Receipt(seq=0, duplicate=True, resumed=False)
Send = Callable[[Api, str, bytes], Awaitable[Receipt]]


async def _by_key(api: Api, run: str, body: bytes) -> Receipt:
    return await api.send(run, "notes", body, key="click")


async def _by_request(api: Api, run: str, body: bytes) -> Receipt:
    return await api.send(run, "notes", body, request_key="click")


async def test_law_2_what_is_acknowledged_is_in_the_log(house: House) -> None:
    run = await house.start()
    assert await house.api.send(run, "notes", b'"kept"') == NEW
    (record,) = await house.stores.streams.read(RunId(run), inward("notes"), 0, 9)
    assert (record.seq, record.body, record.at) == (0, b'"kept"', house.clock.now())


async def test_law_2_a_warm_run_is_runnable_before_the_acknowledgement(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        await parked(house, await worker.job(run))
        assert (await house.api.send(run, "notes", b"1")).resumed
        assert isinstance((await house.run(run)).state, Running)


async def test_law_2_a_cold_run_is_runnable_before_the_acknowledgement(house: House) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await parked(house, await worker.job(run))
        job.release()
        await job.heard(Ended)
    assert (await house.api.send(run, "notes", b"1")).resumed
    assert isinstance((await house.run(run)).state, Queued)


async def test_law_2_only_what_a_wait_took_has_resumed(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await parked(house, await worker.job(run))
        assert not (await house.api.send(run, "orders", b"1")).resumed
        assert (await house.api.send(run, "notes", b"1")).resumed
        assert not (await house.api.send(run, "notes", b"2")).resumed
        assert (await job.told()).body == b"1"


@pytest.mark.parametrize("send", [_by_key, _by_request])
async def test_law_2_the_same_key_gives_the_same_receipt(house: House, send: Send) -> None:
    run = await house.start()
    assert await send(house.api, run, b"1") == NEW
    assert (await house.api.send(run, "notes", b"2")).seq == 1
    assert await send(house.api, run, b"1") == AGAIN
    assert (await house.api.retrieve(run)).unread == {"notes": 2}


@pytest.mark.parametrize("send", [_by_key, _by_request])
async def test_law_2_the_same_key_with_another_body_is_refused(house: House, send: Send) -> None:
    run = await house.start()
    await send(house.api, run, b"1")
    with pytest.raises(KeyReused) as refused:
        await send(house.api, run, b"2")
    assert refused.value.facts == {"seq": 0}
    assert (await house.api.retrieve(run)).unread == {"notes": 1}


async def test_law_2_keys_of_callers_and_of_requests_are_apart(house: House) -> None:
    run = await house.start()
    assert (await _by_key(house.api, run, b"1")).seq == 0
    assert (await _by_request(house.api, run, b"2")).seq == 1


async def test_law_2_keys_are_apart_by_stream_and_by_run(house: House) -> None:
    one, two = await house.start(), await house.start()
    assert await _by_key(house.api, one, b"1") == NEW
    assert await _by_key(house.api, two, b"2") == NEW
    assert await house.api.send(one, "orders", b"3", key="click") == NEW


async def test_law_2_without_a_key_the_same_body_is_another_message(house: House) -> None:
    run = await house.start()
    assert [(await house.api.send(run, "notes", b"1")).seq for _ in range(3)] == [0, 1, 2]


async def test_law_2_a_repeat_is_no_repeat_of_what_was_taken(house: House) -> None:
    """The value was consumed long ago; the receipt is the same, and nothing is consumed again."""
    async with attached(house) as worker:
        run = await house.start()
        job = await parked(house, await worker.job(run))
        first = await _by_key(house.api, run, b"1")
        assert (first.seq, first.duplicate, first.resumed) == (0, False, True)
        assert (await job.told()).body == b"1"
        job.stand(key="/q#1", held=True)
        await house.rest()
        assert await _by_key(house.api, run, b"1") == AGAIN
        assert [wait.key for wait in (await house.run(run)).waits] == ["/q#1"]


async def test_law_2_a_repeat_after_the_end_gives_the_receipt(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        await _by_key(house.api, run, b"1")
        job.complete()
        await job.heard(Ended)
        assert await _by_key(house.api, run, b"1") == AGAIN
        with pytest.raises(KeyReused):
            await _by_key(house.api, run, b"2")
        with pytest.raises(RunIsOver):
            await house.api.send(run, "notes", b"1", key="another")


async def test_law_2_a_repeat_after_a_restart_gives_the_receipt(ground: Ground) -> None:
    async with ground.house() as house:
        await house.api.register(DECLARED)
        run = await house.start()
        await _by_key(house.api, run, b"1")
    async with ground.house("again") as house:
        assert await _by_key(house.api, run, b"1") == AGAIN
