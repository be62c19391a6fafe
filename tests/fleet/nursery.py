"""Worker processes without the time that an interpreter takes to import everything.

    python -m tests.fleet.nursery CONTROL FILE

One process has imported what every worker imports, and is copied for each worker. A copy is a
process of its own that imports FILE, connects and works as any other does.

Owns: the copying. Must never know: why workers are needed so often.
"""

from __future__ import annotations

import gc
import importlib
import os
import random
import select
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from types import TracebackType
from typing import IO, Final, Self

from tests.fleet.processes import Fleet, Member, NotServing, Site
from tests.services.keeper import kept

IMPORTED: Final = ("headrace.cli.child", "aiohttp", "msgspec", "uvloop")
ANSWER: Final = 16
STREAMS: Final = (1, 2)


class Nursery:
    """Gives a worker process at once, as long as the block lasts."""

    def __init__(self, ships: Fleet) -> None:
        self._ships = ships
        self._control, theirs = socket.socketpair()
        command = [sys.executable, "-m", "tests.fleet.nursery", str(theirs.fileno())]
        with theirs:
            process = subprocess.Popen(
                [*command, str(ships.site.file)],
                cwd=ships.site.folder,
                env=_environment(ships.site),
                pass_fds=(theirs.fileno(),),
            )
        self._process = kept(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._control.close()  # it ends, and so do its copies
        self._process.wait()

    def worker(self) -> Member:
        """Start a worker and wait until it serves."""
        ours, theirs = socket.socketpair()
        with theirs, self._ships.log("worker") as log:
            socket.send_fds(self._control, [b"!"], [theirs.fileno(), log.fileno()])
            answer = self._control.recv(ANSWER)
        if not answer:
            raise NotServing("the nursery has ended")
        with ours:
            return self._ships.serving(_Copy(int(answer)), ours.makefile("rb"))


def _environment(site: Site) -> dict[str, str]:
    return {**site.environment(), "HEADRACE_URL": site.url}


class _Copy:
    """A process whose parent is another one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = os.pidfd_open(pid)
        self._is_over = False

    def poll(self) -> int | None:
        """Say whether it has ended; nobody here hears how."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended."""
        if (code := self._ended(timeout)) is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def _ended(self, timeout_s: float | None) -> int | None:
        if not self._is_over:
            self._is_over = bool(select.select([self._handle], [], [], timeout_s)[0])
            if self._is_over:
                os.close(self._handle)
        return 0 if self._is_over else None

    def kill(self) -> None:
        """End it with -9."""
        self.send_signal(signal.SIGKILL)

    def send_signal(self, sign: int) -> None:
        """Send a signal, unless it has ended."""
        if not self._is_over:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, sign)


# --- inside the nursery --------------------------------------------------------------------------


def _main(control: socket.socket, file: str) -> None:
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()
    while True:
        asked, handles, _, _ = socket.recv_fds(control, 1, 2)
        _bury()
        if not asked:
            return
        if (pid := os.fork()) == 0:
            control.close()
            _work(file, *handles)
        for handle in handles:
            os.close(handle)
        control.sendall(b"%d" % pid)


def _bury() -> None:
    """Let go of the copies that have ended. Not earlier: their numbers could be another's."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _work(file: str, handle: int, log: int) -> None:
    """Be a worker; never return."""
    code = 1
    try:
        for stream in STREAMS:
            os.dup2(log, stream)
        random.seed()
        from headrace.cli.child import main  # noqa: PLC0415 - imported before it was copied

        code = main(file, str(handle))
    finally:
        _flush(sys.stdout, sys.stderr)
        os._exit(code)


def _flush(*files: IO[str]) -> None:
    for file in files:
        file.flush()


if __name__ == "__main__":
    _main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
