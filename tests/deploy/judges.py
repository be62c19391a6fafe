"""What the tools that read the files of deploy/ say of them: complaints, one a line.

Owns: how each is asked. Must never know: what only Headrace wants.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tests.deploy.manifests import KUSTOMIZATIONS, built, documents
from tests.deploy.reading import (
    ROOT,
    Unreadable,
    beside_python,
    instructions,
    program,
    project,
)

Complaints = Iterator[str]
Judge = Callable[[Path], Complaints]
EXPOSED_AT_MOST: Final = 2.0
"""Of 10, as `systemd-analyze security` counts."""
VERSIONS: Final = ("1.30", "1.37")
"""Of Kubernetes, the oldest and the newest that the manifests are for."""
OBJECTS: Final = 20


def by_compose(deploy: Path) -> Complaints:
    """Have Docker's own reader judge the Compose file."""
    try:
        services = project(deploy).services
    except Unreadable as error:
        yield str(error)
        return
    for name in {"postgres", "redis", "s2-lite", "serve", "worker", "balancer"} - set(services):
        yield f"compose: no service {name}"
    for name, service in services.items():
        mounts = [mount.source for mount in service.volumes if mount.source.startswith("/")]
        for place in mounts:
            if deploy in Path(place).parents and not Path(place).exists():
                yield f"compose: {name} mounts {place}, which is not there"
    try:
        project(deploy, COMPOSE_PROFILES="", HEADRACE_STREAMS="s2://acme-headrace")
    except Unreadable as error:
        yield f"compose: without s2-lite: {error}"


def by_systemd(deploy: Path) -> Complaints:
    """Have systemd judge the units, with something in the place of each program."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in (deploy / "systemd").glob("*.service"):
            text = re.sub(r"(?<=[=])(/opt|/usr/sbin)/\S+", "/bin/true", file.read_text("utf-8"))
            (folder / file.name).write_text(text, "utf-8")
        for file in sorted(folder.glob("*.service")):
            options = ["verify", "--man=no", "--recursive-errors=no", str(file)]
            done = _analyzed(*options)
            if done.returncode or done.stderr.strip():
                yield f"systemd: {done.stderr.strip() or file.name}"
            found = re.search(r"exposure level for \S+: ([\d.]+)", _security(file))
            if found is None or float(found[1]) > EXPOSED_AT_MOST:
                yield f"systemd: {file.name} is exposed: {found and found[1]}"


def _security(file: Path) -> str:
    return _analyzed("security", "--offline=yes", "--no-pager", str(file)).stdout


def _analyzed(*words: str) -> subprocess.CompletedProcess[str]:
    command = [str(program("systemd-analyze")), *words]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )


def by_kubernetes(deploy: Path) -> Complaints:
    """Have every object judged by Kubernetes' own schemas."""
    example = (deploy / "kubernetes/secrets.example.yaml").read_text("utf-8")
    try:
        texts = [*(built(deploy, one) for one in KUSTOMIZATIONS), example]
    except Unreadable as error:
        yield str(error)
        return
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "all.yaml"
        file.write_text("---\n".join(part for text in texts for part in documents(text)), "utf-8")
        for version in VERSIONS:
            done = subprocess.run(
                [sys.executable, "-m", "kubernetes_validate", "--strict", "-k", version, file],
                capture_output=True,
                text=True,
                check=False,
            )
            said = (done.stdout + done.stderr).splitlines()
            yield from (line for line in said if not line.startswith("INFO"))
            if not done.returncode and len(said) < OBJECTS:
                yield f"kubernetes: only {len(said)} objects were looked at"


def by_hadolint(deploy: Path) -> Complaints:
    """Have hadolint judge the Dockerfiles, and look at users and at what is copied."""
    for file in (deploy / "compose/Dockerfile", deploy / "compose/s2-lite.Dockerfile"):
        done = subprocess.run(
            [beside_python("hadolint"), "--no-color", file],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            yield f"{file.name}: {done.stdout}{done.stderr}"
            continue
        image = instructions(file)
        if image.user in {"root", "0", "0:0"}:
            yield f"{file.name}: runs as root"
        for place in image.copied:
            if not (ROOT / place).exists():
                yield f"{file.name}: copies {place}, which is not there"
    ignored = (deploy / "compose/Dockerfile.dockerignore").read_text("utf-8").splitlines()
    for place in instructions(deploy / "compose/Dockerfile").copied:
        if f"!{place}" not in ignored:
            yield f"Dockerfile: copies {place}, which is kept out"


def by_haproxy(deploy: Path) -> Complaints:
    """Have HAProxy judge its configuration, as either of its two sets of files."""
    place = deploy / "haproxy"
    for name in ("servers.cfg", "containers.cfg"):
        files = [str(place / "headrace.cfg"), "-f", str(place / name)]
        done = subprocess.run(
            [str(program("haproxy")), "-c", "-f", *files],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or "WARNING" in done.stdout + done.stderr:
            yield f"haproxy: {done.stdout}{done.stderr}"
    said = [(place / f"{name}.cfg").read_text("utf-8") for name in ("servers", "containers")]
    ways = [re.findall(r"(?m)^    (?:balance|option|http-check|retr).*$", text) for text in said]
    if ways[0] != ways[1]:
        yield "haproxy: servers and containers are not asked the same"


TOOLS: Final[tuple[Judge, ...]] = (by_compose, by_systemd, by_kubernetes, by_hadolint, by_haproxy)
