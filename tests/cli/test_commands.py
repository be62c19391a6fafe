"""The commands that ask a server: what they print, and what their exit codes say."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.house import PATIENCE_S, House, Printed

MISTAKE, UNAVAILABLE, VERDICT, USAGE = 3, 4, 1, 2


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One server for all of these: they leave each other's runs alone."""
    here = House(tmp_path_factory.mktemp("house"))
    with here.dev():
        yield here


def test_trigger_prints_the_id_and_nothing_else(house: House) -> None:
    done = house.run("trigger", "double", "21")
    assert done.returncode == 0
    assert house.status(done.stdout.strip()) in {"QUEUED", "EXECUTING", "COMPLETED"}
    assert len(done.stdout.split()) == 1
    assert "headrace runs show run_" in done.stderr


def test_trigger_waits_and_prints_the_output(house: House) -> None:
    assert house.run("trigger", "double", "21", "--wait").stdout == "42\n"
    view = json.loads(house.run("trigger", "double", "21", "--wait", "--json").stdout)
    assert (view["status"], view["output"]) == ("COMPLETED", 42)


def test_a_failed_run_is_a_verdict_with_its_reason(house: House) -> None:
    done = house.run("trigger", "fail", "--wait")
    assert (done.returncode, done.stdout) == (VERDICT, "")
    assert "failed: ValueError: no paper" in done.stderr
    run = done.stderr.split()[1]  # its first line names it
    shown = house.run("runs", "show", run).stdout
    assert "FAILED" in shown
    assert 'jobs.py", line ' in shown
    assert shown.count("ValueError: no paper") >= 1


def test_trigger_follows_all_that_happens(house: House) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "headrace", "trigger", "ask", '"a"', "--follow", "--json"],
        cwd=house.folder,
        env=house.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        seen, answered = list[dict[str, object]](), False
        for line in process.stdout:
            seen.append(json.loads(line))
            if seen[-1].get("status") == "WAITING" and not answered:
                answered = True
                answer = '{"approved": true, "reviewer": "alice"}'
                assert house.run("send", str(seen[-1]["id"]), "approval", answer).returncode == 0
    assert process.returncode == 0
    assert [value["data"] for value in seen if "data" in value] == ["asked about a", "answered"]
    assert (seen[-1]["status"], seen[-1]["output"]) == ("COMPLETED", "alice")


def test_trigger_takes_its_payload_from_anywhere(house: House) -> None:
    (house.folder / "payload.json").write_text("[4]", "utf-8")
    assert house.run("trigger", "double", "-", "--wait", stdin=" 3\n").stdout == "6\n"
    refused = house.run("trigger", "double", "@payload.json", "--wait")
    assert refused.returncode == MISTAKE
    assert "integer" in refused.stderr
    assert house.run("trigger", "double", "@nowhere.json").returncode == MISTAKE


def test_the_same_key_is_the_same_run(house: House) -> None:
    one = house.run("trigger", "double", "1", "--key", "k", "--tag", "x", "--tag", "y")
    two = house.run("trigger", "double", "1", "--key", "k", "--json")
    assert json.loads(two.stdout) == {"id": one.stdout.strip(), "isCached": True}
    tagged = json.loads(house.run("runs", "show", one.stdout.strip(), "--json").stdout)
    assert tagged["tags"] == ["x", "y"]


def test_a_delayed_run_says_so(house: House) -> None:
    run = house.run("trigger", "double", "1", "--delay", "1h").stdout.strip()
    assert "delayed   in 59m" in house.run("runs", "show", run).stdout
    assert house.run("trigger", "double", "1", "--delay", "soon").returncode == MISTAKE


def test_runs_are_listed_by_when_and_on_what_they_began(house: House) -> None:
    run = house.run("trigger", "double", "1", "--delay", "1h").stdout.strip()
    listed = ("runs", "list", "--json", "--task", "double")
    for more, is_there in (
        (("--since", "2020-01-01", "--no-test", "--period", "1h"), True),
        (("--until", "2020-01-01"), False),
        (("--test",), False),
        (("--version", "none"), False),
    ):
        assert (run in house.run(*listed, *more).stdout) is is_there, more
    assert house.run(*listed, "--since", "yesterday").returncode == MISTAKE


def test_a_debounced_run_is_put_off(house: House) -> None:
    debounced = ("--debounce", "k", "--delay", "1h", "--trailing", "--max-delay", "2h", "--json")
    one, two = [json.loads(house.run("trigger", "double", n, *debounced).stdout) for n in "12"]
    assert (one["isCached"], two) == (False, {"id": one["id"], "isCached": True})
    shown = json.loads(house.run("runs", "show", one["id"], "--json").stdout)
    assert (shown["status"], shown["payload"]) == ("DELAYED", 2)
    refused = house.run("trigger", "double", "1", "--debounce", "k")
    assert (refused.returncode, "--delay" in refused.stderr) == (MISTAKE, True)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("trigger", "unheard", "1"), MISTAKE, "no worker has ever declared a task 'unheard'"),
        (("trigger", "double", '"two"'), MISTAKE, "integer"),
        (("trigger", "double", "NaN"), MISTAKE, "NaN"),
        (("trigger", "double", "hello"), MISTAKE, "'\"hello\"'"),
        (("send", "run_nobody", "words", '"a"'), MISTAKE, "run_nobody"),
        (("runs", "show", "run_nobody"), MISTAKE, "run_nobody"),
        (("runs", "cancel", "run_nobody"), MISTAKE, "run_nobody"),
        (("runs", "list", "--status", "ASLEEP"), MISTAKE, "WAITING"),
        (("runs", "unblock", "run_nobody"), MISTAKE, "run_nobody"),
        (("runs", "restart", "run_nobody"), MISTAKE, "run_nobody"),
        (("runs", "accept", "run_nobody", "--skip", "1"), MISTAKE, "run_nobody"),
        (("runs", "accept", "run_1"), MISTAKE, "headrace runs show run_1"),
        (("runs", "accept", "run_1", "--insert", "audit"), MISTAKE, "'audit' is no key"),
        (("runs", "accept", "run_1", "--skip", "-1"), USAGE, "skip"),
        (("runs", "replay", "run_nobody"), MISTAKE, "run_nobody"),
        (("runs", "reschedule", "run_nobody", "1h"), MISTAKE, "run_nobody"),
        (("runs", "tag", "run_nobody", "a"), MISTAKE, "run_nobody"),
        (("tail", "run_nobody"), MISTAKE, "run_nobody"),
        (("send", "run_1"), USAGE, "Usage"),
        (("frobnicate",), USAGE, "frobnicate"),
        (("runs", "list", "--limit", "0"), USAGE, "limit"),
    ],
    ids=[
        *("task", "type", "number", "text", "run", "show", "cancel", "status"),
        *("unblock", "restart", "accept", "accept-nothing", "no-key", "no-number"),
        *("replay", "reschedule", "tag", "tail"),
        *("too-few", "command", "limit"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    house: House, words: tuple[str, ...], code: int, says: str
) -> None:
    done = house.run(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr


def test_errors_are_json_for_programs(house: House) -> None:
    done = house.run("runs", "show", "run_nobody", "--json")
    error = json.loads(done.stderr)
    assert (done.returncode, error["code"]) == (MISTAKE, "not_found")
    assert "run_nobody" in error["error"]


def test_a_message_and_its_repeat(house: House) -> None:
    run = house.trigger("ask", '"m"')
    house.until_status(run, "WAITING")
    receipts = [
        json.loads(house.run("send", run, "words", '"hi"', "--key", "k", "--json").stdout)
        for _ in range(2)
    ]
    assert [(receipt["seq"], receipt["duplicate"]) for receipt in receipts] == [
        (0, False),
        (0, True),
    ]
    other = house.run("send", run, "words", '"ho"', "--key", "k")
    assert (other.returncode, "another body" in other.stderr) == (MISTAKE, True)
    assert "unread    1 in words" in house.run("runs", "show", run).stdout


def test_what_waits_tells_how_it_is_answered(house: House) -> None:
    run = house.trigger("ask", '"b"')
    house.until_status(run, "WAITING")
    waits = [json.loads(line) for line in house.run("waits", "--json").stdout.splitlines()]
    wait = next(wait for wait in waits if wait["run"] == run)
    assert (wait["task"], wait["stream"]) == ("ask", "approval")
    assert wait["line"].startswith("jobs.py:")
    assert wait["command"] in house.run("waits").stdout
    program, *words = shlex.split(wait["command"])
    answered = house.run(*words)
    assert (program, answered.returncode) == ("headrace", 0)
    assert "the run goes on" in answered.stdout
    house.until_status(run, "COMPLETED")


def test_a_tail_ends_with_its_run(house: House) -> None:
    run = house.trigger("ask", '"c"')
    house.until_status(run, "WAITING")
    house.run("send", run, "approval", '{"approved": true, "reviewer": "bob"}')
    assert house.run("tail", run).stdout == 'log  "asked about c"\nlog  "answered"\n'
    assert house.run("tail", run, "log", "--from", "1").stdout == '"answered"\n'
    read = json.loads(house.run("tail", run, "approval", "--json").stdout)
    assert (read["seq"], read["data"]) == (0, {"approved": True, "reviewer": "bob"})
    assert house.run("tail", run, "unheard").returncode == MISTAKE


@pytest.mark.parametrize("words", [("unblock",), ("restart",), ("accept", "--skip", "0")])
def test_a_run_that_is_not_blocked_is_left_alone(house: House, words: tuple[str, ...]) -> None:
    run = house.trigger("ask")
    done = house.run("runs", *words, run, "--json")
    assert (done.returncode, done.stdout) == (MISTAKE, "")
    assert "is not blocked: it is" in json.loads(done.stderr)["error"]


def test_a_run_is_tagged_given_another_time_and_replayed(house: House) -> None:
    run = house.run("trigger", "double", "21", "--delay", "1h", "--tag", "a").stdout.strip()
    assert f"Run {run} has the tags a, b, c." in house.run("runs", "tag", run, "b", "c").stdout
    moved = json.loads(house.run("runs", "reschedule", run, "2h", "--json").stdout)
    assert moved["status"] == "DELAYED"
    assert "begins at" in house.run("runs", "reschedule", run, "0s").stdout
    house.until_status(run, "COMPLETED")
    again = house.run("runs", "replay", run, "--payload", "4").stdout.strip()
    house.until_status(again, "COMPLETED")
    shown = json.loads(house.run("runs", "show", again, "--json").stdout)
    assert (shown["output"], shown["tags"]) == (8, ["a", "b", "c"])
    done = house.run("runs", "reschedule", again, "1h")
    assert (done.returncode, "is not delayed: it is COMPLETED" in done.stderr) == (MISTAKE, True)


def test_runs_are_listed_and_cancelled(house: House) -> None:
    run = house.trigger("ask", '"d"')
    house.until_status(run, "WAITING")
    listed = house.run("runs", "list", "--task", "ask", "--status", "waiting", "--limit", "1")
    assert run in listed.stdout
    assert "is cancelled" in (said := house.run("runs", "cancel", run).stdout) or "told" in said
    house.until_status(run, "CANCELED")
    assert "was over already: CANCELED" in house.run("runs", "cancel", run).stdout
    pages = house.run("runs", "list", "--limit", "2", "--json").stdout.splitlines()
    last = json.loads(pages[-1])["id"]
    after = house.run("runs", "list", "--limit", "2", "--after", last, "--json").stdout
    assert {json.loads(line)["id"] for line in after.splitlines()}.isdisjoint(
        json.loads(line)["id"] for line in pages
    )


def test_interrupting_a_wait_leaves_the_run_alone(house: House) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "headrace", "trigger", "ask", '"w"', "--wait"],
        cwd=house.folder,
        env=house.environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        run = process.stderr.readline().split()[1]
        process.send_signal(signal.SIGINT)
        try:
            _, said = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == 130
    assert f"The run goes on: headrace runs show {run}" in said
    assert "Traceback" not in said


def test_a_reader_that_has_had_enough_is_no_error(house: House) -> None:
    command = f"{sys.executable} -m headrace runs list --json | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["/bin/bash", "-c", command],
        cwd=house.folder,
        env=house.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_doctor_finds_nothing_wrong(house: House) -> None:
    done = house.run("doctor", "--json")
    checks = {check["name"]: check for check in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0, done.stdout
    assert {name for name, check in checks.items() if check["verdict"] != "ok"} <= {"disk"}
    assert set(checks) == {
        *("python", "sqlite", "settings", "folder", "key", "disk", "clock", "server", "worker"),
        "code",
    }
    assert str(house.file) in checks["code"]["text"]


def test_doctor_imports_a_file_and_says_what_would_not_be_replayed(tmp_path: Path) -> None:
    house = House(tmp_path)
    file = tmp_path / "other.py"
    file.write_text(
        "import time\nfrom headrace import task\nprint('noise')\n"
        "async def later():\n    return time.time()\n"
        "@task\nasync def one():\n    await later()\n@task\nasync def two():\n    await later()\n"
    )
    checks = codes(house.run("doctor", "other.py", "--json"))
    assert [(check["verdict"], check["text"]) for check in checks] == [("odd", f"{file}:5")]
    assert checks[0]["fix"].startswith("time.time() in later(), outside a step")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import os; os._exit(7)", "exit code 7"),
        ("import os; os.kill(os.getpid(), 9)", "exit code -9"),
    ],
)
def test_doctor_says_why_a_file_cannot_be_looked_at(tmp_path: Path, text: str, said: str) -> None:
    house = House(tmp_path)
    (tmp_path / "bad.py").write_text(text)
    done = house.run("doctor", "bad.py", "--json")
    assert done.returncode == VERDICT
    (check,) = codes(done)
    assert check["verdict"] == "wrong"
    assert said in check["text"]


def test_doctor_wants_a_file_that_is_there(tmp_path: Path) -> None:
    done = House(tmp_path).run("doctor", "nowhere.py")
    assert done.returncode == MISTAKE
    assert "nowhere.py" in done.stderr


def codes(done: Printed) -> list[dict[str, str]]:
    """Return what `doctor` has said about the code."""
    checks: list[dict[str, str]] = [json.loads(line) for line in done.stdout.splitlines()]
    return [check for check in checks if check["name"] == "code"]


def test_doctor_says_what_is_wrong_and_how_to_repair_it(house: House) -> None:
    key = house.folder / ".headrace/key"
    key.chmod(0o644)
    try:
        done = house.run("doctor", HEADRACE_DATABSE="typo")
    finally:
        key.chmod(0o600)
    assert done.returncode == VERDICT
    assert f"chmod 600 {key}" in done.stdout
    assert "HEADRACE_DATABSE" in done.stdout


def test_without_a_server_it_is_said_what_to_start(tmp_path: Path) -> None:
    empty = House(tmp_path)
    assert "headrace dev" in (done := empty.run("waits")).stderr
    assert done.returncode == MISTAKE  # there is no key, either
    silent = empty.run("waits", HEADRACE_URL="http://127.0.0.1:9", HEADRACE_SECRET_KEY="tr_dev_x")
    assert silent.returncode == UNAVAILABLE
    assert "headrace dev FILE" in silent.stderr
    assert "tr_dev_x" not in silent.stderr


def test_a_kept_key_does_not_travel(house: House) -> None:
    done = house.run("waits", HEADRACE_URL="http://example.invalid")
    assert done.returncode == MISTAKE
    assert "HEADRACE_SECRET_KEY" in done.stderr


def test_debug_shows_where(house: House) -> None:
    done = house.typed("--debug", "runs", "show", "run_nobody")
    assert "Traceback" in done.stderr


def test_the_command_is_a_program(house: House) -> None:
    done = house.typed("trigger", "double", "21", "--wait")
    assert (done.returncode, done.stdout) == (0, "42\n")


def test_a_command_that_asks_a_server_loads_none() -> None:
    heavy = {"headrace.engine.core", "headrace.app.storing", "headrace.server"}
    look = f"import sys, headrace.cli.main as _; print({heavy} & set(sys.modules) or 'none')"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout == "none\n"


def test_a_payload_with_a_default_may_be_left_out(house: House) -> None:
    run = house.trigger("ask")
    house.until_status(run, "WAITING")
    assert json.loads(house.run("runs", "show", run, "--json").stdout)["metadata"] == {
        "title": "untitled"
    }
