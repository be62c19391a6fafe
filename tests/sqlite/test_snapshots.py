"""Nothing is left in the file of a snapshot whose run is over."""

from pathlib import Path

import pytest

from headrace.backends.sqlite import Settings, open_sqlite
from headrace.kernel import commands as c
from headrace.kernel.machine import decide
from headrace.testing.contracts.given import MEBIBYTE, T0, executing, remembered, saved
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
