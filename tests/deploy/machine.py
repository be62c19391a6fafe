"""A machine on which the units of deploy/systemd run without systemd: as processes, by ExecStart.

Owns: a folder that stands for /, what is installed there, and that every process ends with it.
Must never know: users, namespaces and filters: these need the real thing.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from tests.deploy.reading import DEPLOY, Unit, assignments, program, units
from tests.services.keeper import kept
from tests.services.postgres import free_port

PATIENCE_S: Final = 90.0
WRITTEN: Final = ("8700", "8701", "8702")
"""The ports of the balancer and of two servers, as the files have them."""
UNITS: Final = "etc/systemd/system"


class Broken(Exception):
    """A unit did not start, or did not end in its time."""


class Machine:
    """One machine. Its ports are free ones in the place of those that are written down."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ports: Mapping[str, str] = {port: str(free_port()) for port in WRITTEN}
        self._running = dict[str, subprocess.Popen[bytes]]()
        for name in (
            "etc/headrace",
            UNITS,
            "opt/headrace/app",
            "opt/headrace/bin",
            "run",
            "var/lib",
        ):
            (root / name).mkdir(parents=True)

    @property
    def url(self) -> str:
        """Return the address of all servers."""
        return f"http://127.0.0.1:{self.ports['8700']}"

    def here(self, text: str) -> str:
        """Return a text with the places and ports that it has on this machine."""
        text = re.sub(
            r"(?<![\w.])/(etc/headrace|etc/systemd|opt/headrace|opt/s2-lite|run/headrace)",
            rf"{self.root}/\1",
            text,
        )
        for written, port in self.ports.items():
            text = re.sub(rf"\b{written}\b", port, text)
        return text

    def install(self, tasks: Path, settings: Mapping[str, str]) -> None:
        """Put everything where it belongs, and fill in what is to be filled in."""
        for file in (*(DEPLOY / "systemd").glob("*.service"), *(DEPLOY / "haproxy").glob("*.cfg")):
            place = UNITS if file.suffix == ".service" else "etc/headrace"
            text = file.read_text("utf-8")
            text = text if file.suffix == ".service" else self.here(text)
            (self.root / place / file.name).write_text(text, "utf-8")
        for file in (DEPLOY / "systemd/env").glob("*.env"):
            said = assignments(self.here(file.read_text("utf-8")))
            said |= {name: settings[name] for name in said if name in settings}
            lines = [f"{name}={value}\n" for name, value in said.items()]
            (self.root / "etc/headrace" / file.name).write_text("".join(lines), "utf-8")
        shutil.copy(tasks, self.root / "opt/headrace/app/tasks.py")

    def pid(self, name: str) -> int:
        """Return the process of a unit."""
        return self._running[name].pid

    def start(self, *names: str) -> None:
        """Start units, and wait until they are there; one that is there is left alone."""
        fresh = [name for name in names if not self._runs(name)]
        for name in fresh:
            self._spawn(name)
        for name in fresh:
            unit, instance = self._unit(name)
            if unit.one("Type") != "oneshot":
                self._until(name, partial(self._is_up, name, instance))
            elif self._running[name].wait(PATIENCE_S):
                raise Broken(self._said(name))

    def _runs(self, name: str) -> bool:
        return name in self._running and self._running[name].poll() is None

    def _spawn(self, name: str) -> None:
        unit, instance = self._unit(name)
        environment = self._environment(unit, instance)
        with self.log(name).open("ab") as log:
            for command in unit.before():
                if subprocess.run(command, env=environment, stderr=log, check=False).returncode:
                    raise Broken(self._said(name))
            process = subprocess.Popen(
                self._command(unit.words(), instance),
                cwd=self.root,
                env=environment,
                stdout=log,
                stderr=log,
            )
        self._running[name] = kept(process)

    def stop(self, name: str) -> None:
        """End a unit, in the time that it has for that."""
        unit, _ = self._unit(name)
        process = self._running.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(float(unit.one("TimeoutStopSec").removesuffix("s") or 90))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Broken(f"{name} does not end: {self._said(name)}") from None

    def restart(self, name: str) -> None:
        """Stop and start a unit."""
        self.stop(name)
        self.start(name)

    def end(self) -> None:
        """End whatever still runs."""
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def log(self, name: str) -> Path:
        """Return where a unit's output is."""
        return self.root / f"{name}.log"

    def _said(self, name: str) -> str:
        return self.log(name).read_text("utf-8")[-2_000:]

    def _unit(self, name: str) -> tuple[Unit, str]:
        template, at, instance = name.partition("@")
        file = f"{template}{at}.service"
        installed = {unit.name: unit for unit in units(self.root / UNITS)}
        if file not in installed:
            raise Broken(f"there is no unit {file}")
        return installed[file], instance

    def _command(self, words: list[str], instance: str) -> list[str]:
        program_, *rest = words
        known = {
            "/opt/headrace/bin/headrace": [sys.executable, "-m", "headrace"],
            "/usr/sbin/haproxy": [str(program("haproxy"))] if "haproxy" in program_ else [],
        }
        return [*known[program_], *(self._filled(word, instance) for word in rest)]

    def _filled(self, word: str, instance: str) -> str:
        word = word.replace("%i", instance).replace("%t", str(self.root / "run"))
        return self.here(word)

    def _environment(self, unit: Unit, instance: str) -> Mapping[str, str]:
        said = {name: text for name, text in os.environ.items() if "HEADRACE" not in name}
        for file in unit.values.get("EnvironmentFile", ()):
            place = Path(self.here(file.removeprefix("-")))
            if place.exists() or not file.startswith("-"):
                said |= assignments(place.read_text("utf-8"))
        for pair in unit.values.get("Environment", ()):
            name, value = pair.split("=", 1)
            said[name] = self._filled(value, instance)
        return said | {"PYTHONPATH": os.pathsep.join(sys.path)}

    def _is_up(self, name: str, instance: str) -> bool:
        if name.startswith("headrace-worker"):
            return "\n  tasks " in self._said(name)
        asked = http.client.HTTPConnection(
            "127.0.0.1", int(instance or self.ports["8700"]), timeout=1
        )
        try:
            asked.request("GET", "/health")
            return asked.getresponse().status == http.HTTPStatus.OK or not instance
        except (OSError, http.client.HTTPException):
            return False
        finally:
            asked.close()

    def _until(self, name: str, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not holds():
            if self._running[name].poll() is not None or time.monotonic() > end:
                raise Broken(f"{name} does not come up: {self._said(name)}")
            time.sleep(0.02)


@contextmanager
def machine(root: Path) -> Generator[Machine]:
    """Give a machine, and switch it off in the end."""
    made = Machine(root)
    try:
        yield made
    finally:
        made.end()
