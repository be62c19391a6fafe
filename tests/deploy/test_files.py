"""deploy/ is judged by the tools that read it, and by the program that it starts.

Then each judge is shown a copy with a fault in it, which it has to notice.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.deploy import habits, judges, rules
from tests.deploy.judges import TOOLS, Judge
from tests.deploy.reading import DEPLOY, program
from tests.deploy.rules import RULES
from tests.e2e.pages import files


@dataclass(frozen=True, slots=True)
class Fault:
    """In `file`, each `find` becomes `replace`; then the judge complains, and says `says`."""

    judge: Judge
    file: str
    find: str
    replace: str
    says: str


COMPOSE: Final = "compose/compose.yaml"
IMAGE: Final = "compose/Dockerfile"
SERVE: Final = "kubernetes/serve.yaml"
UNIT: Final = "systemd/headrace-serve@.service"
FAULTS: Final = (
    Fault(judges.by_compose, COMPOSE, "read_only: true", "read_onyl: true", "read_onyl"),
    Fault(judges.by_compose, COMPOSE, "condition: service_healthy", "condition: well", "condition"),
    Fault(judges.by_compose, COMPOSE, "networks: [kept]", "networks: [keep]", "keep"),
    Fault(judges.by_compose, COMPOSE, "../haproxy:", "../balancer:", "not there"),
    Fault(judges.by_compose, COMPOSE, "\n  redis:\n    image", "\n  cache:\n    image", "redis"),
    Fault(judges.by_compose, "compose/env.example", "TASKS=", "TASK=", "TASKS"),
    Fault(judges.by_compose, "compose/env.example", "TASKS=./tasks", "TASKS=./task", "not there"),
    Fault(judges.by_compose, COMPOSE, "        required: false\n", "", "without s2-lite"),
    Fault(judges.by_systemd, UNIT, "Restart=always", "Restart=ever", "ever"),
    Fault(judges.by_systemd, UNIT, "ProtectSystem=strict", "ProtectSytem=strict", "ProtectSytem"),
    Fault(judges.by_systemd, UNIT, "CapabilityBoundingSet=\n", "", "exposed"),
    Fault(judges.by_systemd, UNIT, "TimeoutStopSec=20s", "TimeoutStopSec=soon", "soon"),
    Fault(rules.by_units, UNIT, "DynamicUser=yes", "DynamicUser=no", "root"),
    Fault(rules.by_units, UNIT, "Restart=always", "Restart=no", "not started again"),
    Fault(
        rules.by_units, "systemd/headrace-s2-lite.service", "IPAddressDeny=any\n", "", "everybody"
    ),
    Fault(judges.by_kubernetes, SERVE, "HistoryLimit: 3", "HistoryLimit: three", "three"),
    Fault(judges.by_kubernetes, SERVE, "strategy:", "stratgy:", "stratgy"),
    Fault(judges.by_kubernetes, SERVE, "apiVersion: apps/v1", "apiVersion: apps/v0", "Deployment"),
    Fault(judges.by_kubernetes, "kubernetes/kustomization.yaml", "- worker", "- workers", "worker"),
    Fault(rules.by_pods, SERVE, "enableServiceLinks: false", "dnsPolicy: Default", "PORT"),
    Fault(rules.by_pods, SERVE, "runAsNonRoot: true", "runAsNonRoot: false", "root"),
    Fault(rules.by_pods, SERVE, "readOnlyRootFilesystem: true", "privileged: false", "write"),
    Fault(rules.by_pods, SERVE, "readinessProbe:", "x:", "asked how it is"),
    Fault(rules.by_pods, "kubernetes/kustomization.yaml", "namespace: headrace\n", "", "namespace"),
    Fault(judges.by_hadolint, IMAGE, "WORKDIR /src\n", "WORKDIR src\n", "DL3000"),
    Fault(judges.by_hadolint, IMAGE, "RUN python", "RUM python", "6:1 unexpected"),
    Fault(judges.by_hadolint, IMAGE, "USER 10001:10001\n", "", "root"),
    Fault(judges.by_hadolint, IMAGE, "run.lock requ", "runs.lock requ", "not there"),
    Fault(judges.by_hadolint, f"{IMAGE}.dockerignore", "!LICENSE\n", "", "kept out"),
    Fault(judges.by_haproxy, "haproxy/headrace.cfg", "timeout tunnel", "timeout tunel", "tunel"),
    Fault(judges.by_haproxy, "haproxy/headrace.cfg", "_backend servers", "_backend all", "all"),
    Fault(judges.by_haproxy, "haproxy/headrace.cfg", "timeout server 16m\n", "", "WARNING"),
    Fault(judges.by_haproxy, "haproxy/servers.cfg", "    retries 3\n", "", "the same"),
    Fault(rules.by_commands, COMPOSE, "[serve, --no", "[server, --no", "command server"),
    Fault(rules.by_commands, UNIT, "serve --port", "serve --prot", "--prot"),
    Fault(
        rules.by_commands, SERVE, "[serve, --no-migrate]", '[serve, --port, "x"]', "valid integer"
    ),
    Fault(rules.by_commands, "kubernetes/worker.yaml", ", /app/tasks.py]", "]", "parameter: file"),
    Fault(rules.by_commands, UNIT, "migrate\nE", "migrate --redis redis://:a@b\nE", "everybody"),
    Fault(rules.by_schemas, SERVE, "serve, --no-migrate]", "serve]", "by itself"),
    Fault(rules.by_schemas, COMPOSE, "[db, migrate]", "[doctor]", "compose: nobody"),
    Fault(rules.by_settings, COMPOSE, "HEADRACE_REDIS:", "HEADRACE_REDDIS:", "REDDIS is no"),
    Fault(rules.by_settings, COMPOSE, "HEADRACE_REDIS:", "REDIS:", "is not told"),
    Fault(rules.by_settings, "systemd/env/worker.env", "=100", "=many", "HEADRACE_SLOTS"),
    Fault(rules.by_settings, "systemd/env/worker.env", "_URL=", "_ULR=", "HEADRACE_ULR"),
    Fault(rules.by_settings, "systemd/env/common.env", "SECRET", "MASTER", "need not know"),
    Fault(rules.by_settings, COMPOSE, "_MEMORY:", "_STRICT:", "HEADRACE_STRICT"),
    Fault(rules.by_settings, COMPOSE, '      HEADRACE_SLOTS: "100"\n', "", "not told HEADRACE_SL"),
    Fault(
        rules.by_settings,
        "kubernetes/worker.yaml",
        "                name: headrace-worker\n            - secretRef:",
        "                name: headrace-serve\n            - secretRef:",
        "HEADRACE_URL",
    ),
    Fault(rules.by_homes, IMAGE, "/run/headrace/home", "/run/headrace", "of its own"),
    Fault(rules.by_homes, UNIT, "%t/headrace/serve-%i", "%t/headrace/serve", "share"),
    Fault(rules.by_homes, UNIT, "=%t/headrace/serve-%i", "=/var/lib/headrace-%i", "stays"),
    Fault(rules.by_ends, COMPOSE, "stop_grace_period: 20s", "init: false", "compose: serve"),
    Fault(rules.by_ends, "systemd/headrace-worker@.service", "=30s", "=15s", "worker"),
    Fault(rules.by_ends, SERVE, "PeriodSeconds: 25", "PeriodSeconds: 12", "headrace-serve"),
    Fault(rules.by_ports, COMPOSE, 'BIND: ":8700"', 'BIND: ":8080"', "the balancer listens"),
    Fault(rules.by_ports, "compose/env.example", "=127.0.0.1:", "=", "TLS"),
    Fault(rules.by_ports, COMPOSE, "balancer:8700\n", "balancer:8701\n", "asks at"),
    Fault(rules.by_ports, COMPOSE, "    shm_size", '    ports: ["5432:5432"]\n    shm_size', "out"),
    Fault(rules.by_ports, "haproxy/containers.cfg", "serve:8700", "serve:8701", "another port"),
    Fault(rules.by_ports, "haproxy/servers.cfg", "/health", "/healthz", "where nobody"),
    Fault(rules.by_ports, IMAGE, "/health'", "/'", "where nobody"),
    Fault(rules.by_ports, SERVE, "containerPort: 8700", "containerPort: 80", "say that"),
    Fault(rules.by_ports, SERVE, "port: 8700\n      t", "port: 80\n      t", "the service"),
    Fault(rules.by_ports, SERVE, "path: /health", "path: /healthz", "is asked at"),
    Fault(rules.by_timeouts, "haproxy/headrace.cfg", "client 16m", "client 1m", "client is 60"),
    Fault(rules.by_timeouts, "haproxy/headrace.cfg", "http-no-delay", "tcp-smart-accept", "gath"),
    Fault(rules.by_timeouts, "haproxy/servers.cfg", "conn-failure", "all-retryable", "repeats"),
    Fault(rules.by_versions, COMPOSE, "redis:7.4.5-bookworm", "redis:latest", "no version"),
    Fault(rules.by_versions, COMPOSE, "redis:7.4.5-bookworm", "redis:7.2.0", "two versions"),
    Fault(rules.by_versions, IMAGE, "3.13.7-slim-bookworm AS", "slim AS", "no version"),
    Fault(rules.by_versions, COMPOSE, "headrace:0.1.0.dev0", "headrace:0.0.9", "headrace is"),
    Fault(rules.by_versions, "compose/s2-lite.Dockerfile", "0.43.4", "0.43.3", "s2-lite is"),
    Fault(rules.by_secrets, "compose/env.example", "MASTER_KEY=\n", "MASTER_KEY=abc\n", "abc"),
    Fault(rules.by_secrets, "systemd/env/serve.env", ":PASSWORD@127.0.0.1:5", ":abc@b:5", "URL"),
    Fault(rules.by_networks, COMPOSE, "internal: true", "internal: false", "open"),
    Fault(rules.by_networks, COMPOSE, "[front]\n    deploy", "[front, kept]\n    deploy", "worker"),
    Fault(
        rules.by_networks,
        COMPOSE,
        "networks: [kept]\n    shm",
        "networks: [front]\n    shm",
        "others",
    ),
    Fault(
        habits.by_copies,
        COMPOSE,
        "    # Not read-only",
        "    read_only: true\n    # Not",
        "redis is read-only",
    ),
    Fault(habits.by_profiles, COMPOSE, "        required: false\n", "", "serve does not start"),
    Fault(habits.by_profiles, COMPOSE, "    profiles: [s2-lite]\n", "", "left out"),
    Fault(
        habits.by_builds,
        COMPOSE,
        "    pull_policy: never\n    command: [serve",
        "    build: {context: ../.., dockerfile: deploy/compose/Dockerfile}\n    command: [serve",
        "built 2 times",
    ),
    Fault(
        habits.by_builds,
        COMPOSE,
        "    pull_policy: never\n    command: [worker",
        "    command: [worker",
        "worker would fetch",
    ),
    Fault(habits.by_balancers, COMPOSE, "    stop_signal: SIGTERM\n", "", "image's signal"),
    Fault(
        habits.by_balancers, "haproxy/headrace.cfg", "    hard-stop-after 5m\n", "", "each reload"
    ),
    Fault(habits.by_empty_keys, UNIT, "StartPre=", "StartPost=", "an empty HEADRACE_MASTER_KEY"),
    Fault(habits.by_empty_keys, UNIT, "MASTER_KEY:?is", "MASTER_KEY?is", "an empty HEADRACE_MAST"),
    Fault(
        habits.by_empty_keys,
        "systemd/headrace-worker@.service",
        "SNAPSHOT_KEY:?",
        "SNAPSHOT:?",
        "with all keys",
    ),
    Fault(
        habits.by_recovery,
        "kubernetes/services/postgres.yaml",
        "failureThreshold: 360",
        "failureThreshold: 30",
        "after 300 s",
    ),
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """deploy/ in a tree of its own."""
    return Path(shutil.copytree(DEPLOY, tmp_path / "deploy"))


@pytest.mark.parametrize("judge", [*TOOLS, *RULES], ids=lambda judge: judge.__name__)
def test_nobody_complains(judge: Judge) -> None:
    assert list(judge(DEPLOY)) == []


@pytest.mark.parametrize(
    "fault", FAULTS, ids=[f"{one.judge.__name__}-{n}" for n, one in enumerate(FAULTS)]
)
def test_a_fault_is_noticed(copy: Path, fault: Fault) -> None:
    place = copy / fault.file
    before = place.read_text("utf-8")
    assert fault.find in before
    place.write_text(before.replace(fault.find, fault.replace), "utf-8")
    complaints = "\n".join(fault.judge(copy))
    assert fault.says in complaints, complaints


def test_every_judge_has_been_seen_to_complain() -> None:
    assert {fault.judge for fault in FAULTS} == {*TOOLS, *RULES}


def test_the_balancer_takes_a_certificate_as_its_files_say(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, line in (
        ("haproxy/headrace.cfg", r"    #   (bind :443 .*)"),
        ("systemd/headrace-balancer.service", r"#(LoadCredential=tls\.pem:.*)"),
    ):
        place = copy / name
        said, times = re.subn(rf"(?m)^{line}$", r"\1", place.read_text("utf-8"))
        assert times == 1, name
        place.write_text(said, "utf-8")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made = subprocess.run(
        [program("openssl"), "req", "-x509", *curve, "-subj", "/CN=headrace.test"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    sealed = (tmp_path / "privkey.pem").read_bytes()
    (tmp_path / "tls.pem").write_bytes(made.stdout + sealed)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert list(judges.by_haproxy(copy)) == []
    assert list(judges.by_systemd(copy)) == []
    (tmp_path / "tls.pem").unlink()
    assert "tls.pem" in "".join(judges.by_haproxy(copy))


def test_the_task_of_the_containers_is_that_of_the_page() -> None:
    (page,) = (text for name, text in files("docs/howto/scale-out.md") if name == "tasks.py")
    assert (DEPLOY / "compose/tasks/tasks.py").read_text("utf-8") == page
