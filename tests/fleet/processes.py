"""The server and its workers as processes that can be killed, in a folder of their own.

Owns: how they are started, when they serve, and that they end with whoever started them.
Must never know: why anybody kills them.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol

import msgspec
import psutil

from headrace.cli.leash import Ready, decode
from tests.services.keeper import kept

PATIENCE_S: Final = 60.0


class NotServing(Exception):
    """A process did not come up; what it said is in its log."""


def free_port() -> int:
    """Return a port that nobody listens on; a server that is started again comes back to it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Site:
    """Where a fleet runs: its folder, its port, the file with its tasks, extra environment."""

    folder: Path
    port: int
    file: Path
    extra: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        return self.folder / ".headrace/headrace.db"

    @property
    def key(self) -> str:
        """Return the key that the server has made."""
        return (self.folder / ".headrace/key").read_text("ascii").strip()

    def environment(self) -> dict[str, str]:
        """Return the surroundings of every process of the fleet."""
        rest = {name: value for name, value in os.environ.items() if "HEADRACE" not in name}
        own = {
            "HEADRACE_HOME": str(self.folder / ".headrace"),
            "HEADRACE_PORT": str(self.port),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        return {**rest, **own, **self.extra}

    def caller(self) -> dict[str, str]:
        """Return the surroundings of a process that calls the server."""
        return {**self.environment(), "HEADRACE_URL": self.url, "HEADRACE_SECRET_KEY": self.key}


class Process(Protocol):
    """What a fleet needs of a process."""

    pid: int

    def poll(self) -> int | None:
        """Return the exit code of one that has ended."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; return its exit code."""
        ...

    def kill(self) -> None:
        """End it with -9."""
        ...

    def send_signal(self, sig: int, /) -> None:
        """Send it a signal."""
        ...


class Member:
    """One process of a fleet. What it says goes to a log of its own."""

    def __init__(self, process: Process, reports: IO[bytes]) -> None:
        self._process, self._reports = process, reports
        self._lines = queue.SimpleQueue[bytes]()
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_up(self) -> bool:
        return self._process.poll() is None

    def _read(self) -> None:
        with self._reports as reports:
            for line in reports:
                self._lines.put(line)
        self._lines.put(b"")

    def line(self) -> bytes:
        """Wait for the next line that it reports."""
        try:
            line = self._lines.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise NotServing(f"process {self.pid} said nothing for {PATIENCE_S} s") from None
        if not line:
            raise NotServing(f"process {self.pid} ended with {self._process.wait()}")
        return line

    def kill(self) -> None:
        """End it with -9, as if the machine had lost it."""
        self._process.kill()
        self._process.wait()

    def halt(self) -> None:
        """Let it stand still where it is, as a machine does that swaps or is moved."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End the halt; it knows nothing of it."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """Let it end in order; return its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(PATIENCE_S)

    def cpu_s(self) -> float:
        """Return the processor time that it has used."""
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system

    def rss(self) -> int:
        """Return the bytes of memory that it occupies."""
        return psutil.Process(self.pid).memory_info().rss


class Fleet:
    """Starts processes, and ends those that are left."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._members: list[Member] = []

    def server(self, *before: str) -> Member:
        """Start a server and wait until it serves; `before` is put before its command."""
        command = [*before, sys.executable, "-m", "headrace", "serve", "--json"]
        with self.log("server") as log:
            process = subprocess.Popen(
                command,
                cwd=self.site.folder,
                env=self.site.environment(),
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert process.stdout is not None
        member = self._started(kept(process), process.stdout)
        while b'"serving"' not in member.line():
            pass
        return member

    def worker(self, *before: str) -> Member:
        """Start the worker process that a supervisor would start; wait until it serves."""
        ours, theirs = socket.socketpair()
        handle = str(theirs.fileno())
        command = [*before, sys.executable, "-m", "headrace.cli.child", str(self.site.file), handle]
        with theirs, self.log("worker") as log:
            process = subprocess.Popen(
                command,
                cwd=self.site.folder,
                env={**self.site.environment(), "HEADRACE_URL": self.site.url},
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
            )
        with ours:
            return self.serving(kept(process), ours.makefile("rb"))

    def serving(self, process: Process, reports: IO[bytes]) -> Member:
        """Take up a worker process that was started; wait until it serves."""
        member = self._started(process, reports)
        while not isinstance(said := decode(member.line()), Ready):
            raise NotServing(str(said))
        return member

    def _started(self, process: Process, reports: IO[bytes]) -> Member:
        member = Member(process, reports)
        self._members.append(member)
        return member

    def log(self, name: str) -> IO[bytes]:
        """Open the file that the processes of one kind write to."""
        return (self.site.folder / f"{name}.log").open("ab")

    def end(self) -> None:
        """Kill whatever still runs."""
        for member in self._members:
            if member.is_up:
                member.kill()


@contextmanager
def fleet(folder: Path, file: Path, extra: Mapping[str, str] | None = None) -> Generator[Fleet]:
    """Open a fleet in a folder; its processes end with the block."""
    fleet = Fleet(Site(folder, free_port(), file, extra or {}))
    with ExitStack() as stack:
        stack.callback(fleet.end)
        yield fleet


def until(what: str, holds: object, *, patience_s: float = PATIENCE_S) -> None:
    """Wait until `holds()`; say what did not come about."""
    assert callable(holds)
    end = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {patience_s:.0f} s in vain until {what}")
        time.sleep(0.05)


def decoded(line: bytes) -> dict[str, object]:
    """Return a line of JSON."""
    return msgspec.json.decode(line, type=dict[str, object])
