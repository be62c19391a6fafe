"""What the Compose file, the Dockerfiles and the units of deploy/ say, and who reads them.

Owns: their forms. Must never know: what is right.
"""

from __future__ import annotations

import os
import re
import shlex
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


# --- Compose --------------------------------------------------------------------------------------


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


class Used(msgspec.Struct, frozen=True):
    """A config or a secret that a service gets."""

    source: str


class Needed(msgspec.Struct, frozen=True):
    """What a service waits for."""

    required: bool = True


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
    depends_on: dict[str, Needed] = {}
    read_only: bool = False
    configs: list[Used] = []
    secrets: list[Used] = []
    profiles: list[str] = []
    pull_policy: str = ""
    stop_signal: str = ""


class Network(msgspec.Struct, frozen=True):
    """One network."""

    internal: bool = False


class Handed(msgspec.Struct, frozen=True):
    """A config or a secret: `file` is empty where it does not come from one."""

    file: str = ""


class Project(msgspec.Struct, frozen=True):
    """The whole Compose file."""

    services: dict[str, Service]
    networks: dict[str, Network]
    configs: dict[str, Handed] = {}
    secrets: dict[str, Handed] = {}


class Unreadable(Exception):
    """A tool says that a file is wrong."""


def project(deploy: Path, **changed: str) -> Project:
    """Have the Compose file read, with the example of .env filled in, or said otherwise."""
    place = deploy / "compose"
    given = {**assignments((place / "env.example").read_text("utf-8")), **SECRETS, **changed}
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


def composed(deploy: Path) -> Iterator[Process]:
    """Return what runs in containers of the Compose file."""
    image = instructions(deploy / "compose/Dockerfile")
    for name, service in project(deploy).services.items():
        if service.image.startswith("headrace:"):
            said = {key: value or "" for key, value in service.environment.items()}
            words = tuple(service.command or image.command)
            grace = float(service.stop_grace_period.removesuffix("s"))
            yield Process(f"compose: {name}", words, {**image.environment, **said}, grace)


# --- Dockerfiles ----------------------------------------------------------------------------------


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


# --- systemd --------------------------------------------------------------------------------------


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

    def before(self) -> list[list[str]]:
        """Return the commands that have to succeed first, as they are without systemd."""
        lines = self.values.get("ExecStartPre", ())
        return [shlex.split(line.replace("$$", "$")) for line in lines]


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


def unit_processes(deploy: Path) -> Iterator[Process]:
    """Return what the units run."""
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
