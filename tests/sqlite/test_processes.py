"""Several processes on one file: nothing acknowledged is lost, also when one of them is killed."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from headrace.backends.sqlite import open_sqlite
from headrace.kernel.model import RunId
from headrace.ports import Stores
from headrace.testing.contracts.given import APPROVAL, executing
from headrace.testing.contracts.wakeups import heard
from tests.sqlite.hammer import RUN, hammer
from tests.sqlite.raw import raw

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "headrace.db"


@pytest.fixture
async def stores(file: Path) -> AsyncGenerator[Stores]:
    async with open_sqlite(file) as opened:
        await executing(opened)
        yield opened


class Worker:
    """One other process, and the keys that were acknowledged to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.acked: list[str] = []

    async def next_key(self) -> str | None:
        assert self.process.stdout is not None
        line = (await self.process.stdout.readline()).decode()
        if not line.endswith("\n"):  # its end, or killed in the middle of a line
            return None
        self.acked.append(line.strip())
        return line.strip()

    async def finish(self) -> None:
        while await self.next_key() is not None:
            pass
        await self.process.wait()


@asynccontextmanager
async def worker(file: Path, name: str, count: int) -> AsyncGenerator[Worker]:
    arguments = ("-m", "tests.sqlite.hammer", str(file), name, str(count))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Worker(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def expect_all(stores: Stores, acked: list[str]) -> None:
    """Journal and log hold what was acknowledged, each once, side by side, without a gap."""
    run = await stores.runs.load(RUN)
    assert run is not None
    journal = await stores.runs.journal(RUN)
    records = await stores.streams.read(RUN, APPROVAL, 0, 1_000_000)
    keys = [entry.key for entry in journal]
    assert [entry.n for entry in journal] == list(range(run.entries))
    assert [record.seq for record in records] == list(range(len(records)))
    assert [record.key.decode() for record in records] == keys
    assert [record.body for record in records] == [record.key for record in records]
    assert len(set(keys)) == len(keys)
    assert set(acked) <= set(keys)


async def test_two_processes_on_one_file_lose_nothing(stores: Stores, file: Path) -> None:
    mine: list[str] = []
    async with worker(file, "theirs", 1_000_000) as other:
        for n in range(4):
            await other.next_key()  # it is there: now both write
            mine += [key async for key in hammer(stores, f"mine-{n}", 50)]
            while not await _wrote_last(stores, "theirs"):
                await other.next_key()
        other.process.kill()
        await other.finish()
    writers = [entry.key.partition("#")[0] for entry in await stores.runs.journal(RUN)]
    await expect_all(stores, mine + other.acked)
    assert 0 <= len(writers) - len(mine + other.acked) <= 1  # one may have landed unheard
    assert sum(one != other for one, other in pairwise(writers)) >= 7  # they did write by turns


async def _wrote_last(stores: Stores, name: str) -> bool:
    run = await stores.runs.load(RUN)
    assert run is not None
    return (await stores.runs.journal(RUN, run.entries - 1))[0].key.startswith(f"/{name}#")


async def test_what_a_killed_process_had_acknowledged_is_there(
    stores: Stores, file: Path, seed: int
) -> None:
    acked: list[str] = []
    for n in range(5):
        async with worker(file, f"doomed-{n}", 100_000) as other:
            for _ in range(3 + (seed + n * 7) % 40):
                await other.next_key()
            other.process.send_signal(signal.SIGKILL)
            acked += [key async for key in hammer(stores, f"mine-{n}", 20)]
            await other.finish()
            acked += other.acked
        await expect_all(stores, acked)
    with raw(file) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_another_processs_commit_is_hinted_at(stores: Stores, file: Path) -> None:
    async with stores.wakeups.listen() as hints, worker(file, "theirs", 100_000):
        await heard(hints, RunId("never announced"))
