"""A Postgres of our own for tests: fsync on, a free port, nothing left behind.

Owns: its processes and its folder. Must never know: what is stored.

Debian's package makes no server of its own run; where the tests run as root, the server runs as the
user `postgres`, since it refuses to be root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

import asyncpg

from tests.services.keeper import kept, kept_folder

How = Literal["fast", "immediate"]
SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
ROOM = 4 << 30
SETTINGS = {
    "shared_buffers": "32MB",
    "max_connections": "60",
    "fsync": "on",
    "full_page_writes": "on",
    "autovacuum_naptime": "5s",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
    "deadlock_timeout": "1s",
    "max_wal_size": "256MB",
}


def programs() -> Path:
    """Return the folder of the newest Postgres that is installed."""
    places = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/opt/homebrew/opt").glob("p*/bin")]
    found = [place for place in places if (place / "initdb").exists()]
    on_path = shutil.which("initdb")
    found += [Path(on_path).parent] if on_path else []
    if not found:
        raise RuntimeError("no Postgres is installed: run scripts/install-test-tools.sh")
    return max(found, key=lambda place: [int(part) for part in place.parts if part.isdigit()])


class Postgres:
    """One server. Its processes are ended by their own ids."""

    def __init__(self, folder: Path, port: int, addresses: str = "127.0.0.1") -> None:
        self.folder, self.port, self._addresses = folder, port, addresses
        self._process: subprocess.Popen[bytes] | None = None

    def dsn(self, database: str = "postgres", **options: str) -> str:
        """Return the URL of a database."""
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"postgresql://headrace@127.0.0.1:{self.port}/{database}{query and '?' + query}"

    @property
    def pid(self) -> int:
        """Return the process that started all others of it."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        settings = {
            **SETTINGS,
            "port": str(self.port),
            "listen_addresses": self._addresses,
            "unix_socket_directories": str(self.folder),
        }
        options = [part for item in settings.items() for part in ("-c", "=".join(item))]
        log = (self.folder / "log").open("ab")
        with log:
            process = subprocess.Popen(
                [str(programs() / "postgres"), "-D", str(self.folder / "data"), *options],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                user=unprivileged(),
            )
        self._process = kept(process, SIGNALS["immediate"])
        ready = [str(programs() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode != 0:
            if self._process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text())

    def stop(self, how: How = "fast") -> None:
        """End it; `immediate` is a crash of the server, though not of the machine."""
        if self._process is not None:
            self._process.send_signal(SIGNALS[how])
            self._process.wait(30)
            self._process = None

    async def cut(self, name: str = "headrace%") -> int:
        """End the connections of this name; say how many there were."""
        connection = await asyncpg.connect(self.dsn())
        try:
            sql = (
                "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND application_name LIKE $1"
            )
            return int(await connection.fetchval(sql, name))
        finally:
            await connection.close()


@contextmanager
def postgres(addresses: str = "127.0.0.1", *, within: Path | None = None) -> Generator[Postgres]:
    """Make a server that listens on `addresses` (with commas), run it, and remove it."""
    with kept_folder("headrace-pg-", within) as folder:
        user = unprivileged()
        if user is not None:
            os.chown(folder, user, -1)
        made = [str(programs() / "initdb"), "-D", str(folder / "data"), "-U", "headrace"]
        made += ["-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL, cwd=folder, user=user)
        server = Postgres(folder, free_port(), addresses)
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


def memory() -> Path | None:
    """Return a folder in memory, if there is room: who cuts no power need not wait for a disk.

    The server syncs there as it does anywhere, at no cost.
    """
    place = Path("/dev/shm")  # noqa: S108 - a folder of our own in it
    return place if place.is_dir() and shutil.disk_usage(place).free > ROOM else None


def unprivileged() -> int | None:
    """Return as whom to start what must not be root, if we are."""
    return pwd.getpwnam("postgres").pw_uid if os.geteuid() == 0 else None


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def emptied(dsn: str) -> None:
    """Remove every row; the schema stays. Sooner done than a new database."""
    connection = await asyncpg.connect(dsn)
    try:
        found = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'headrace'"
            " AND tablename NOT IN ('ledger', 'meta', 'counter')"
        )
        if found:
            await connection.execute(
                "; ".join(f"DELETE FROM headrace.{name}" for (name,) in found)  # noqa: S608 - ours
                + "; UPDATE headrace.meta SET at = 0; UPDATE headrace.counter SET value = 0"
            )
    finally:
        await connection.close()
