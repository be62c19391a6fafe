"""Ends what a test has started when the test's process is gone, however it went.

After `kill -9` nobody is left who could clean up. So a process beside us, the keeper, is told of
each server and folder, and waits for the end of a pipe that only we hold: then it ends the servers,
and those that they have started, and removes the folders.

Owns: what is to be ended, how, and in which order. Must never know: what it is good for.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import AnyStr, Final

import psutil

PATIENCE_S: Final = 5.0
"""A server that takes longer to end is killed."""
_told_one_by_one: Final = threading.Lock()


def kept(
    process: subprocess.Popen[AnyStr], how: signal.Signals = signal.SIGKILL
) -> subprocess.Popen[AnyStr]:
    """Have a process that was just started end with us, by this signal."""
    _tell("process", int(how), process.pid)
    return process


@contextmanager
def kept_folder(prefix: str, within: Path | None = None) -> Generator[Path]:
    """Make a folder that is removed with the block, or with us."""
    folder = tempfile.TemporaryDirectory(prefix=prefix, dir=within, ignore_cleanup_errors=True)
    with folder as name:
        _tell("folder", name)
        try:
            yield Path(name)
        finally:
            _tell("gone", name)


def _tell(*words: str | int) -> None:
    process = _keeper(os.getpid())
    assert process.stdin is not None
    assert process.stdout is not None
    with _told_one_by_one:
        process.stdin.write(" ".join(map(str, words)).encode() + b"\n")
        # Until it answers it could still take another process of the same number for this one.
        if not process.stdout.readline():
            raise RuntimeError("the keeper has ended")


@cache
def _keeper(_us: int) -> subprocess.Popen[bytes]:
    # In a session of its own: whoever interrupts us at a terminal does not mean it.
    process = subprocess.Popen(
        [sys.executable, "-P", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        bufsize=0,
        start_new_session=True,
    )
    atexit.register(_dismissed, process)
    return process


def _dismissed(process: subprocess.Popen[bytes]) -> None:
    with process:  # closes its pipes, and waits for it
        pass


# --- inside the keeper ---------------------------------------------------------------------------


class _Ward:
    """What is to be ended."""

    def __init__(self) -> None:
        self._processes = list[tuple[psutil.Process, int]]()
        self._folders = set[str]()

    def told(self, what: str, rest: str) -> None:
        """Hear of something new, or of what needs us no more."""
        match what:
            case "process":
                how, pid = map(int, rest.split())
                self._processes = [one for one in self._processes if one[0].is_running()]
                with suppress(psutil.NoSuchProcess):
                    self._processes.append((psutil.Process(pid), how))
            case "folder":
                self._folders.add(rest)
            case _:
                self._folders.discard(rest)

    def end(self) -> None:
        """End all processes, then remove the folders."""
        found = set[psutil.Process]()
        for one, how in self._processes:
            with suppress(psutil.NoSuchProcess):
                family = [child for child in one.children(recursive=True) if not _is_keeper(child)]
                found |= {one, *family}
                # Whoever ends in order ends his children himself.
                _signal([one, *(family if how == signal.SIGKILL else ())], how)
        _, left = psutil.wait_procs(found, PATIENCE_S)
        _signal(left, signal.SIGKILL)
        psutil.wait_procs(left, PATIENCE_S)
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)


def _is_keeper(one: psutil.Process) -> bool:
    """Tell whether this process ends by itself, once it has ended what its own test has left."""
    return __file__ in one.cmdline()


def _signal(processes: Iterable[psutil.Process], how: int) -> None:
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(how)
            one.send_signal(signal.SIGCONT)  # a test may have halted it


def _main() -> None:
    for sign in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, signal.SIG_IGN)
    ward = _Ward()
    for line in sys.stdin:
        ward.told(*line.rstrip("\n").split(" ", 1))
        sys.stdout.write("\n")
        sys.stdout.flush()
    ward.end()


if __name__ == "__main__":
    _main()
