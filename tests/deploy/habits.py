"""What goes wrong only where Docker, systemd or Kubernetes start the files of deploy/: complaints.

Owns: the habits of these programs that no reader of the files knows. Must never know: how the files
are read.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Final

from tests.deploy.judges import Complaints, Judge
from tests.deploy.manifests import things
from tests.deploy.reading import SECRETS, project, unit_processes, units

RECOVERY_S: Final = 3_600
"""So long Postgres may take to read its log after a crash."""


def by_copies(deploy: Path) -> Complaints:
    """Have nothing copied into a root that is read-only: Compose copies what comes from no file."""
    found = project(deploy)
    for name, service in found.services.items():
        handed = [found.configs[used.source] for used in service.configs]
        handed += [found.secrets[used.source] for used in service.secrets]
        if service.read_only and not all(one.file for one in handed):
            yield f"compose: {name} is read-only, so nothing can be copied into it"


def by_profiles(deploy: Path) -> Complaints:
    """Let whoever waits for a service of a profile go on without it."""
    services = project(deploy).services
    if not any(service.profiles for service in services.values()):
        yield "compose: s2-lite cannot be left out"
    for name, service in services.items():
        for needed, how in service.depends_on.items():
            if services[needed].profiles and how.required:
                yield f"compose: {name} does not start without {needed}, which is of a profile"


def by_builds(deploy: Path) -> Complaints:
    """Have each image built by one service: builds of one tag at the same time fail."""
    services = project(deploy).services
    built = Counter(service.image for service in services.values() if service.build)
    for image, times in built.items():
        if times > 1:
            yield f"compose: {image} is built {times} times at once"
    for name, service in services.items():
        if not service.build and service.image in built and service.pull_policy != "never":
            yield f"compose: {name} would fetch an image that is built here"
        if service.image.startswith("headrace:") and service.image not in built:
            yield f"compose: nobody builds {service.image}"


def by_balancers(deploy: Path) -> Complaints:
    """Have no balancer wait for workers' channels, which do not end."""
    if project(deploy).services["balancer"].stop_signal != "SIGTERM":
        yield "compose: the balancer ends by its image's signal, which waits for channels"
    text = (deploy / "haproxy/headrace.cfg").read_text("utf-8")
    if not re.search(r"(?m)^    hard-stop-after \d+m$", text):
        yield "haproxy: each reload leaves a process behind for ever"


def by_empty_keys(deploy: Path) -> Complaints:
    """Have a unit refuse an empty key, by name: who is started with one would make its own."""
    named = {f"systemd: {unit.name}": unit for unit in units(deploy / "systemd")}
    for process in unit_processes(deploy):
        if process.role not in {"serve", "worker"}:
            continue
        before = named[process.where].before()
        if _refused(before, dict(process.environment)):
            yield f"{process.where}: does not start with all keys"
        for key in sorted(set(SECRETS) & set(process.environment)):
            said = _refused(before, {**process.environment, key: ""})
            if key not in said:
                yield f"{process.where}: starts with an empty {key}: {said}"


def _refused(commands: list[list[str]], environment: dict[str, str]) -> str:
    """Return what the first of these commands says that fails."""
    for command in commands:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            return done.stderr
    return ""


def by_recovery(deploy: Path) -> Complaints:
    """Let Postgres come up after a crash, however long that takes."""
    for thing in things(deploy):
        if thing.metadata.name == "postgres" and thing.pod is not None:
            for one in thing.pod.containers:
                if one.startup_probe.patience_s < RECOVERY_S:
                    yield f"kubernetes: postgres is killed after {one.startup_probe.patience_s} s"


HABITS: Final[tuple[Judge, ...]] = (
    by_copies,
    by_profiles,
    by_builds,
    by_balancers,
    by_empty_keys,
    by_recovery,
)
