"""What Headrace wants of the files of deploy/, which no tool knows: complaints, one a line.

Owns: the rules. Must never know: how the files are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

from headrace.app import settings
from headrace.app.settings import SETTINGS
from headrace.cli.main import app
from headrace.cli.supervisor import DRAIN_S as WORKER_S
from headrace.errors import BadRequest
from headrace.server.outputs import PAUSE_S
from headrace.server.protocol import HEAD_S
from headrace.server.run import DRAIN_S as SERVER_S
from tests.deploy.habits import HABITS
from tests.deploy.judges import Complaints, Judge
from tests.deploy.manifests import Container, Probe, podded, things
from tests.deploy.reading import (
    ROOT,
    SECRETS,
    Process,
    composed,
    instructions,
    project,
    unit_processes,
    units,
)

OPTIONS: Final = ("--database", "--redis", "--streams")
SERVERS_OWN: Final = frozenset(
    {"HEADRACE_DATABASE", "HEADRACE_REDIS", "HEADRACE_MASTER_KEY", "HEADRACE_S2_TOKEN"}
)
WANTED: Final[Mapping[str, frozenset[str]]] = {
    "serve": frozenset(
        {
            "HEADRACE_SECRET_KEY",
            "HEADRACE_MASTER_KEY",
            "HEADRACE_DATABASE",
            "HEADRACE_REDIS",
            "HEADRACE_STREAMS",
        }
    ),
    "worker": frozenset(
        {
            "HEADRACE_SECRET_KEY",
            "HEADRACE_SNAPSHOT_KEY",
            "HEADRACE_URL",
            "HEADRACE_SLOTS",
            "HEADRACE_MEMORY",
        }
    ),
    "db": frozenset({"HEADRACE_DATABASE"}),
}
"""What each has to be told; of the rest, a worker knows nothing of what only servers need."""
PATIENCE: Final[Mapping[str, float]] = {
    "client": PAUSE_S,
    "server": PAUSE_S,
    "http-request": HEAD_S,
    "tunnel": 2 * 15,  # a worker's channel has a ping each 15 s
}
"""By the balancer's names, how long whoever asks may be silent."""
PINNED: Final = re.compile(r"[\w./-]+:(\d+\.\d+[\w.-]*|bookworm-\d{8}-slim)")


def processes(deploy: Path) -> list[Process]:
    """Return every `headrace` that any of the files runs."""
    return [*composed(deploy), *unit_processes(deploy), *podded(deploy)]


def by_units(deploy: Path) -> Complaints:
    """Judge what systemd does not: users, ends, and who is let in."""
    for unit in units(deploy / "systemd"):
        if unit.one("DynamicUser") != "yes":
            yield f"systemd: {unit.name} runs as root"
        if unit.one("Type") != "oneshot" and unit.one("Restart") != "always":
            yield f"systemd: {unit.name} is not started again"
        if "s2-lite" in unit.name and unit.one("IPAddressDeny") != "any":
            yield f"systemd: {unit.name} lets everybody in"


def by_pods(deploy: Path) -> Complaints:
    """Judge what the schemas do not: users, probes, and what a service of our name would set."""
    for thing in things(deploy):
        pod, name = thing.pod, thing.metadata.name
        if thing.metadata.namespace != "headrace" and thing.kind != "Namespace":
            yield f"kubernetes: {thing.kind} {name} is in no namespace"
        if pod is None:
            continue
        if pod.enable_service_links:
            yield f"kubernetes: {name} would be told HEADRACE_PORT by the service"
        if pod.security_context.get("runAsNonRoot") is not True:
            yield f"kubernetes: {name} runs as root"
        for one in pod.containers:
            yield from (f"kubernetes: {name} {wrong}" for wrong in _contained(one))


def _contained(one: Container) -> Complaints:
    if one.security_context.get("readOnlyRootFilesystem") is not True:
        yield "may write its programs"
    if one.args[:1] == ["serve"] and not all(probe.http_get for probe in _probes(one)):
        yield "is not asked how it is"


def _probes(one: Container) -> list[Probe]:
    return [one.startup_probe, one.readiness_probe, one.liveness_probe]


def by_commands(deploy: Path) -> Complaints:
    """Have the CLI itself read each command; nothing secret stands in one."""
    for process in processes(deploy):
        if (wrong := _mistyped(process.words)) is not None:
            yield f"{process.where}: {wrong}"
        for word in process.words:
            if "://" in word or word.startswith(OPTIONS):
                yield f"{process.where}: {word} is for everybody to see"


def _mistyped(words: tuple[str, ...]) -> str | None:
    """Say what the CLI does not understand, without doing anything."""
    command, rest = get_command(app), list(words)
    while isinstance(command, TyperGroup):
        name, *rest = rest or [""]
        if name not in command.commands:
            return f"there is no command {name}"
        command = command.commands[name]
    try:
        command.make_context("headrace", rest)
    except TyperException as error:
        return str(error)
    return None


def by_schemas(deploy: Path) -> Complaints:
    """Let one migrate, and no server: what the database becomes is decided once."""
    found = processes(deploy)
    for process in found:
        if process.role == "serve" and "--no-migrate" not in process.words:
            yield f"{process.where}: migrates by itself"
    for form in ("compose", "systemd", "kubernetes"):
        if not any(p.role == "db" and p.where.startswith(form) for p in found):
            yield f"{form}: nobody migrates"


def by_settings(deploy: Path) -> Complaints:
    """Have the settings themselves read each environment; to each what it needs, and no more."""
    for process in processes(deploy):
        said = {name: text for name, text in process.environment.items() if "HEADRACE" in name}
        for name in sorted(set(said) - set(SETTINGS)):
            yield f"{process.where}: {name} is no setting"
        try:
            settings.read(said)
        except BadRequest as error:
            yield f"{process.where}: {error}"
        for name in sorted(WANTED[process.role] - {name for name, text in said.items() if text}):
            yield f"{process.where}: is not told {name}"
        known = SERVERS_OWN if process.role == "worker" else {"HEADRACE_SNAPSHOT_KEY"}
        for name in sorted(known & set(said)):
            yield f"{process.where}: need not know {name}"


def by_homes(deploy: Path) -> Complaints:
    """Let each have a home of its own, that it may close to others."""
    for process in processes(deploy):
        home = process.environment.get("HEADRACE_HOME", "")
        if process.where.startswith("systemd"):
            if not home.startswith("%t/headrace/"):
                yield f"{process.where}: its home stays when it ends: {home}"
            if "@" in process.where and not home.endswith("-%i"):
                yield f"{process.where}: instances share the home {home}"
        elif not home.startswith("/run/headrace/"):
            yield f"{process.where}: its home is no folder of its own: {home}"


def by_ends(deploy: Path) -> Complaints:
    """Give each the time that it needs to end in order."""
    needed = {"serve": SERVER_S, "worker": WORKER_S, "db": 0}
    for process in processes(deploy):
        need = needed[process.role] + (5 if process.where == "kubernetes: headrace-serve" else 0)
        if process.grace_s < need * 1.25:
            yield f"{process.where}: is killed after {process.grace_s} s, needs {need}"


def by_ports(deploy: Path) -> Complaints:
    """Let who asks and who answers agree on ports, and on where health is asked for."""
    port = instructions(deploy / "compose/Dockerfile").environment["HEADRACE_PORT"]
    yield from _composed_ports(deploy, port)
    yield from _podded_ports(deploy, port)
    for process in processes(deploy):
        asked = process.environment.get("HEADRACE_URL", "http://:8700")
        if urlsplit(asked).port != int(port):
            yield f"{process.where}: asks at {asked}"
    health = " ".join(instructions(deploy / "compose/Dockerfile").health)
    if "HEADRACE_PORT" not in health or "}/health'" not in health:
        yield f"Dockerfile: asks for health where nobody answers: {health}"


def _composed_ports(deploy: Path, port: str) -> Complaints:
    services = project(deploy).services
    bound = services["balancer"].environment["BALANCER_BIND"]
    published = [str(one.target) for one in services["balancer"].ports]
    if bound != f":{port}" or published != [port]:
        yield f"compose: the balancer listens at {bound}, published are {published}"
    if any(one.host_ip != "127.0.0.1" for one in services["balancer"].ports):
        yield "compose: the balancer is open to everybody, without TLS"
    for name, service in services.items():
        if service.ports and name != "balancer":
            yield f"compose: {name} is reached from outside"
    containers = (deploy / "haproxy/containers.cfg").read_text("utf-8")
    if not re.search(rf"(?m)^    server-template serve \d+ serve:{port}$", containers):
        yield "haproxy: the containers are asked at another port"
    for name in ("headrace.cfg", "containers.cfg", "servers.cfg"):
        text = (deploy / "haproxy" / name).read_text("utf-8")
        if name != "headrace.cfg" and "option httpchk GET /health\n" not in text:
            yield f"haproxy: {name} asks for health where nobody answers"


def _podded_ports(deploy: Path, port: str) -> Complaints:
    found = things(deploy)
    names = {
        opened.name: str(opened.container_port)
        for thing in found
        if thing.pod
        for container in thing.pod.containers
        for opened in container.ports
        if thing.metadata.name == "headrace-serve"
    }
    if names != {"http": port}:
        yield f"kubernetes: servers say that they listen at {names}"
    for thing in found:
        if thing.kind == "Service" and thing.metadata.name == "headrace":
            away = [(str(one.port), one.target_port) for one in thing.spec.ports]
            if away != [(port, "http")]:
                yield f"kubernetes: the service is at {away}"
        probes = [p for one in (thing.pod.containers if thing.pod else []) for p in _probes(one)]
        for asked in (probe.http_get for probe in probes):
            if asked and asked.path != "/health":
                yield f"kubernetes: {thing.metadata.name} is asked at {asked.path}"


def by_timeouts(deploy: Path) -> Complaints:
    """Let the balancer be as patient as who is behind it, and repeat nothing that may be done."""
    text = (deploy / "haproxy/headrace.cfg").read_text("utf-8")
    seconds = {"s": 1, "m": 60}
    said = {
        name: int(number) * seconds[unit]
        for name, number, unit in re.findall(r"(?m)^    timeout (\S+) (\d+)([sm])$", text)
    }
    for name, least in PATIENCE.items():
        if said.get(name, 0) <= least:
            yield f"haproxy: timeout {name} is {said.get(name)} s, not more than {least}"
    if "option http-no-delay\n" not in text:
        yield "haproxy: gathers what streams"
    for name in ("servers.cfg", "containers.cfg"):
        again = (deploy / "haproxy" / name).read_text("utf-8")
        if re.findall(r"(?m)^    retry-on (.*)$", again) != ["conn-failure"]:
            yield f"haproxy: {name} repeats what may have been carried out"


def by_versions(deploy: Path) -> Complaints:
    """Let every image be of one version, and the same one everywhere."""
    files = (deploy / "compose/Dockerfile", deploy / "compose/s2-lite.Dockerfile")
    images = [base for file in files for base in instructions(file).bases]
    images += [service.image for service in project(deploy).services.values()]
    found = [thing.pod for thing in things(deploy) if thing.pod]
    images += [container.image for pod in found for container in pod.containers]
    for image in sorted(set(images)):
        if not PINNED.fullmatch(image):
            yield f"{image} is of no version"
    by_name = dict[str, set[str]]()
    for image in images:
        by_name.setdefault(image.partition(":")[0], set()).add(image)
    for same in by_name.values():
        if len(same) > 1:
            yield f"two versions: {', '.join(sorted(same))}"
    yield from _versions_of_ours(deploy, by_name)


def _versions_of_ours(deploy: Path, images: Mapping[str, set[str]]) -> Complaints:
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    version = re.findall(r'(?m)^version = "(.*)"$', pyproject)[0]
    if images["headrace"] != {f"headrace:{version}"}:
        yield f"headrace is {version}, the images are {images['headrace']}"
    tested = re.findall(
        r"(?m)^VERSION=(.*)$", (ROOT / "scripts/install-s2-lite.sh").read_text("utf-8")
    )[0]
    built_as = (deploy / "compose/s2-lite.Dockerfile").read_text("utf-8")
    if images["s2-lite"] != {f"s2-lite:{tested}"} or f"--version {tested} " not in built_as:
        yield f"s2-lite is tested at {tested}, the images are {images['s2-lite']}"


def by_secrets(deploy: Path) -> Complaints:
    """Let nothing that is kept here be a secret, and what must be filled in be empty."""
    for file in sorted(path for path in deploy.rglob("*") if path.is_file()):
        text = file.read_text("utf-8")
        for name in SECRETS:
            for value in re.findall(rf"{name}(?:=|: )([^\s$\"]+)", text):
                yield f"{file.name}: {name} is {value}"
        for value in re.findall(r"://\w*:([^@\s]+)@", text):
            if value != "PASSWORD" and not value.startswith("${"):
                yield f"{file.name}: a password stands in a URL"


def by_networks(deploy: Path) -> Complaints:
    """Let nobody but servers reach what keeps the runs: s2-lite asks nobody for a key."""
    found = project(deploy)
    if not found.networks["kept"].internal:
        yield "compose: what keeps the runs is on an open network"
    for name, service in found.services.items():
        inside, keeps = "kept" in service.networks, name in {"postgres", "redis", "s2-lite"}
        if keeps and set(service.networks) != {"kept"}:
            yield f"compose: {name} is reached by others than servers"
        if inside and not keeps and name not in {"serve", "migrate"}:
            yield f"compose: {name} reaches what keeps the runs"


RULES: Final[tuple[Judge, ...]] = (
    by_units,
    by_pods,
    by_commands,
    by_schemas,
    by_settings,
    by_homes,
    by_ends,
    by_ports,
    by_timeouts,
    by_versions,
    by_secrets,
    by_networks,
    *HABITS,
)
