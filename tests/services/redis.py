"""A Redis of our own for tests: a free port, a temporary folder, nothing left behind.

Owns: its process and its folder. Must never know: what is stored.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, Protocol, cast

from redis import Redis

from tests.services.keeper import kept, kept_folder

SETTINGS: Final = {"save": "", "appendonly": "no", "loglevel": "warning", "databases": "4"}


class _Client(Protocol):
    def execute_command(self, *parts: str | int) -> object: ...


class RedisServer:
    """One server. Its process is ended by its own id."""

    def __init__(self, folder: Path, port: int, settings: Mapping[str, str]) -> None:
        self.folder, self.port, self._settings = folder, port, {**SETTINGS, **settings}
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, db: int = 0) -> str:
        """Return the URL of a database."""
        return f"redis://127.0.0.1:{self.port}/{db}"

    @property
    def pid(self) -> int:
        """Return its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it answers, if only by a refusal."""
        program = shutil.which("redis-server")
        if program is None:
            raise RuntimeError("no Redis is installed: run scripts/install-test-tools.sh")
        settings = {"port": str(self.port), "bind": "127.0.0.1", "dir": str(self.folder)}
        options = [
            part
            for name, value in (settings | self._settings).items()
            for part in (f"--{name}", value)
        ]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [program, *options], stdout=log, stderr=log, start_new_session=True
            )
        self._process = kept(process)
        while not self._answers():
            if self._process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text())

    def _answers(self) -> bool:
        try:
            with closing(socket.create_connection(("127.0.0.1", self.port), 1)) as one:
                one.sendall(b"PING\r\n")
                return bool(one.recv(100))
        except OSError:
            return False

    def stop(self) -> None:
        """Kill it, as a crash does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def pause(self) -> None:
        """Let it hold connections, and answer nobody."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End the pause."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def do(self, *command: str | int, db: int = 0) -> object:
        """Run a command as somebody else."""
        with closing(Redis(port=self.port, db=db, protocol=2)) as client:
            # The driver says nothing about the types.
            return cast("_Client", client).execute_command(*command)


@contextmanager
def redis_server(settings: Mapping[str, str] | None = None) -> Generator[RedisServer]:
    """Make a server, run it, and remove it."""
    with kept_folder("headrace-redis-") as folder:
        server = RedisServer(folder, free_port(), settings or {})
        server.start()
        try:
            yield server
        finally:
            server.stop()


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
