"""What the manifests of deploy/kubernetes say, put together by kustomize.

Owns: their form. Must never know: what is right.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from tests.deploy.reading import SECRETS, Process, Unreadable, instructions, tool

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
    period_seconds: int = 10
    failure_threshold: int = 3

    @property
    def patience_s(self) -> int:
        """Return how long it may be answered wrong."""
        return self.period_seconds * self.failure_threshold


class Container(msgspec.Struct, frozen=True, rename="camel"):
    """One container."""

    name: str
    image: str
    args: list[str] = []
    env_from: list[Source] = []
    ports: list[Opened] = []
    startup_probe: Probe = Probe()
    readiness_probe: Probe = Probe()
    liveness_probe: Probe = Probe()
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


def podded(deploy: Path) -> Iterator[Process]:
    """Return what runs in pods."""
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
