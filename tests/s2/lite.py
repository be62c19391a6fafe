"""A real s2-lite, private: its own network, its own folder, ended by its own process id.

Owns: starting, killing, starting again. Must never know: what is kept there.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.services.keeper import kept

ROOT: Final = Path(__file__).parents[2]
INNER_PORT: Final = 4566
PATIENCE_S: Final = 30.0
SETTINGS: Final[Mapping[str, str]] = {
    "SL8_MANIFEST_POLL_INTERVAL": "100ms",  # a start waits so long, for an older one to give up
    "RUST_LOG": "warn",
    "S2LITE_NO_DASHBOARD": "1",
}
APART: Final = ("unshare", "--map-root-user", "--net")


def binary() -> Path:
    """Return the server, or skip the test that wants it."""
    script = ROOT / "scripts/install-s2-lite.sh"
    asked = subprocess.run([script, "--where"], capture_output=True, text=True, check=True)
    path = Path(asked.stdout.strip())
    if not path.exists():
        pytest.skip("there is no s2-lite: scripts/install-s2-lite.sh builds it")
    return path


@cache
def can_be_apart() -> bool:
    """Tell whether a process may have a network of its own here."""
    if shutil.which(APART[0]) is None:
        return False
    return subprocess.run([*APART, "true"], capture_output=True, check=False).returncode == 0


class Lite:
    """One server, which may be started several times on the same folder and port."""

    def __init__(self, server: Path, folder: Path, *, is_apart: bool | None = None) -> None:
        self._server, self._folder = server, folder
        self._is_apart = can_be_apart() if is_apart is None else is_apart
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Return where it is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Return its process, or that of the relay that started it."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        with socket.socket() as door:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind(("127.0.0.1", self.port))
            self.port = door.getsockname()[1]
            if self._is_apart:
                door.listen(512)
            handle = door.fileno()
            command = self._apart(handle) if self._is_apart else self._open(door)
            with (self._folder / "log").open("ab") as log:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    pass_fds=(handle,) if self._is_apart else (),
                    env={**os.environ, **SETTINGS},
                )
        self._process = kept(process)
        self._ready()

    def _apart(self, handle: int) -> list[str]:
        relay = [sys.executable, str(Path(__file__).with_name("relay.py"))]
        return [*APART, *relay, str(handle), str(INNER_PORT), *self._command(INNER_PORT)]

    def _open(self, door: socket.socket) -> list[str]:
        """Where it gets no network of its own it is open to everybody in ours, while tests run."""
        door.close()
        return self._command(self.port)

    def _command(self, port: int) -> list[str]:
        root = self._folder / "data"
        root.mkdir(exist_ok=True)
        return [str(self._server), "--port", str(port), "--local-root", str(root)]

    def _ready(self) -> None:
        until = time.monotonic() + PATIENCE_S
        while not self._is_healthy():
            assert self._process is not None
            assert self._process.poll() is None, (self._folder / "log").read_text("utf-8")
            assert time.monotonic() < until, "s2-lite does not get ready"
            time.sleep(0.01)

    def _is_healthy(self) -> bool:
        asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            asked.request("GET", "/health")
            return asked.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            asked.close()

    def kill(self) -> None:
        """End it as a power cut would."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()  # the relay kills the server, and ends
        if not self._is_apart:
            process.kill()
        process.wait(PATIENCE_S)


@contextmanager
def running(folder: Path) -> Generator[Lite]:
    """Run a server on a folder while the block lasts."""
    lite = Lite(binary(), folder)
    try:
        lite.start()
        yield lite
    finally:
        lite.kill()
