"""The server itself has a bug: it is logged, the run fails with it, and nothing comes for ever."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from headrace.engine import operations
from headrace.errors import TooLarge
from headrace.kernel.machine import outcome_of
from headrace.kernel.model import Cause, Failed, RunId
from headrace.testing.faults import Bug
from headrace.wire import channel as ch
from headrace.wire.channel import FAULT, Ended, Refusal, Stopping
from tests.engine.gates import Gates
from tests.engine.house import House
from tests.engine.worker import Job, attached, emitted, sent, started

Act = Callable[[Job], None]
ASKED: dict[str, Act] = {
    "Standing": lambda job: job.stand(held=True),
    "Remembered": lambda job: job.step("/s#0"),
    "Emitted": lambda job: job.post(emitted(job, "/o#0")),
    "Noted": lambda job: job.post(ch.Noted(job.run, job.epoch, "a", b"1", "/n#0")),
    "Started": lambda job: job.post(started(job, "/t#0")),
    "Sent": lambda job: job.post(sent(job, "/m#0", job.run)),
    "Completed": lambda job: job.complete(),
    "Raised": lambda job: job.fail(),
    "Released": lambda job: job.release(),
}


async def _failed(house: House, run: str) -> Cause:
    outcome = outcome_of(await house.run(run))
    assert isinstance(outcome, Failed)
    assert outcome.cause.name == "ServerFault"
    return outcome.cause


def _breaks(*_: object) -> bytes:
    raise Bug("a planted bug")


@pytest.mark.parametrize("name", ASKED)
async def test_a_bug_at_an_operation_ends_the_run_with_its_cause(
    troubled: tuple[House, Gates], name: str
) -> None:
    house, gates = troubled
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        await house.rest()
        gates.fail_next(bug=True)
        with capture_logs() as logs:
            ASKED[name](job)
            await job.heard(Ended)
        cause = await _failed(house, run)
        assert name in cause.message
        assert "has a bug" in cause.message
        assert worker.unread(run) == []
        assert ["in write" in log.get("trace", "") for log in logs] == [True]
        assert house.core.seats.all()[0].running == set()


async def test_a_bug_in_an_operations_own_code_does_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with attached(house) as worker:
        run, other = await house.start(), await house.start()
        job, bystander = await worker.job(run), await worker.job(other)
        with monkeypatch.context() as planted:
            planted.setattr(operations, "key_of", _breaks)
            job.post(emitted(job, "/o#0"))
            bystander.step("/s#0")
            await job.heard(Ended)
        assert "a planted bug" in (await _failed(house, run)).message
        assert (await bystander.told()).key == "/s#0"
        bystander.complete()
        await bystander.heard(Ended)


async def test_a_bug_before_an_operation_reaches_its_run_does_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        with monkeypatch.context() as planted:
            planted.setattr(operations, "_plain", _breaks)
            job.complete()
            await job.heard(Ended)
        assert "a planted bug" in (await _failed(house, run)).message


async def test_an_end_that_is_refused_for_any_reason_leaves_no_run_without_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> None:
        raise TooLarge("an odd limit")

    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        with monkeypatch.context() as planted:
            planted.setattr(operations, "_plain", refuses)
            job.complete()
            await job.heard(Ended)
        assert "an odd limit" in (await _failed(house, run)).message


async def test_a_run_that_was_told_to_stop_ends_so_in_spite_of_a_bug(
    troubled: tuple[House, Gates],
) -> None:
    house, gates = troubled
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        await house.api.cancel(run)
        await job.heard(Stopping)
        await house.rest()
        gates.fail_next(bug=True)
        job.step("/s#0")
        await job.heard(Ended)
        assert await house.status(run) == "CANCELED"


async def test_where_the_store_is_in_trouble_as_well_the_worker_comes_again(
    troubled: tuple[House, Gates], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, gates = troubled
    async with attached(house) as worker:
        run = await house.start()
        job = await worker.job(run)
        await house.rest()
        monkeypatch.setattr(operations, "key_of", _breaks)
        gates.commits_fail = True
        job.post(emitted(job, "/o#0"))
        refusal = await job.heard(Refusal)
        assert (refusal.key, refusal.code) == ("/o#0", "unavailable")
        gates.commits_fail = False
        await house.rest()
        job.post(emitted(job, "/o#0"))
        await job.heard(Ended)
        await _failed(house, run)


async def test_a_run_that_cannot_even_be_ended_is_dropped_by_its_worker(
    troubled: tuple[House, Gates],
) -> None:
    house, gates = troubled
    async with attached(house) as worker:
        run, other = await house.start(), await house.start()
        job, bystander = await worker.job(run), await worker.job(other)
        gates.broken = RunId(run)
        with capture_logs() as logs:
            job.complete()
            refusal = await job.heard(Refusal)
        assert (refusal.key, refusal.code) == ("", FAULT)
        assert len([log for log in logs if "cannot be written" in log.get("trace", "")]) == 2
        await house.pass_time(10_000)
        assert worker.unread(run) == []  # it does not come for ever
        bystander.complete()
        await bystander.heard(Ended)


async def test_one_run_that_cannot_be_read_does_not_keep_its_worker_from_coming_back(
    troubled: tuple[House, Gates],
) -> None:
    house, gates = troubled
    async with attached(house) as worker:
        run, other = await house.start(), await house.start()
        job, bystander = await worker.job(run), await worker.job(other)
        job.step("/s#0")
        holding = job.holding
        await job.told()
        await house.rest()
    gates.broken_journal = RunId(run)
    with capture_logs() as logs:
        async with attached(house, holding, bystander.holding) as worker:
            await Job(worker, job.assigned).heard(Ended)
            bystander.moves_to(worker)
            bystander.complete()
            await bystander.heard(Ended)
    assert "cannot be read" in (await _failed(house, run)).message
    assert any("cannot be read" in log.get("trace", "") for log in logs)
