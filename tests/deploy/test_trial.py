"""The units of deploy/systemd serve, as processes, on Postgres, Redis and s2-lite, behind HAProxy.

What it shows: command lines, environment files and the balancer's configuration are right; streams
and the workers' channel pass the balancer. What it cannot: users and filters of systemd.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import psutil
import pytest

from tests.cli.house import TASKS
from tests.deploy.asking import PATIENCE_S, Caller, until
from tests.deploy.machine import Machine, machine
from tests.deploy.reading import DEPLOY, SECRETS, instructions, program
from tests.s2.lite import running
from tests.services.postgres import Postgres
from tests.services.redis import RedisServer

SENDS: Final = 30
WORKERS: Final = ("headrace-worker@1", "headrace-worker@2")

pytestmark = [pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def machine_on(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: Postgres,
    redis_of_all: RedisServer,
) -> Iterator[Machine]:
    """Two servers and two workers behind one address."""
    program("haproxy")
    tasks = tmp_path_factory.mktemp("t") / "tasks.py"
    tasks.write_text(TASKS, "utf-8")
    psql = [str(program("psql")), "-q", "-d", postgres_server.dsn()]
    for order in ("DROP DATABASE IF EXISTS trial", "CREATE DATABASE trial"):
        subprocess.run([*psql, "-c", order], check=True, capture_output=True)
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
        made.start("headrace-balancer", *_servers(made))
        made.start(*WORKERS)
        yield made


@pytest.fixture
def caller(machine_on: Machine) -> Caller:
    """Whoever knows the one address."""
    return Caller(machine_on.url, SECRETS["HEADRACE_SECRET_KEY"])


def _servers(on: Machine) -> tuple[str, str]:
    return f"headrace-serve@{on.ports['8701']}", f"headrace-serve@{on.ports['8702']}"


def test_trigger_send_and_tail_pass_the_balancer_as_they_come(caller: Caller) -> None:
    run = caller.triggered("alder")
    with caller.tailing(run) as lines:
        until(lines, b"asked about alder")  # it is still open: nothing gathers what comes
        caller.answer(run)
        until(lines, b"answered")
        assert not b"".join(lines).strip()  # and it ends with the run
    assert caller.finished(run) == "alice"


def test_both_servers_have_a_worker_through_the_balancer(machine_on: Machine) -> None:
    workers = {one.pid for name in WORKERS for one in _family(machine_on.pid(name))}
    balancer = {one.pid for one in _family(machine_on.pid("headrace-balancer"))}
    assert workers <= _connected(machine_on.ports["8700"])
    for server in ("8701", "8702"):
        assert balancer & _connected(machine_on.ports[server])
        assert not workers & _connected(machine_on.ports[server]), "it goes past the balancer"


def _family(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def _connected(port: str) -> set[int]:
    """Return the processes that are connected to a port."""
    return {
        one.pid
        for one in psutil.net_connections("tcp")
        if one.pid and one.raddr and one.raddr.port == int(port) and one.status == "ESTABLISHED"
    }


def test_servers_are_started_again_one_by_one_and_nothing_is_lost(
    machine_on: Machine, caller: Caller
) -> None:
    runs = [caller.triggered(f"n{number}") for number in range(SENDS)]
    failures = list[str]()

    def send() -> None:
        for number, run in enumerate(runs):
            _answered(caller, run, f"key-{number}", failures)
            threading.Event().wait(0.1)

    sender = threading.Thread(target=send)
    sender.start()
    for name in _servers(machine_on):
        machine_on.restart(name)
    sender.join(PATIENCE_S)
    assert not sender.is_alive()
    assert {caller.finished(run) for run in runs} == {"alice"}
    assert len(failures) <= SENDS // 10, failures


def _answered(caller: Caller, run: str, key: str, failures: list[str]) -> None:
    for _ in range(5):
        try:
            caller.answer(run, key)
        except OSError as error:
            failures.append(f"{run}: {error}")
            threading.Event().wait(0.2)
        else:
            return
    raise AssertionError(f"{run}: {failures}")


def test_the_images_health_check_tells_a_server_that_answers(machine_on: Machine) -> None:
    _, *words = instructions(DEPLOY / "compose/Dockerfile").health
    asked = [sys.executable, *words]
    port = machine_on.ports["8701"]
    well = subprocess.run(asked, env={"HEADRACE_PORT": port}, check=False, capture_output=True)
    assert well.returncode == 0, well.stderr
    nobody = subprocess.run(asked, env={"HEADRACE_PORT": "1"}, check=False, capture_output=True)
    assert nobody.returncode != 0
