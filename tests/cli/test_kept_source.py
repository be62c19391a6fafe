"""A run with a long journal behind it outlives a deploy of other code; in real processes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.cli.house import PATIENCE_S, House
from tests.sqlite.raw import raw

pytestmark = pytest.mark.timeout(120)

OLD = """
from beside import asked
from headrace import step, streams, task

go = streams.input("go", str)
STEPS = 1_001


@step
async def counted(n: int) -> int:
    return n


@task
async def long() -> str:
    total = 0
    for n in range(STEPS):
        total += await counted(n)
    said = await asked(go)
    return f"{total} {said} {await asked(go)}, as it was"
"""
NEW = OLD.replace("range(STEPS)", "range(1 + STEPS)").replace("as it was", "as it is")
BESIDE = """
async def asked(stream):
    found = await stream.wait().unwrap()
    return f"then {found}"
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    (tmp_path / "beside.py").write_text(BESIDE, "utf-8")
    return House(tmp_path, OLD)


def until_dropped(house: House, run: str) -> None:
    """Return once the run's journal is gone, and the run with it."""
    end = time.monotonic() + PATIENCE_S
    asked = "SELECT base FROM run WHERE id = ? AND base > 1000 AND state = 'waiting'"
    with raw(house.folder / ".headrace/headrace.db") as database:
        while not database.execute(asked, (run,)).fetchall():
            assert time.monotonic() < end, f"the journal of {run} is never dropped"
            time.sleep(0.02)


def test_a_run_without_its_journal_goes_on_after_a_deploy(house: House) -> None:
    with house.long("dev", "jobs.py", "--snapshot=always") as dev:
        dev.until("ready")
        run = house.trigger("long")
        until_dropped(house, run)
    house.file.write_text(NEW, "utf-8")
    (house.folder / "beside.py").write_text(BESIDE.replace("then", "now"), "utf-8")
    with house.long("dev", "jobs.py", "--snapshot=always") as dev:
        dev.until("ready")
        for word in ("one", "two"):
            assert house.run("send", run, "go", f'"{word}"').returncode == 0
        house.until_status(run, "COMPLETED")
        shown = house.run("runs", "show", run)
        # What it calls after the deploy is of today.
        assert "500500 then one now two, as it was" in shown.stdout
    seen = "".join(dev.seen)
    assert "a run goes on with the source that it was saved with" in seen
    assert "long() in jobs" in seen
    assert "asked() in beside" in seen
