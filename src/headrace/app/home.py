"""The folder where a server on this machine keeps its key, database and address.

Owns: the folder, its modes, and who may use it. Must never know: what is in the database.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from headrace.errors import Mistake
from headrace.kernel.model import EnvId

NAME: Final = ".headrace"
KEY_FORM: Final = "tr_dev_"
USUAL: Final = EnvId("dev")
"""The environment of the key that is made at the first start."""


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server of a home folder is, or was."""

    url: str
    pid: int
    socket: str = ""
    env: str = USUAL
    """The environment that the socket file is of."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A folder that this process holds."""

    handle: int

    def release(self) -> None:
        """Let others have it."""
        os.close(self.handle)


@dataclass(frozen=True, slots=True)
class Home:
    """One home folder; it need not exist yet."""

    path: Path

    @property
    def key_path(self) -> Path:
        """Return where the key is kept."""
        return self.path / "key"

    @property
    def socket_path(self) -> Path:
        """Return where workers on this machine find the server."""
        return self.path / "worker.sock"

    def make(self) -> None:
        """See to it that the folder is there, closed to others, and ignored by git."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)
        ignore = self.path / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", "utf-8")

    def key(self) -> str:
        """Return the key that is kept, empty if there is none."""
        return _kept(self.key_path)

    def made_key(self) -> str:
        """Return the key that is kept; make it if there is none."""
        return _made(self.key_path, KEY_FORM)

    def made_snapshot_key(self) -> str:
        """Return the key that seals snapshots; make it, and the folder, if there is none."""
        self.make()
        return _made(self.path / "snapshot-key", "")

    def made_master_key(self) -> str:
        """Return the key that seals the keys in the database; make it if there is none."""
        self.make()
        return _made(self.path / "master-key", "")

    def address(self) -> Address | None:
        """Return where the folder's server is, or was when it was killed."""
        try:
            return msgspec.json.decode((self.path / "server.json").read_bytes(), type=Address)
        except (OSError, msgspec.MsgspecError):
            return None

    def publish(self, address: Address) -> None:
        """Let others find the server."""
        self.note("server.pid", f"{address.pid}\n".encode())
        self.note("server.json", msgspec.json.encode(address))

    def withdraw(self) -> None:
        """Say that server and worker have ended."""
        for name in ("server.json", "server.pid", "worker.pid"):
            (self.path / name).unlink(missing_ok=True)

    def note(self, name: str, text: bytes) -> None:
        """Write a small file whole; nobody ever reads half of it."""
        fresh = self.path / f".{name}.{os.getpid()}"
        fresh.write_bytes(text)
        fresh.replace(self.path / name)

    def lock(self) -> Lock:
        """Hold the folder for this process; a second server on it is refused.

        The lock ends with the process, however that ends.
        """
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise self._taken() from None
        return Lock(handle)

    def _taken(self) -> Mistake:
        address = self.address()
        who = f"process {address.pid} at {address.url}" if address else "another process"
        return Mistake(
            f"{self.path} already has a server: {who}",
            hint="Use that one, stop it first, or set HEADRACE_HOME to another folder.",
        )


def kept_master_key(home: Home) -> str:
    """Return the key that seals the keys in the database, empty if there is none."""
    return _kept(home.path / "master-key")


def keep_file(home: Home, file: Path) -> None:
    """Keep which file was worked for last, if there is a folder to keep it in."""
    if home.path.is_dir():
        home.note("worker.file", os.fsencode(file.absolute()))


def kept_file(home: Home) -> Path | None:
    """Return the file that was worked for last."""
    try:
        return Path(os.fsdecode((home.path / "worker.file").read_bytes()))
    except (OSError, ValueError):
        return None


def find(named: Path | None, start: Path) -> Home:
    """Return the home folder: the named one, else the nearest from `start` upward."""
    if named is not None:
        return Home(named)
    for folder in (start, *start.parents):
        if (folder / NAME / "key").exists():
            return Home(folder / NAME)
    return Home(start / NAME)


def _kept(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise Mistake(f"the key in {path} cannot be read: {_why(error)}") from None


def _made(path: Path, form: str) -> str:
    """Return the key that a file keeps, made now if there is none."""
    if key := _kept(path):
        return key
    key = form + secrets.token_hex(24)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(key + "\n")
    try:
        path.hardlink_to(fresh)
    except FileExistsError:
        return _kept(path)  # somebody was faster; theirs counts
    finally:
        fresh.unlink()
    return key


def _why(error: Exception) -> str:
    return error.strerror or "" if isinstance(error, OSError) else "it is damaged"
