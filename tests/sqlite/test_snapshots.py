"""What a snapshot leaves in the file: nothing once its run is over, and little before."""

from pathlib import Path

import pytest

from headrace.backends.sqlite import Settings, open_sqlite
from headrace.kernel import commands as c
from headrace.kernel.machine import decide
from headrace.kernel.model import Footing, Function
from headrace.testing.contracts.given import ENV, MEBIBYTE, T0, executing, remembered, saved
from headrace.wire.registration import Registration, TaskSpec
from tests.sqlite.raw import raw


@pytest.mark.parametrize("size", [1, 130, MEBIBYTE])
async def test_a_run_that_is_over_leaves_no_snapshot(tmp_path: Path, size: int) -> None:
    async with open_sqlite(tmp_path / "x.db", settings=Settings(wal_pages=10)) as stores:
        run = await executing(stores)
        for change in (saved(run, bytes(size)), remembered(saved(run).after, "/a#0")):
            await stores.runs.commit(change)
            run = change.after
        with raw(tmp_path / "x.db") as db:
            assert db.execute("SELECT length(body) FROM snapshot").fetchall() == [(size,)]
        await stores.runs.commit(decide(run, c.Complete(run.epoch, b""), T0))
        with raw(tmp_path / "x.db") as db:
            assert db.execute("SELECT count(*) FROM snapshot").fetchall() == [(0,)]


async def test_what_many_stand_on_is_written_once(tmp_path: Path) -> None:
    functions = tuple(Function(f"tasks:function_{n}", "ab" * 12) for n in range(9))
    async with open_sqlite(tmp_path / "x.db", settings=Settings(wal_pages=10)) as stores:
        for n in range(20):
            run = await executing(stores, f"run-{n}")
            await stores.runs.commit(saved(run, footing=Footing("3.13", functions[: n % 2 + 8])))
        with raw(tmp_path / "x.db") as db:
            assert db.execute("SELECT count(*) FROM footing").fetchall() == [(2,)]
            assert db.execute("SELECT max(footing) FROM snapshot").fetchall() == [(2,)]


async def test_of_old_versions_only_the_name_is_kept(tmp_path: Path) -> None:
    """A file that is saved often in `dev` registers as often, each time with all its functions."""
    made = {f"tasks:function_{n}": "ab" * 12 for n in range(9)}
    async with open_sqlite(tmp_path / "x.db", settings=Settings(wal_pages=10)) as stores:
        for n in range(5):
            tasks = (TaskSpec(id="always"), *((TaskSpec(id="once"),) if n == 1 else ()))
            one = Registration(version=f"v{n}", tasks=tasks, streams=(), functions=made)
            await stores.catalog.register(ENV, one, T0)
        with raw(tmp_path / "x.db") as db:
            kept = "SELECT version FROM deploy WHERE functions IS NOT NULL ORDER BY no"
            assert db.execute(kept).fetchall() == [("v1",), ("v4",)]
            assert db.execute("SELECT count(*) FROM deploy").fetchall() == [(5,)]
