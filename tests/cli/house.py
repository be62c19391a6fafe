"""A folder with tasks in it, and `headrace` commands that are typed there as processes."""

from __future__ import annotations

import contextlib
import io
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.request import Request, urlopen

import msgspec
import pytest

from headrace.cli.main import app
from tests.services.keeper import kept

PATIENCE_S: Final = 30.0
TASKS: Final = """
from dataclasses import dataclass

from headrace import Ok, metadata, streams, task


@dataclass
class Approval:
    approved: bool
    reviewer: str


approval = streams.input("approval", Approval)
words = streams.input("words", str)
log = streams.output("log", str)


@task
async def double(number: int) -> int:
    return number * 2


@task
async def ask(title: str = "untitled") -> str:
    await log.append(f"asked about {title}")
    metadata.set("title", title)
    match await approval.wait(timeout="7d"):
        case Ok(output=answer):
            await log.append("answered")
            return answer.reviewer
        case _:
            return ""


@task(max_attempts=1)
async def fail() -> None:
    raise ValueError("no paper")
"""


class Happened(msgspec.Struct, frozen=True, rename="camel"):
    """A line that `dev`, `serve` or `worker` has printed as JSON."""

    event: str
    url: str = ""
    pid: int = 0
    text: str = ""
    why: str = ""
    worker_goes_on: bool = False
    tasks: list[str] = []


class Long:
    """A command that runs until it is ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines = queue.SimpleQueue[str | None]()
        self.seen = list[str]()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def until(self, event: str) -> Happened:
        """Wait for the next event of this name."""
        while True:
            line = self._lines.get(timeout=PATIENCE_S)
            assert line is not None, f"ended before {event}: {self.seen}"
            self.seen.append(line)
            if line.startswith("{"):
                happened = msgspec.json.decode(line, type=Happened)
                if happened.event == event:
                    return happened

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(PATIENCE_S)
        assert self.process.stdout is not None
        if self.process.stdout.closed:
            return code
        try:
            while (line := self._lines.get(timeout=PATIENCE_S)) is not None:
                self.seen.append(line)
        finally:
            self.process.stdout.close()
        return code


@dataclass(frozen=True, slots=True)
class Printed:
    """What came of a command."""

    returncode: int
    stdout: str
    stderr: str


class House:
    """One folder."""

    def __init__(self, folder: Path, tasks: str = TASKS) -> None:
        self.folder = folder
        self.file = folder / "jobs.py"
        self.file.write_text(tasks, "utf-8")
        rest = {name: value for name, value in os.environ.items() if "HEADRACE" not in name}
        self.environment: Mapping[str, str] = {**rest, "HEADRACE_PORT": "0"}

    def run(self, *words: str, stdin: str = "", **settings: str) -> Printed:
        """Type a command that ends by itself. It runs in this process: starting one takes long."""
        out, err = io.StringIO(), io.StringIO()
        code = 0
        with (
            contextlib.chdir(self.folder),
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            for name in [name for name in os.environ if "HEADRACE" in name]:
                patch.delenv(name)
            for name, value in {"HEADRACE_PORT": "0", **settings}.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
            try:
                app(words, prog_name="headrace")
            except SystemExit as end:
                code = int(end.code or 0)
        return self._judged(Printed(code, out.getvalue(), err.getvalue()), words)

    def typed(self, *words: str, **settings: str) -> Printed:
        """Type the same command as a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "headrace", *words],
            cwd=self.folder,
            env={**self.environment, **settings},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return self._judged(Printed(done.returncode, done.stdout, done.stderr), words)

    def _judged(self, printed: Printed, words: Sequence[str]) -> Printed:
        everything = printed.stdout + printed.stderr
        assert "\x1b" not in everything, "colours where there is no terminal"
        assert "Traceback" not in printed.stderr or "--debug" in words, printed.stderr
        assert not self.key() or self.key() not in everything
        return printed

    def key(self) -> str:
        """Return the key that the server has made, if there is one."""
        path = self.folder / ".headrace/key"
        return path.read_text("ascii").strip() if path.exists() else ""

    @contextmanager
    def long(self, *words: str, **settings: str) -> Generator[Long]:
        """Type a command that runs until it is ended."""
        process = subprocess.Popen(
            [sys.executable, "-m", "headrace", *words, "--json"],
            cwd=self.folder,
            env={**self.environment, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        long = Long(kept(process))
        try:
            yield long
        finally:
            if process.poll() is None:
                process.kill()
            long.end()

    @contextmanager
    def dev(self, **settings: str) -> Generator[Long]:
        """Run `headrace dev` until the block ends, once its worker serves."""
        with self.long("dev", "jobs.py", **settings) as long:
            long.until("ready")
            yield long

    def trigger(self, task: str, *payload: str) -> str:
        """Start a run and return its id."""
        done = self.run("trigger", task, *payload)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def status(self, run: str) -> str:
        """Ask the server how a run stands."""
        address = json.loads((self.folder / ".headrace/server.json").read_text())
        headers = {
            "authorization": f"Bearer {self.key()}",
            "x-trigger-api-version": "2025-07-16",
        }
        request = Request(f"{address['url']}/api/v3/runs/{run}", headers=headers)  # noqa: S310 - ours
        with urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310 - ours
            return str(json.load(answer)["status"])

    def until_known(self, **settings: str) -> None:
        """Ask until the server knows a key that was made past it: within a second."""
        end = time.monotonic() + PATIENCE_S
        while self.run("runs", "list", **settings).returncode:
            assert time.monotonic() < end, "the key opens nothing"

    def until_status(self, run: str, status: str) -> None:
        """Ask until a run stands so."""
        end = time.monotonic() + PATIENCE_S
        while (seen := self.status(run)) != status:
            assert time.monotonic() < end, f"run {run} is {seen}, never {status}"
            time.sleep(0.02)
