"""The units of deploy/systemd serve, as processes, on Postgres, Redis and s2-lite, behind HAProxy.

What it shows: command lines, environment files and the balancer's configuration are right; streams
and the workers' channel pass the balancer. What it cannot: users and filters of systemd.
"""

from __future__ import annotations

import http.client
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final
from urllib.request import Request, urlopen

import msgspec
import psutil
import pytest

from tests.cli.house import TASKS
from tests.deploy.machine import Machine, machine
from tests.deploy.reading import DEPLOY, SECRETS, instructions, program
from tests.s2.lite import running
from tests.services.postgres import Postgres
from tests.services.redis import RedisServer

PATIENCE_S: Final = 30.0
KEY: Final = SECRETS["HEADRACE_SECRET_KEY"]
ANSWER: Final = b'{"data": {"approved": true, "reviewer": "alice"}}'
SENDS: Final = 30

pytestmark = [pytest.mark.timeout(120)]


class Started(msgspec.Struct, frozen=True):
    """The answer to a trigger."""

    id: str


class Shown(msgspec.Struct, frozen=True):
    """A run."""

    status: str
    output: str | None = None


@pytest.fixture(scope="module")
def running_machine(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: Postgres,
    redis_of_all: RedisServer,
) -> Iterator[Machine]:
    """Two servers and two workers behind one address."""
    program("haproxy")
    tasks = tmp_path_factory.mktemp("t") / "tasks.py"
    tasks.write_text(TASKS, "utf-8")
    subprocess.run(
        [
            *_psql(postgres_server),
            "-c",
            "DROP DATABASE IF EXISTS trial",
            "-c",
            "CREATE DATABASE trial",
        ],
        check=True,
        capture_output=True,
    )
    with ExitStack() as stack:
        lite = stack.enter_context(running(tmp_path_factory.mktemp("s2")))
        made = stack.enter_context(machine(tmp_path_factory.mktemp("m")))
        settings = {
            **SECRETS,
            "HEADRACE_DATABASE": postgres_server.dsn("trial"),
            "HEADRACE_REDIS": redis_of_all.url(3),
            "HEADRACE_STREAMS": f"s2://headrace-trial?endpoint={lite.url}",
        }
        made.install(tasks, settings)
        made.start("headrace-migrate")
        made.start("headrace-balancer", *servers(made))
        made.start(*WORKERS)
        yield made


WORKERS: Final = ("headrace-worker@1", "headrace-worker@2")


def _psql(server: Postgres) -> list[str]:
    return [str(program("psql")), "-q", "-d", server.dsn()]


def servers(on: Machine) -> tuple[str, str]:
    """Return the units of the two servers."""
    return f"headrace-serve@{on.ports['8701']}", f"headrace-serve@{on.ports['8702']}"


def ask(on: Machine, path: str, body: bytes | None = None, key: str = "") -> bytes:
    """Ask the one address."""
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    if key:
        headers |= {"idempotency-key": key}
    with urlopen(Request(on.url + path, body, headers), timeout=PATIENCE_S) as answer:  # noqa: S310 - ours
        return bytes(answer.read())


def triggered(on: Machine, title: str) -> str:
    """Start a run that asks."""
    body = msgspec.json.encode({"payload": title})
    return msgspec.json.decode(ask(on, "/api/v1/tasks/ask/trigger", body), type=Started).id


def finished(on: Machine, run: str) -> Shown:
    """Wait for the end of a run."""
    for _ in range(600):
        shown = msgspec.json.decode(ask(on, f"/api/v3/runs/{run}"), type=Shown)
        if shown.status == "COMPLETED":
            return shown
        threading.Event().wait(0.05)
    raise AssertionError(f"run {run} is {shown.status}")


@contextmanager
def tailing(on: Machine, run: str) -> Generator[Iterator[bytes]]:
    """Follow what a run puts out, through the balancer, line by line as it comes."""
    host = on.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=PATIENCE_S)
    connection.request(
        "GET", f"/realtime/v1/streams/{run}/log", headers={"authorization": f"Bearer {KEY}"}
    )
    answer = connection.getresponse()
    assert answer.headers["content-type"].startswith("text/event-stream")
    try:
        yield iter(answer.readline, b"")
    finally:
        connection.close()


def until(lines: Iterator[bytes], text: bytes) -> None:
    """Read until a line has the text."""
    assert any(text in line for line in lines), f"it ended before {text!r}"


def test_trigger_send_and_tail_pass_the_balancer_as_they_come(running_machine: Machine) -> None:
    run = triggered(running_machine, "alder")
    with tailing(running_machine, run) as lines:
        until(lines, b"asked about alder")  # it is still open: nothing gathers what comes
        ask(running_machine, f"/realtime/v1/streams/{run}/input/approval", ANSWER)
        until(lines, b"answered")
        assert list(lines)[-1:] in ([], [b"\n"])  # and it ends with the run
    assert finished(running_machine, run).output == "alice"


def test_both_servers_have_a_worker_through_the_balancer(running_machine: Machine) -> None:
    workers = {child.pid for name in WORKERS for child in _family(running_machine.pid(name))}
    balancer = {one.pid for one in _family(running_machine.pid("headrace-balancer"))}
    to_balancer = _established(running_machine.ports["8700"])
    assert workers <= to_balancer
    for server in ("8701", "8702"):
        assert balancer & _established(running_machine.ports[server])
        direct = workers & _established(running_machine.ports[server])
        assert not direct, "a worker goes past the balancer"


def _family(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def _established(port: str) -> set[int]:
    """Return the processes that are connected to a port."""
    found = psutil.net_connections("tcp")
    return {
        one.pid
        for one in found
        if one.pid and one.raddr and one.raddr.port == int(port) and one.status == "ESTABLISHED"
    }


def test_servers_are_started_again_one_by_one_and_no_send_fails_twice(
    running_machine: Machine,
) -> None:
    runs = [triggered(running_machine, f"n{number}") for number in range(SENDS)]
    failures = list[str]()
    done = threading.Event()

    def send() -> None:
        for number, run in enumerate(runs):
            _sent(running_machine, run, f"key-{number}", failures)
            done.wait(0.05)

    sender = threading.Thread(target=send)
    sender.start()
    with tailing(running_machine, runs[-1]) as lines:
        until(lines, b"asked about")
        for name in servers(running_machine):
            running_machine.restart(name)
    sender.join(PATIENCE_S)
    assert not sender.is_alive()
    assert {finished(running_machine, run).output for run in runs} == {"alice"}
    assert len(failures) <= SENDS // 10, failures


def _sent(on: Machine, run: str, key: str, failures: list[str]) -> None:
    for _ in range(5):
        try:
            ask(on, f"/realtime/v1/streams/{run}/input/approval", ANSWER, key)
        except OSError as error:
            failures.append(f"{run}: {error}")
            threading.Event().wait(0.1)
        else:
            return
    raise AssertionError(f"{run}: {failures}")


def test_the_images_health_check_tells_a_server_that_answers(running_machine: Machine) -> None:
    _, *words = instructions(DEPLOY / "compose/Dockerfile").health
    port = running_machine.ports["8701"]
    asked = [sys.executable, *words]
    well = subprocess.run(asked, env={"HEADRACE_PORT": port}, check=False, capture_output=True)
    assert well.returncode == 0, well.stderr
    nobody = subprocess.run(asked, env={"HEADRACE_PORT": "1"}, check=False, capture_output=True)
    assert nobody.returncode != 0
