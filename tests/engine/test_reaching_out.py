"""Runs that start and send to others: what comes of it is recorded once, whatever it is."""

from __future__ import annotations

import msgspec
import pytest

from headrace.engine import sends
from headrace.kernel.model import Entry, RunId
from headrace.wire import channel as ch
from headrace.wire.channel import Ended, Fenced, Refusal
from headrace.wire.views import Receipt, RunQuery
from tests.engine.gates import Gates
from tests.engine.house import House
from tests.engine.worker import attached, emitted, sent, started


class _Child(msgspec.Struct, rename="camel"):
    id: str
    is_cached: bool


class _Fault(msgspec.Struct):
    message: str
    name: str
    code: str


def _child(entry: Entry) -> _Child:
    assert (entry.kind, entry.ending) == ("trigger", "value")
    return msgspec.json.decode(entry.body, type=_Child)


def _fault(entry: Entry) -> _Fault:
    assert entry.ending == "failure"
    return msgspec.json.decode(entry.body, type=_Fault)


async def test_a_child_is_started_and_its_id_recorded(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.post(started(job, "/t#0", "strict", b'{"payload":7,"options":{"tags":["c"]}}'))
        child = _child(await job.told())
        view = await house.api.retrieve(child.id)
        assert (view.task_identifier, view.tags, view.depth) == ("strict", ["c"], 1)
        assert not child.is_cached


async def test_children_of_one_run_are_told_apart_by_their_places(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        for n in range(3):
            job.post(started(job, f"/t#{n}", "strict", b'{"payload":7}'))
        children = {_child(await job.told()).id for _ in range(3)}
        assert len(children) == 3


async def test_a_childs_own_key_may_find_an_older_run(house: House) -> None:
    older = await house.start("strict", idempotencyKey="k")
    async with attached(house) as worker:
        job = await worker.job(await house.start())
        order = b'{"payload":7,"options":{"idempotencyKey":"k"}}'
        job.post(started(job, "/t#0", "strict", order))
        child = _child(await job.told())
        assert (child.id, child.is_cached) == (older, True)


@pytest.mark.parametrize(
    ("task", "order", "code"),
    [
        ("unheard", b"{}", "not_found"),
        ("strict", b'{"payload":"seven"}', "bad_value"),
        ("strict", b"no JSON", "bad_request"),
        ("strict", b'{"payload":7,"options":{"delay":"soon"}}', "bad_request"),
    ],
)
async def test_a_child_that_cannot_be_is_a_failure(
    house: House, task: str, order: bytes, code: str
) -> None:
    async with attached(house) as worker:
        job = await worker.job(await house.start())
        job.post(started(job, "/t#0", task, order))
        entry = await job.told()
        assert (entry.kind, _fault(entry).code) == ("trigger", code)
    assert len((await house.api.list_runs(RunQuery())).data) == 1


async def test_a_run_sends_to_another_and_to_itself(house: House) -> None:
    other = await house.start("strict")
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        for n, target in enumerate((other, run)):
            job.post(sent(job, f"/m#{n}", target, b"7"))
            entry = await job.told()
            receipt = msgspec.json.decode(entry.body, type=Receipt)
            assert (entry.kind, receipt.seq, receipt.duplicate) == ("send", 0, False)
            assert (await house.api.retrieve(target)).unread == {"notes": 1}


async def test_a_senders_own_key_is_the_callers(house: House) -> None:
    other = await house.start("strict")
    await house.api.send(other, "notes", b"7", key="k")
    async with attached(house) as worker:
        job = await worker.job(await house.start())
        job.post(
            ch.Sent(job.run, job.epoch, "/m#0", other, "notes", b"7", idempotency_key="k"),
            ch.Sent(job.run, job.epoch, "/m#1", other, "notes", b"8", idempotency_key="k"),
        )
        receipt = msgspec.json.decode((await job.told()).body, type=Receipt)
        assert (receipt.seq, receipt.duplicate) == (0, True)
        assert _fault(await job.told()).code == "key_reused"


async def test_a_send_that_is_refused_is_a_failure(house: House) -> None:
    over = await house.start("strict")
    await house.api.cancel(over)
    async with attached(house) as worker:
        job = await worker.job(await house.start())
        for n, target in enumerate(("run_nobody", over)):
            job.post(sent(job, f"/m#{n}", target))
        codes = {_fault(await job.told()).code for _ in range(2)}
        assert codes == {"not_found", "run_is_over"}


async def test_a_send_to_a_run_that_has_no_room_is_a_failure(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sends, "UNREAD_AT_MOST", 1)
    other = await house.start("strict")
    async with attached(house) as worker:
        job = await worker.job(await house.start())
        job.post(sent(job, "/m#0", other))
        assert (await job.told()).ending == "value"
        job.post(sent(job, "/m#1", other))
        assert _fault(await job.told()).code == "throttled"


async def test_two_runs_that_send_to_each_other_wait_for_nobody(house: House) -> None:
    async with attached(house) as worker:
        jobs = [await worker.job(await house.start()) for _ in range(2)]
        for one, other in (jobs, jobs[::-1]):
            one.post(*(sent(one, f"/m#{n}", other.run, b"%d" % n) for n in range(20)))
        for job in jobs:
            assert {(await job.told()).ending for _ in range(20)} == {"value"}
        assert {(await house.api.retrieve(job.run)).unread["notes"] for job in jobs} == {20}


@pytest.mark.parametrize("spared", [0, 1, 2], ids=["asked for", "reached out", "recorded"])
@pytest.mark.parametrize("landed", [False, True])
async def test_what_may_have_happened_is_no_failure_but_asked_again(
    troubled: tuple[House, Gates], *, landed: bool, spared: int
) -> None:
    house, gates = troubled
    other = await house.start("strict")
    async with attached(house) as worker:
        job = await worker.job(await house.start())
        await house.rest()
        for operation in (
            started(job, "/t#0", "strict", b'{"payload":7}'),
            sent(job, "/m#0", other),
        ):
            gates.fail_next(landed=landed, spared=spared)
            job.post(operation)
            assert (await job.heard(Refusal)).code == "unavailable"
            job.post(operation)
            assert (await job.told()).ending == "value"
    assert len((await house.api.list_runs(RunQuery(task=("strict",)))).data) == 2
    assert (await house.api.retrieve(other)).unread == {"notes": 1}


async def test_what_is_asked_for_in_an_older_epoch_is_fenced_before_it_happens(
    house: House,
) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.epoch -= 1
        job.post(started(job, "/t#0"), sent(job, "/m#0", run), emitted(job, "/o#0"))
        for _ in range(3):
            await job.heard(Fenced)
    assert len((await house.api.list_runs(RunQuery())).data) == 1
    assert list(await house.stores.streams.ends(RunId(run))) == []


async def test_a_child_is_no_part_of_its_parents_end(house: House) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        job.post(started(job, "/t#0"))
        child = _child(await job.told())
        job.complete()
        await job.heard(Ended)
        assert (await worker.job(child.id)).assigned.attempt == 1
