"""The line between a supervisor and its worker process: what the worker reports, and its end.

The worker dies with its supervisor, however that ends: the kernel is asked to see to it (Linux),
and a thread sees the line break (everywhere).
Must never know: what the worker does.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
import threading
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

ORPHANED: Final = 75
"""Exit code of a worker whose supervisor is gone."""
PR_SET_PDEATHSIG: Final = 1


class Ready(Struct, frozen=True, tag=True):
    """The worker serves these tasks. `streams` are names and schemas, by direction."""

    tasks: tuple[tuple[str, bytes], ...] = ()
    inputs: tuple[tuple[str, bytes], ...] = ()
    outputs: tuple[str, ...] = ()


class Broken(Struct, frozen=True, tag=True):
    """The file cannot be imported, or served; `text` says where and why."""

    text: str


class Tired(Struct, frozen=True, tag=True):
    """The worker wants to be replaced: its memory limit is near."""


Report: TypeAlias = Ready | Broken | Tired
_decoder: Final[msgspec.json.Decoder[Report]] = msgspec.json.Decoder(Report)


def decode(line: bytes) -> Report:
    """Return what a worker has reported."""
    return _decoder.decode(line)


class Leash:
    """The worker's end."""

    def __init__(self, handle: int) -> None:
        self._socket = socket.socket(fileno=handle)

    def fasten(self) -> None:
        """Die with the supervisor from now on."""
        parent = os.getppid()
        if sys.platform == "linux":
            ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(ORPHANED)  # it died before the kernel had been asked
        threading.Thread(target=self._watch, name="headrace-leash", daemon=True).start()

    def report(self, report: Report) -> None:
        """Tell the supervisor."""
        with contextlib.suppress(BrokenPipeError):
            self._socket.sendall(msgspec.json.encode(report) + b"\n")

    def _watch(self) -> None:
        with contextlib.suppress(OSError):
            while self._socket.recv(1):
                pass
        os._exit(ORPHANED)
