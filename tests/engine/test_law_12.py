"""Law 12: nothing is dropped; over a limit the sender is told before anything is stored."""

from __future__ import annotations

import pytest

from headrace.engine import sends, triggers
from headrace.errors import BadRequest, HeadraceError, Mistake, Throttled, TooLarge
from headrace.kernel.commands import Change
from headrace.kernel.model import RunId, StreamId, inward
from headrace.ports import Delivering, Draft
from headrace.wire import edits
from headrace.wire.channel import Emit, Noted, Refusal, Unread
from headrace.wire.jsontext import MAX_DATA
from headrace.wire.views import RunQuery
from tests.engine.house import House, order
from tests.engine.worker import attached, emitted

NOTES, ORDERS = inward("notes"), inward("orders")
MIB = b'"' + b"x" * (MAX_DATA - 2) + b'"'


async def _fill(house: House, run: str, count: int, body: bytes, stream: StreamId = NOTES) -> None:
    """Append behind the engine's back, many at a time: a hundred thousand sends take long."""
    found, streams = await house.run(run), house.stores.streams
    assert isinstance(streams, Delivering)
    start = (await streams.backlog(found.id, stream, 0)).tail
    drafts = [Draft(found.id, stream, start + n, body, house.clock.now()) for n in range(count)]
    for first in range(0, count, 10_000):
        await streams.deliver(drafts[first : first + 10_000], Change(found, found))
    house.core.look_again()
    await house.rest()


async def test_law_12_the_last_message_that_fits_is_taken_and_the_next_refused(
    house: House,
) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        await _fill(house, run, sends.UNREAD_AT_MOST - 1, b"1")
        assert (await house.api.send(run, "notes", b"2")).seq == 99_999
        for _ in range(2):
            with pytest.raises(Throttled, match="100000 unread"):
                await house.api.send(run, "notes", b"3")
        job.stand()
        assert (await job.told()).seq == 0
        assert (await house.api.send(run, "notes", b"3")).seq == 100_000
        assert (await house.api.retrieve(run)).unread == {"notes": 100_000}


async def test_law_12_the_streams_of_a_run_share_its_limit(house: House) -> None:
    async with attached(house) as worker:
        run, other = await house.start(), await house.start()
        job = await worker.job(run)
        job.post(*(emitted(job, f"/o#{n}") for n in range(9)))  # what it writes does not count
        await _fill(house, run, 60_000, b"1")
        await _fill(house, run, sends.UNREAD_AT_MOST - 60_001, b"1", ORDERS)
        assert (await house.api.send(run, "orders", b"2")).seq == 39_999
        for stream in ("notes", "orders", "numbers"):
            with pytest.raises(Throttled, match="100000 unread"):
                await house.api.send(run, stream, b"3")
        full = {"notes": 60_000, "orders": 40_000}
        assert (await house.api.retrieve(run)).unread == full
        assert (await house.api.send(other, "notes", b"1")).seq == 0
        job.stand("notes")
        assert (await job.told()).seq == 0
        assert (await house.api.send(run, "orders", b"3")).seq == 40_000
        with pytest.raises(Throttled):
            await house.api.send(run, "notes", b"3")
        job.stand("orders", "/q#1")
        assert (await job.told()).seq == 0
        assert (await house.api.send(run, "numbers", b"3")).seq == 0


async def test_law_12_the_streams_of_a_run_share_its_bytes(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        half = sends.UNREAD_BYTES_AT_MOST // MAX_DATA // 2
        await _fill(house, run, half, MIB)
        await _fill(house, run, half - 1, MIB, ORDERS)
        assert (await house.api.send(run, "orders", MIB)).seq == half - 1
        for stream in ("notes", "orders", "numbers"):
            with pytest.raises(Throttled, match="bytes"):
                await house.api.send(run, stream, b"1")
        assert (await house.api.retrieve(run)).unread == {"notes": half, "orders": half}
        job.stand("orders")
        assert (await job.told()).seq == 0
        assert (await house.api.send(run, "notes", b"1")).seq == half
        assert (await house.api.send(run, "numbers", b"1")).seq == 0


async def test_law_12_unread_bytes_have_a_limit(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        count = sends.UNREAD_BYTES_AT_MOST // MAX_DATA
        await _fill(house, run, count - 1, MIB)
        assert (await house.api.send(run, "notes", MIB)).seq == count - 1
        with pytest.raises(Throttled, match="bytes"):
            await house.api.send(run, "notes", b"1")
        job.stand()
        assert (await job.told()).seq == 0
        assert (await house.api.send(run, "notes", b"1")).seq == count


async def test_law_12_a_message_holds_a_mebibyte_and_no_byte_more(house: House) -> None:
    run = await house.start()
    assert (await house.api.send(run, "notes", MIB)).seq == 0
    with pytest.raises(TooLarge):
        await house.api.send(run, "notes", MIB + b" ")
    assert (await house.api.retrieve(run)).unread == {"notes": 1}


async def test_law_12_an_output_record_has_the_same_limit(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.post(emitted(job, "/o#0", MIB), emitted(job, "/o#1", MIB + b" "))
        assert (await job.heard(Emit)).key == "/o#0"
        refusal = await job.heard(Refusal)
        assert (refusal.key, refusal.code) == ("/o#1", "too_large")


async def test_law_12_metadata_has_a_limit(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        value = b'"' + b"x" * 200_000 + b'"'
        job.post(Noted(run, job.epoch, "a", value), Noted(run, job.epoch, "b", value))
        refusal = await job.heard(Refusal)
        assert refusal.code == "too_large"
        assert await house.stores.runs.metadata(RunId(run)) == b'{"a":' + value + b"}"


BAD_ORDERS: list[tuple[type[HeadraceError], dict[str, object]]] = [
    (Mistake, {"tags": [f"t{n}" for n in range(triggers.TAGS_AT_MOST + 1)]}),
    (BadRequest, {"tags": ["x" * (triggers.TAG_LENGTH + 1)]}),
    (BadRequest, {"tags": [""]}),
    (BadRequest, {"idempotencyKey": "k" * (triggers.KEY_LENGTH + 1)}),
    (BadRequest, {"metadata": [1]}),
    (TooLarge, {"metadata": {"a": "x" * edits.MOST}}),
    (BadRequest, {"maxAttempts": 0}),
    (BadRequest, {"maxDuration": -1}),
    (BadRequest, {"delay": "yesterday"}),
    (BadRequest, {"ttl": "long"}),
]


@pytest.mark.parametrize(("error", "options"), BAD_ORDERS)
async def test_law_12_what_no_run_may_have_starts_none(
    house: House, error: type[HeadraceError], options: dict[str, object]
) -> None:
    with pytest.raises(error):
        await house.api.trigger("work", order(b"1", **options))
    assert not (await house.api.list_runs(RunQuery())).data


async def test_law_12_a_payload_has_a_limit(house: House) -> None:
    most = b'"' + b"x" * (triggers.PAYLOAD_AT_MOST - 2) + b'"'
    await house.start(payload=most)
    with pytest.raises(TooLarge):
        await house.start(payload=b'"x' + most[1:])


async def test_law_12_the_newest_of_many_unread_is_shown(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        await _fill(house, run, 500, b"1")
        assert (await job.heard(Unread)).seq == 499
