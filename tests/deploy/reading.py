"""What the files of deploy/ say, whatever their form: which processes run where, with what around them.

Owns: their forms. Must never know: what is right.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import pytest

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
SECRETS: Final[Mapping[str, str]] = {
    "HEADRACE_SECRET_KEY": "tr_prod_" + "a" * 40,
    "HEADRACE_MASTER_KEY": "b" * 48,
    "HEADRACE_SNAPSHOT_KEY": "c" * 48,
    "POSTGRES_PASSWORD": "d" * 48,
    "REDIS_PASSWORD": "e" * 48,
}
"""As somebody has filled them in."""


@dataclass(frozen=True, slots=True)
class Process:
    """One `headrace` that runs somewhere."""

    where: str
    words: tuple[str, ...]
    """What is said after `headrace`."""
    environment: Mapping[str, str]
    grace_s: float
    """So long may it take to end."""

    @property
    def role(self) -> str:
        """Return its command."""
        return self.words[0]


def tool(name: str) -> Path:
    """Return a program that was built to judge deploy/, or skip the test that wants it."""
    script = ROOT / "scripts/install-deploy-tools.sh"
    asked = subprocess.run([script, "--where"], capture_output=True, text=True, check=True)
    path = Path(asked.stdout.strip()) / name
    if not path.exists():
        pytest.skip(f"there is no {name}: scripts/install-deploy-tools.sh builds it")
    return path


@cache
def program(name: str) -> Path:
    """Return a program of the system, or skip the test that wants it."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"there is no {name}: scripts/install-test-tools.sh installs it")
    return Path(found)


def beside_python(name: str) -> Path:
    """Return a program that a Python package brought."""
    found = shutil.which(
        name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    assert found is not None, f"{name} is missing: run `make setup`"
    return Path(found)


def assignments(text: str) -> dict[str, str]:
    """Read a file of NAME=VALUE lines."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


# --- Compose ---------------------------------------------------------------------------------------


class Mount(msgspec.Struct, frozen=True):
    """What is mounted where."""

    source: str = ""
    target: str = ""


class Port(msgspec.Struct, frozen=True):
    """What is published."""

    target: int
    published: str = ""
    host_ip: str = ""


class Build(msgspec.Struct, frozen=True):
    """What an image is built from."""

    context: str
    dockerfile: str = "Dockerfile"


class Check(msgspec.Struct, frozen=True):
    """How a service is asked how it is."""

    test: list[str] = []
    disable: bool = False


class Service(msgspec.Struct, frozen=True):
    """One service of the Compose file, as compose-go shows it."""

    image: str
    command: list[str] | None = None
    environment: dict[str, str | None] = {}
    build: Build | None = None
    networks: dict[str, object] = {}
    ports: list[Port] = []
    volumes: list[Mount] = []
    tmpfs: list[str] = []
    healthcheck: Check | None = None
    stop_grace_period: str = "10s"
    depends_on: dict[str, object] = {}
    read_only: bool = False


class Network(msgspec.Struct, frozen=True):
    """One network."""

    internal: bool = False


class Project(msgspec.Struct, frozen=True):
    """The whole Compose file."""

    services: dict[str, Service]
    networks: dict[str, Network]


class Unreadable(Exception):
    """A tool says that a file is wrong."""


def project(deploy: Path) -> Project:
    """Have the Compose file read, with the example of .env filled in."""
    place = deploy / "compose"
    given = {**assignments((place / ".env.example").read_text("utf-8")), **SECRETS}
    done = subprocess.run(
        [tool("compose-go"), place / "compose.yaml"],
        cwd=place,
        env={"PATH": os.environ["PATH"], **given},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Unreadable(done.stderr)
    return msgspec.json.decode(done.stdout, type=Project)


def _composed(deploy: Path) -> Iterator[Process]:
    image = instructions(deploy / "compose/Dockerfile")
    for name, service in project(deploy).services.items():
        if service.build and service.build.dockerfile.endswith("compose/Dockerfile"):
            said = {key: value or "" for key, value in service.environment.items()}
            words = tuple(service.command or image.command)
            grace = float(service.stop_grace_period.removesuffix("s"))
            yield Process(f"compose: {name}", words, {**image.environment, **said}, grace)


# --- Dockerfiles -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Image:
    """What a Dockerfile says of its last stage, and what all stages are made from."""

    bases: tuple[str, ...]
    user: str
    command: tuple[str, ...]
    entrypoint: tuple[str, ...]
    environment: Mapping[str, str]
    health: tuple[str, ...]
    copied: tuple[str, ...]
    """What comes from outside."""


def instructions(file: Path) -> Image:
    """Read a Dockerfile; that it is one at all is hadolint's to say."""
    text = re.sub(r"(?m)^#.*\n", "", file.read_text("utf-8")).replace("\\\n", " ")
    lines = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    stage = max(place for place, (verb, _) in enumerate(lines) if verb == "FROM")
    last = [(verb, rest) for verb, rest in lines[stage:]]
    users = [rest for verb, rest in last if verb == "USER"]
    env = " ".join(rest for verb, rest in last if verb == "ENV")
    copies = [rest.split() for verb, rest in lines if verb == "COPY" and "--from" not in rest]
    return Image(
        bases=tuple(rest.split()[0] for verb, rest in lines if verb == "FROM"),
        user=users[-1] if users else "root",
        command=_listed(last, "CMD"),
        entrypoint=_listed(last, "ENTRYPOINT"),
        environment=dict(pair.split("=", 1) for pair in env.split()),
        health=_listed([(v, r.partition("CMD ")[2]) for v, r in last], "HEALTHCHECK"),
        copied=tuple(source for words in copies for source in words[:-1]),
    )


def _listed(lines: Sequence[tuple[str, str]], verb: str) -> tuple[str, ...]:
    found = [rest for said, rest in lines if said == verb]
    return tuple(msgspec.json.decode(found[-1], type=list[str])) if found else ()


# --- systemd ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit file: of each name all its values, in order."""

    name: str
    values: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    def one(self, name: str) -> str:
        """Return the last value, as systemd does; empty if there is none."""
        return self.values.get(name, [""])[-1]

    def words(self) -> list[str]:
        """Return the command that it runs."""
        return self.one("ExecStart").split()


def units(folder: Path) -> list[Unit]:
    """Read all unit files of a folder."""
    found = list[Unit]()
    for file in sorted(folder.glob("*.service")):
        values = dict[str, list[str]]()
        for line in file.read_text("utf-8").splitlines():
            name, equals, value = line.partition("=")
            if equals and not line.startswith("#"):
                values.setdefault(name, []).append(value)
        found.append(Unit(file.name, values))
    return found


def _serving(deploy: Path) -> Iterator[Process]:
    for unit in units(deploy / "systemd"):
        words = unit.words()
        if words[0].endswith("/headrace"):
            said = dict[str, str]()
            for file in unit.values["EnvironmentFile"]:
                said |= assignments((deploy / "systemd/env" / Path(file).name).read_text("utf-8"))
            for pair in unit.values.get("Environment", ()):
                said |= dict([pair.split("=", 1)])
            said = {name: value or SECRETS.get(name, "") for name, value in said.items()}
            shown = tuple(word.replace("%i", "8701") for word in words[1:])
            grace = unit.one("TimeoutStopSec") or unit.one("TimeoutStartSec")
            seconds = float(grace.removesuffix("s")) if grace.endswith("s") else 600.0
            yield Process(f"systemd: {unit.name}", shown, said, seconds)


# --- Kubernetes ------------------------------------------------------------------------------------

KUSTOMIZATIONS: Final = (".", "services", "migrate")


class Named(msgspec.Struct, frozen=True):
    """The name of something else."""

    name: str


class Source(msgspec.Struct, frozen=True, rename="camel"):
    """Where settings come from."""

    config_map_ref: Named | None = None
    secret_ref: Named | None = None


class Place(msgspec.Struct, frozen=True, rename="camel"):
    """Where a volume is mounted."""

    name: str
    mount_path: str


class Opened(msgspec.Struct, frozen=True, rename="camel"):
    """A port of a container."""

    container_port: int
    name: str = ""


class Asked(msgspec.Struct, frozen=True):
    """What a probe asks for."""

    path: str
    port: str | int


class Probe(msgspec.Struct, frozen=True, rename="camel"):
    """A probe."""

    http_get: Asked | None = None


class Container(msgspec.Struct, frozen=True, rename="camel"):
    """One container."""

    name: str
    image: str
    args: list[str] = []
    env_from: list[Source] = []
    ports: list[Opened] = []
    startup_probe: Probe | None = None
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    volume_mounts: list[Place] = []
    security_context: dict[str, object] = {}


class PodSpec(msgspec.Struct, frozen=True, rename="camel"):
    """What runs in a pod."""

    containers: list[Container]
    enable_service_links: bool = True
    termination_grace_period_seconds: float = 30.0
    security_context: dict[str, object] = {}


class Template(msgspec.Struct, frozen=True):
    """A pod to be."""

    spec: PodSpec


class Away(msgspec.Struct, frozen=True, rename="camel"):
    """A port of a service."""

    port: int
    target_port: str | int = 0


class Spec(msgspec.Struct, frozen=True, rename="camel"):
    """What is wanted of an object, as far as it is looked at here."""

    template: Template | None = None
    ports: list[Away] = []


class Meta(msgspec.Struct, frozen=True):
    """Who it is."""

    name: str
    namespace: str = ""


class Thing(msgspec.Struct, frozen=True, rename="camel"):
    """One object of Kubernetes."""

    kind: str
    metadata: Meta
    spec: Spec = Spec()
    data: dict[str, str] = {}
    string_data: dict[str, str] = {}

    @property
    def pod(self) -> PodSpec | None:
        """Return what it runs, if it runs anything."""
        return self.spec.template.spec if self.spec.template else None


def built(deploy: Path, kustomization: str) -> str:
    """Have a kustomization put together; return its objects as YAML."""
    done = subprocess.run(
        [tool("kustomize"), "build", deploy / "kubernetes" / kustomization],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Unreadable(done.stderr)
    return done.stdout


def documents(text: str) -> list[str]:
    """Return the YAML documents of a text that have something in them."""
    parts = re.split(r"(?m)^---$", text)
    return [part for part in parts if re.search(r"(?m)^\w", part)]


def things(deploy: Path) -> list[Thing]:
    """Return all objects, those of the example of secrets too."""
    example = (deploy / "kubernetes/secrets.example.yaml").read_text("utf-8")
    texts = [*(built(deploy, one) for one in KUSTOMIZATIONS), example]
    return [msgspec.yaml.decode(one, type=Thing) for text in texts for one in documents(text)]


def _podded(deploy: Path) -> Iterator[Process]:
    image = instructions(deploy / "compose/Dockerfile")
    found = things(deploy)
    named = {(thing.kind, thing.metadata.name): thing for thing in found}
    for thing in found:
        if thing.pod is None or not thing.metadata.name.startswith("headrace-"):
            continue
        for container in thing.pod.containers:
            said = dict(image.environment)
            for source in container.env_from:
                said |= _given(named, source)
            grace = thing.pod.termination_grace_period_seconds
            where = f"kubernetes: {thing.metadata.name}"
            yield Process(where, tuple(container.args), said, grace)


def _given(named: Mapping[tuple[str, str], Thing], source: Source) -> Mapping[str, str]:
    kind = "ConfigMap" if source.config_map_ref else "Secret"
    ref = source.config_map_ref or source.secret_ref
    assert ref is not None
    if (kind, ref.name) not in named:
        raise Unreadable(f"there is no {kind} {ref.name}")
    said = {**named[kind, ref.name].data, **named[kind, ref.name].string_data}
    return {name: value or SECRETS.get(name, "") for name, value in said.items()}


def processes(deploy: Path) -> list[Process]:
    """Return every `headrace` that any of the files runs."""
    return [*_composed(deploy), *_serving(deploy), *_podded(deploy)]
