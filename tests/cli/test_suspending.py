"""A run that waits leaves its process, and goes on after that line in another, with its variables.

The processes are real, and are killed with -9; what the code does leaves lines in a file.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from pathlib import Path

import psutil
import pytest

from tests.cli.house import PATIENCE_S, House, Long
from tests.sqlite.raw import raw

pytestmark = pytest.mark.timeout(90)

TASKS = """
from pathlib import Path

from beside import asked
from headrace import step, streams, task

go = streams.input("go", str)


def note(line):
    with Path("trace").open("a") as file:
        print(line, file=file)


@step
async def prepared(title: str) -> str:
    note("step")
    return title.upper()


@task
async def publish(title: str) -> str:
    note("begins")
    draft = await prepared(title)
    said = []
    try:
        with Path("log").open("w") as log:
            for number in range(2):
                answer = await asked(go, number)
                said.append(answer)
                print(answer, file=log)
                note(f"heard {answer}")
    finally:
        note("finally")
    return f"{draft} {' '.join(said)}"
"""
BESIDE = """
async def asked(stream, number):
    found = await stream.wait().unwrap()
    return f"{number}:{found}"
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    (tmp_path / "beside.py").write_text(BESIDE, "utf-8")
    return House(tmp_path, TASKS)


def trace(house: House) -> list[str]:
    return (house.folder / "trace").read_text("utf-8").splitlines()


def until_saved(house: House, run: str, entries: int) -> None:
    """Return once a snapshot stands for so many entries of the run's journal."""
    end = time.monotonic() + PATIENCE_S
    with raw(house.folder / ".headrace/headrace.db") as database:
        while True:
            found = database.execute("SELECT saved FROM run WHERE id = ?", (run,)).fetchall()
            if found == [(entries,)]:
                return
            assert time.monotonic() < end, f"{run} is never saved after {entries}: {found}"
            time.sleep(0.02)


def shown(house: House, run: str, *options: str) -> str:
    """Return what `headrace runs show` prints."""
    done = house.run("runs", "show", run, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def worker_of(house: House) -> int:
    return int((house.folder / ".headrace/worker.pid").read_text())


def kill_worker(house: House, dev: Long) -> None:
    os.kill(worker_of(house), signal.SIGKILL)
    assert dev.until("died").why == "by SIGKILL"
    dev.until("ready")


def sends(house: House, run: str, text: str) -> None:
    assert house.run("send", run, "go", f'"{text}"').returncode == 0


def test_a_killed_worker_is_no_loss_to_a_run_that_has_left_it(house: House) -> None:
    with house.long("dev", "jobs.py", "--snapshot=always") as dev:
        dev.until("ready")
        run = house.trigger("publish", '"title"')
        until_saved(house, run, 1)
        kill_worker(house, dev)
        assert trace(house) == ["begins", "step"]
        sends(house, run, "one")
        until_saved(house, run, 2)
        assert (house.folder / "log").read_text("utf-8") == "0:one\n"
        kill_worker(house, dev)
        sends(house, run, "two")
        house.until_status(run, "COMPLETED")
        shown = house.run("runs", "show", run)
        assert "TITLE 0:one 1:two" in shown.stdout
    assert trace(house) == ["begins", "step", "heard 0:one", "heard 1:two", "finally"]
    assert (house.folder / "log").read_text("utf-8") == "0:one\n1:two\n"
    assert "cannot be saved" not in "".join(dev.seen)


def test_everything_may_be_killed(house: House) -> None:
    with house.long("dev", "jobs.py", "--snapshot=always") as dev:
        dev.until("ready")
        run = house.trigger("publish", '"title"')
        until_saved(house, run, 1)
        worker = psutil.Process(worker_of(house))
        dev.end(signal.SIGKILL)
        worker.wait(PATIENCE_S)
    with house.long("dev", "jobs.py", "--snapshot=always") as dev:
        dev.until("ready")
        sends(house, run, "one")
        sends(house, run, "two")
        house.until_status(run, "COMPLETED")
    assert trace(house) == ["begins", "step", "heard 0:one", "heard 1:two", "finally"]


def test_a_new_worker_takes_up_what_the_old_one_had_warm(house: House) -> None:
    with house.dev() as dev:
        run = house.trigger("publish", '"title"')
        house.until_status(run, "WAITING")
        house.file.write_text(TASKS + "\n\n# a comment changes nothing\nMORE = 1\n", "utf-8")
        dev.until("ready")
        until_saved(house, run, 1)
        sends(house, run, "one")
        sends(house, run, "two")
        house.until_status(run, "COMPLETED")
    assert trace(house) == ["begins", "step", "heard 0:one", "heard 1:two", "finally"]


def test_changed_code_goes_on_by_replay(house: House) -> None:
    with house.long("dev", "jobs.py", "--snapshot=always") as dev:
        dev.until("ready")
        run = house.trigger("publish", '"title"')
        until_saved(house, run, 1)
        assert "same: it started on the newest code" in shown(house, run)
        house.file.write_text(f"{TASKS}\nMORE = 1\n", "utf-8")
        dev.until("ready")
        assert "continues: the code has changed since it started, but none of" in shown(house, run)
        changed = TASKS.replace('note("begins")', 'note("begins anew")')
        house.file.write_text(changed, "utf-8")
        dev.until("ready")
        why = "publish() in jobs has changed since it was saved: the newest code replays 1 entry"
        assert f"replays: {why}" in shown(house, run)
        assert json.loads(shown(house, run, "--json"))["code"]["fits"] == "replays"
        sends(house, run, "one")
        sends(house, run, "two")
        house.until_status(run, "COMPLETED")
        assert "same:" not in shown(house, run)
    assert trace(house)[:3] == ["begins", "step", "begins anew"]
    assert "the source of publish() in jobs changed" in "".join(dev.seen)


def test_the_key_is_made_once_and_for_its_owner_only(house: House) -> None:
    with house.dev():
        key = house.folder / ".headrace/snapshot-key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        made = key.read_text("ascii")
    with house.dev():
        assert key.read_text("ascii") == made


def with_what_stays(house: House) -> list[tuple[str, str]]:
    """Write a helper and a task that cannot be saved; return their names and lines."""
    deep = "".join(f"{'    ' * n}async with beside():\n" for n in range(1, 19))
    deep += f"{'    ' * 19}await beside()\n"
    source = f"{TASKS}\n\nasync def deep(beside):\n{deep}\n\n@task\nasync def job(beside):\n{deep}"
    house.file.write_text(source, "utf-8")
    lines = source.splitlines()
    wanted = ("deep", "job")
    places = {name: lines.index(f"async def {name}(beside):") + 1 for name in wanted}
    return [(f"jobs.{name}", f"{house.file}:{line}") for name, line in places.items()]


def test_what_stays_in_memory_is_said_once_when_a_worker_starts(house: House) -> None:
    names = with_what_stays(house)
    with house.dev() as dev:
        told = [line for line in dev.seen if "in memory" in line]
        assert len(told) == len(names), told
        for line, (name, place) in zip(told, names, strict=True):
            assert name in line
            assert place in line


def test_doctor_lists_what_stays_in_memory_of_the_file_that_was_worked_for(house: House) -> None:
    names = with_what_stays(house)
    with house.dev():
        pass
    done = house.run("doctor", "--json")
    checks = [
        check for check in map(json.loads, done.stdout.splitlines()) if check["name"] == "code"
    ]
    said = [f"{name} at {place} stays in memory while it waits" for name, place in names]
    assert [(check["verdict"], check["text"]) for check in checks] == [
        ("odd", text) for text in said
    ]
    assert all("move the inner blocks into a function" in check["fix"] for check in checks)


def test_a_run_that_is_always_replayed_runs_its_code_again(house: House) -> None:
    with house.long("dev", "jobs.py", "--replay=always") as dev:
        dev.until("ready")
        run = house.trigger("publish", '"title"')
        house.until_status(run, "WAITING")
        sends(house, run, "one")
        sends(house, run, "two")
        house.until_status(run, "COMPLETED")
        assert "TITLE 0:one 1:two" in house.run("runs", "show", run).stdout
    assert trace(house).count("begins") == 3
    assert trace(house).count("step") == 1


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--snapshot=sometimes"], "warm, always, off"),
        (["--replay=sometimes"], "cold, always"),
        (["--replay=always", "--snapshot=always"], "exclude each other"),
    ],
)
def test_an_unknown_time_to_save_or_replay_is_refused(
    house: House, options: list[str], why: str
) -> None:
    done = house.typed("dev", "jobs.py", *options)
    assert done.returncode == 3
    assert why in done.stderr
