"""Law 10: what was acknowledged survives, whatever happens to the process.

The file and its log are copied at the moment of the acknowledgement: that is what a killed process
leaves behind. The copy is opened as if after a crash. (Power cuts are tested on the backend.)
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from headrace.errors import KeyReused
from headrace.kernel.model import RunId, Waiting, inward
from headrace.testing.clock import ManualClock
from headrace.wire.channel import Ended, Noted, Told
from headrace.wire.views import Receipt, RunQuery
from tests.engine.house import DECLARED, PATIENCE_S, Ground, House
from tests.engine.saving import save
from tests.engine.worker import attached, emitted, parked


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "headrace.db"


@pytest.fixture
async def house(clock: ManualClock, file: Path) -> AsyncGenerator[House]:
    async with Ground(clock, file) as ground, ground.house() as house:
        await house.api.register(DECLARED)
        yield house


@asynccontextmanager
async def _after_a_crash(house: House, file: Path) -> AsyncGenerator[House]:
    """Open what a crash at this very moment would leave behind."""
    copy = file.with_name("left.db")
    for end in ("", "-wal"):
        shutil.copyfile(f"{file}{end}", f"{copy}{end}")
    copy.with_name("left.db-shm").unlink(missing_ok=True)
    async with Ground(house.clock, copy) as ground, ground.house("again") as left:
        yield left


async def test_law_10_an_acknowledged_message_survives(house: House, file: Path) -> None:
    run = await house.start()
    for n in range(5):
        receipt = await house.api.send(run, "notes", str(n).encode(), key=str(n))
        async with _after_a_crash(house, file) as left:
            log = await left.stores.streams.read(RunId(run), inward("notes"), 0, 99)
            assert [record.body for record in log] == [str(m).encode() for m in range(n + 1)]
            again = await left.api.send(run, "notes", str(n).encode(), key=str(n))
            assert again == Receipt(seq=receipt.seq, duplicate=True, resumed=False)
            with pytest.raises(KeyReused):
                await left.api.send(run, "notes", b"another", key=str(n))


async def test_law_10_a_started_run_survives_with_its_keys(house: House, file: Path) -> None:
    run = await house.start(payload=b'{"a":1}', tags=["t"], idempotencyKey="k", metadata={"m": 1})
    before = await house.api.retrieve(run)
    async with _after_a_crash(house, file) as left:
        assert await left.api.retrieve(run) == before
        assert await left.start(idempotencyKey="k") == run
        async with attached(left) as worker:
            assert (await worker.job(run)).assigned.payload == b'{"a":1}'


async def test_law_10_a_wake_up_survives(house: House, file: Path) -> None:
    """The sender was told that the run resumes; the process dies before any worker heard of it."""
    run = await house.start()
    async with attached(house) as worker:
        job = await parked(house, await worker.job(run))
        job.release()
        await job.heard(Ended)
    assert (await house.api.send(run, "notes", b"7")).resumed
    async with _after_a_crash(house, file) as left, attached(left, name="heir") as heir:
        assert [entry.body for entry in (await heir.job(run)).entries] == [b"7"]


async def test_law_10_what_a_worker_was_told_survives(house: House, file: Path) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await worker.job(run)
        for n in range(3):
            job.step(f"/s#{n}", str(n).encode())
            await job.told()
            async with _after_a_crash(house, file) as left:
                journal = await left.stores.runs.journal(RunId(run))
                assert [entry.body for entry in journal] == [str(m).encode() for m in range(n + 1)]


async def test_law_10_output_and_metadata_survive(house: House, file: Path) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await worker.job(run)
        job.post(emitted(job, "/o#0", b'"out"'), Noted(run, job.epoch, "progress", b"0.5"))
        job.step("/s#0")
        await job.told()
        await house.rest()
    async with _after_a_crash(house, file) as left:
        assert bytes((await anext(left.api.tail(run, "tokens", inward=False))).data) == b'"out"'
        metadata = await left.stores.runs.metadata(RunId(run))
        assert metadata == b'{"progress":0.5}'


async def test_law_10_a_parked_run_survives_with_its_deadline(house: House, file: Path) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await worker.job(run)
        job.stand("notes", "/q#0", timeout_ms=60_000)
        await parked(house, job, "orders", "/q#1")
        before = await house.run(run)
    async with _after_a_crash(house, file) as left:
        after = await left.run(run)
        assert after == before
        assert isinstance(after.state, Waiting)
        house.clock.advance(60_000)
        async with attached(left, job.holding) as worker:
            told = await worker.pushed(Told, run)
            assert [(entry.key, entry.ending) for entry in told.entries] == [("/q#0", "timeout")]


async def test_law_10_a_snapshot_survives_and_so_does_its_absence(house: House, file: Path) -> None:
    """Saved and left, or neither: there is no moment between the two."""
    run = await house.start()
    async with attached(house) as worker:
        job = await parked(house, await worker.job(run))
        async with _after_a_crash(house, file) as left:
            assert (await left.run(run)).saved is None
            assert (await left.run(run)).state == Waiting(left.worker("worker"))
        save(job, drops=True, leaves=True)
        await job.heard(Ended)
        async with _after_a_crash(house, file) as left:
            assert (await left.run(run)).state == Waiting(None)
            async with attached(left, name="heir") as heir:
                await left.api.send(run, "notes", b"7")
                assigned = (await heir.job(run)).assigned
                assert (assigned.snapshot, assigned.saved) == (b"frames", 0)
                assert [entry.body for entry in assigned.entries] == [b"7"]


async def test_law_10_an_end_survives(house: House, file: Path) -> None:
    run = await house.start()
    async with attached(house) as worker:
        job = await worker.job(run)
        job.complete(b'"done"')
        await job.heard(Ended)
    before = await house.api.retrieve(run)
    async with _after_a_crash(house, file) as left:
        assert await left.api.retrieve(run) == before
        page = await left.api.list_runs(RunQuery(status=("COMPLETED",)))
        assert [view.id for view in page.data] == [run]


async def test_law_10_declarations_survive(house: House, file: Path) -> None:
    before = await house.api.listing()
    async with _after_a_crash(house, file) as left:
        assert await left.api.listing() == before
        assert (await left.api.send(await left.start(), "notes", b"1")).seq == 0


async def test_law_10_a_lost_worker_is_noticed_after_a_crash(house: House, file: Path) -> None:
    """Everybody gets a full lease, since nobody could renew; who does not come back is lost."""
    run = await house.start()
    async with attached(house, lasts=False) as worker:
        await worker.job(run)
        async with _after_a_crash(house, file) as left:
            await left.pass_time(2_000)
            assert await left.status(run) == "EXECUTING"
            with anyio.fail_after(PATIENCE_S):
                while await left.status(run) == "EXECUTING":
                    await left.pass_time(500)
            assert await left.status(run) == "QUEUED"
