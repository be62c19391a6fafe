"""The commands that serve: what they start, replace, refuse, and take with them when they die."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
from pathlib import Path

import psutil
import pytest

from tests.cli.house import PATIENCE_S, TASKS, House, Long

pytestmark = pytest.mark.timeout(90)
BROKEN = TASKS + "\n\ndef broken(:\n"
MORE = TASKS + "\n\n@task\nasync def more() -> int:\n    return 1\n"
HUNGRY = (
    TASKS
    + """

kept = []


@task
async def grow(mebibytes: int) -> int:
    kept.append(bytearray(mebibytes << 20))
    return len(kept)
"""
)

STEPS = """
from headrace import step, streams, task

go = streams.input("go", str)


@step
async def note(text: str) -> str:
    return text


@task
async def told() -> str:
    noted = await note("first")
    return noted + await go.wait().unwrap()
"""
OTHER_STEPS = STEPS.replace('"first"', '"second"')


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def _ends(pid: int) -> None:
    """Wait until a process of ours has ended; one that does not is ended, and is a failure."""
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return
    try:
        process.wait(PATIENCE_S)
    except psutil.TimeoutExpired:
        process.kill()
        raise


def test_dev_keeps_its_key_and_its_folder_to_itself(house: House) -> None:
    with house.dev() as dev:
        first = house.key()
        assert first not in "".join(dev.seen)
    home = house.folder / ".headrace"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "key").stat().st_mode) == 0o600
    assert first.startswith("tr_dev_")
    assert len(first) > 40
    with house.dev():
        assert house.key() == first


def test_a_given_key_is_neither_kept_nor_shown(house: House) -> None:
    with house.dev(HEADRACE_SECRET_KEY="tr_dev_given") as dev:
        assert house.key() == ""
        assert "tr_dev_given" not in "".join(dev.seen)
        url = json.loads(dev.seen[0])["url"]
        given = {"HEADRACE_URL": url, "HEADRACE_SECRET_KEY": "tr_dev_given"}
        assert house.typed("waits", HEADRACE_URL=url).returncode == 3
        assert house.typed("trigger", "double", "4", "--wait", **given).stdout == "8\n"


def test_a_second_server_on_the_folder_is_refused(house: House) -> None:
    with house.dev() as dev:
        second = house.typed("dev", "jobs.py")
        assert second.returncode == 3
        assert f"already has a server: process {dev.process.pid}" in second.stderr
        assert "HEADRACE_HOME" in second.stderr


def test_a_taken_port_is_named_with_who_has_it(house: House) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = house.typed("dev", "jobs.py", "--port", str(port))
    assert done.returncode == 3
    assert f"port {port} is taken by process {os.getpid()}" in done.stderr
    assert "--port" in done.stderr


def test_without_tasks_it_is_said_how_to_get_some(house: House) -> None:
    done = house.typed("dev")
    assert (done.returncode, "headrace init" in done.stderr) == (3, True)


def test_a_key_that_nobody_chose_is_not_served_to_others(house: House) -> None:
    done = house.typed("dev", "jobs.py", "--host", "0.0.0.0")  # noqa: S104 - that is the point
    assert (done.returncode, "HEADRACE_SECRET_KEY" in done.stderr) == (3, True)


def test_sigterm_ends_everything_in_order(house: House) -> None:
    with house.dev() as dev:
        worker = int((house.folder / ".headrace/worker.pid").read_text())
        assert psutil.Process(worker).ppid() == dev.process.pid
        assert dev.end(signal.SIGTERM) == 0
    _ends(worker)
    left = {path.name for path in (house.folder / ".headrace").iterdir()}
    assert left.isdisjoint({"server.json", "server.pid", "worker.pid", "worker.sock"})


def test_interrupting_ends_everything_in_order(house: House) -> None:
    with house.dev() as dev:
        worker = int((house.folder / ".headrace/worker.pid").read_text())
        assert dev.end(signal.SIGINT) == 130
    _ends(worker)


def test_the_worker_dies_with_a_server_that_is_killed(house: House) -> None:
    with house.dev() as dev:
        worker = int((house.folder / ".headrace/worker.pid").read_text())
        dev.end(signal.SIGKILL)
    _ends(worker)
    with house.dev():  # what a killed server leaves behind is in nobody's way
        assert house.typed("trigger", "double", "1", "--wait").stdout == "2\n"


def test_a_killed_worker_is_replaced_and_its_run_goes_on(house: House) -> None:
    with house.dev() as dev:
        run = house.trigger("ask", '"x"')
        house.until_status(run, "WAITING")
        os.kill(int((house.folder / ".headrace/worker.pid").read_text()), signal.SIGKILL)
        assert dev.until("died").why == "by SIGKILL"
        dev.until("ready")
        answer = '{"approved": true, "reviewer": "alice"}'
        assert house.typed("send", run, "approval", answer).returncode == 0
        house.until_status(run, "COMPLETED")


def test_changed_code_is_served(house: House) -> None:
    with house.dev() as dev:
        house.file.write_text(MORE, "utf-8")
        assert "more" in dev.until("ready").tasks
        assert house.typed("trigger", "more", "--wait").stdout == "1\n"


def _changed_arguments(house: House, dev: Long) -> str:
    """Have the arguments of a step change while a run waits, then answer the run."""
    before = json.loads(next(line for line in reversed(dev.seen) if '"ready"' in line))["pid"]
    run = house.trigger("told")
    house.until_status(run, "WAITING")
    house.file.write_text(OTHER_STEPS, "utf-8")
    dev.until("ready")
    _ends(before)  # as long as it is there, it may go on with the run, which it has in memory
    assert house.run("send", run, "go", '"!"').returncode == 0
    return run


def test_other_arguments_of_a_recorded_step_block_until_they_are_put_back(house: House) -> None:
    house.file.write_text(STEPS, "utf-8")
    with house.dev() as dev:
        run = _changed_arguments(house, dev)
        house.until_status(run, "PENDING_VERSION")
        house.file.write_text(STEPS, "utf-8")
        house.until_status(run, "COMPLETED")


def test_where_dev_is_told_not_to_be_strict_it_only_warns(house: House) -> None:
    house.file.write_text(STEPS, "utf-8")
    with house.dev(HEADRACE_STRICT="0") as dev:
        house.until_status(_changed_arguments(house, dev), "COMPLETED")
    assert "recorded with other arguments" in "".join(dev.seen)


def test_a_worker_elsewhere_only_warns_of_other_arguments(house: House) -> None:
    house.file.write_text(STEPS, "utf-8")
    with house.long("serve") as serve:
        serve.until("serving")
        with house.long("worker", "jobs.py", "--reload") as worker:
            worker.until("ready")
            house.until_status(_changed_arguments(house, worker), "COMPLETED")
            worker.end()
    assert "recorded with other arguments" in "".join(worker.seen)


def test_broken_code_is_shown_with_its_line_and_the_last_good_worker_goes_on(house: House) -> None:
    with house.dev() as dev:
        house.file.write_text(BROKEN, "utf-8")
        unusable = dev.until("unusable")
        line = BROKEN.splitlines().index("def broken(:") + 1
        assert f'jobs.py", line {line}' in unusable.text
        assert "SyntaxError" in unusable.text
        assert "importlib" not in unusable.text
        assert unusable.worker_goes_on
        assert house.typed("trigger", "double", "3", "--wait").stdout == "6\n"
        house.file.write_text(MORE, "utf-8")
        assert "more" in dev.until("ready").tasks


def test_dev_waits_for_code_that_is_broken_from_the_start(house: House) -> None:
    house.file.write_text(BROKEN, "utf-8")
    with house.long("dev", "jobs.py") as dev:
        assert not dev.until("unusable").worker_goes_on
        house.file.write_text(TASKS, "utf-8")
        assert "double" in dev.until("ready").tasks


def test_a_worker_that_dies_at_once_is_started_ever_more_slowly(house: House) -> None:
    house.file.write_text(TASKS + "\nimport os\nos._exit(9)\n", "utf-8")
    with house.long("dev", "jobs.py") as dev:
        whys = [dev.until("died").why for _ in range(3)]
        pauses = [json.loads(line)["restartsInSeconds"] for line in dev.seen if "died" in line]
    assert whys == ["with exit code 9"] * 3
    assert pauses == sorted(set(pauses))


def test_a_worker_elsewhere_serves_what_serve_has(house: House, tmp_path: Path) -> None:
    with house.long("serve") as serve:
        url = serve.until("serving").url
        with house.long("worker", "jobs.py", HEADRACE_URL=url) as worker:
            assert "double" in worker.until("ready").tasks
            assert house.typed("trigger", "double", "5", "--wait").stdout == "10\n"
            assert worker.end(signal.SIGTERM) == 0
        done = house.typed("trigger", "double", "5")
        assert (done.returncode, house.status(done.stdout.strip())) == (0, "QUEUED")


def test_a_worker_elsewhere_outlives_its_server(house: House) -> None:
    with house.long("serve") as serve:
        url = serve.until("serving").url
        port = {"HEADRACE_PORT": url.rpartition(":")[2]}
        with house.long("worker", "jobs.py", HEADRACE_URL=url) as worker:
            pid = worker.until("ready").pid
            run = house.trigger("ask", '"x"')
            house.until_status(run, "WAITING")
            serve.end(signal.SIGKILL)
            with house.long("serve", **port) as again:
                again.until("serving")
                answer = '{"approved": true, "reviewer": "alice"}'
                assert house.typed("send", run, "approval", answer).returncode == 0
                house.until_status(run, "COMPLETED")
                assert psutil.pid_exists(pid)
                assert "died" not in "".join(worker.seen)


def test_a_worker_whose_code_cannot_be_used_ends(house: House) -> None:
    house.file.write_text(BROKEN, "utf-8")
    with house.long("serve") as serve:
        serve.until("serving")
        done = house.typed("worker", "jobs.py")
    assert done.returncode == 3
    assert "SyntaxError" in done.stderr


def test_a_worker_near_its_memory_limit_is_replaced(house: House) -> None:
    house.file.write_text(HUNGRY, "utf-8")
    with house.dev(HEADRACE_MEMORY="300") as dev:
        waiting = house.trigger("ask", '"x"')
        house.until_status(waiting, "WAITING")
        assert house.typed("trigger", "grow", "200", "--wait").stdout == "1\n"
        before = int((house.folder / ".headrace/worker.pid").read_text())
        dev.until("renewing")
        assert dev.until("ready").pid != before
        _ends(before)
        assert house.typed("trigger", "grow", "1", "--wait").stdout == "1\n"
        answer = '{"approved": true, "reviewer": "alice"}'
        house.typed("send", waiting, "approval", answer)
        house.until_status(waiting, "COMPLETED")
