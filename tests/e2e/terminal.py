"""A terminal with a shell in it, as a person has one: commands go in, a screen comes out."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PATIENCE_S: Final = 40.0
BASH: Final = shutil.which("bash") or "/bin/bash"
READY: Final = "<ready>"
ROWS_AND_COLUMNS: Final = (40, 120)
_COLOUR: Final = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """A shell on a pseudo-terminal."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._master, self._slave = pty.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", *ROWS_AND_COLUMNS, 0, 0))
        # The first terminal that the leader of a session opens is its own: then ^C works.
        name = os.ttyname(self._slave)
        shell = f"{BASH} --norc --noprofile --noediting -i"
        self._shell = subprocess.Popen(
            [BASH, "-c", f"PS1='{READY}' PS2= exec {shell} <{name} >{name} 2>&1"],
            cwd=folder,
            env={**environment, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        self._text = ""
        self._changed = threading.Condition()
        self._count = 0
        self._is_closing = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wake(self) -> None:
        """Wait for the shell, and let it echo nothing from now on."""
        self.sees(READY)
        self._type("stty -echo; PS1=; printf '<%s>' quiet\n")
        self.sees("<quiet>")

    def _read(self) -> None:
        while not self._is_closing:
            if not select.select([self._master], [], [], 0.1)[0]:
                continue
            chunk = os.read(self._master, 65_536)
            with self._changed:
                self._text += _COLOUR.sub("", chunk.decode(errors="replace")).replace("\r", "")
                self._changed.notify_all()

    def _type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def sees(self, wanted: str) -> str:
        """Wait until the text is on the screen; return, and forget, all up to its end."""
        end = time.monotonic() + PATIENCE_S
        with self._changed:
            while (place := self._text.find(wanted)) < 0:
                if not self._changed.wait(end - time.monotonic()):
                    raise AssertionError(f"no {wanted!r} in time, but:\n{self._text}")
            cut = place + len(wanted)
            seen, self._text = self._text[:cut], self._text[cut:]
        return seen

    def start(self, command: str) -> None:
        """Type a command and do not wait for its end."""
        self._type(f"{command}\n")

    def run(self, command: str) -> tuple[int, str]:
        """Type a command; return its exit code and what it printed."""
        self._count += 1
        self._type(f"{command}\nprintf '<%s:{self._count}:%s>' done $?\n")
        printed = self.sees(f"<done:{self._count}:")
        code = self.sees(">")
        return int(code[:-1]), printed[: printed.rindex("<done:")]

    def interrupt(self) -> None:
        """Press ^C."""
        self._type("\x03")

    def close(self) -> None:
        """Close the window: what runs in it is hung up on, and ended where it ignores that."""
        self._is_closing = True
        with suppress(OSError):  # nothing runs any more
            os.killpg(os.tcgetpgrp(self._master), signal.SIGTERM)
        self._reader.join()
        os.close(self._master)
        os.close(self._slave)
        self._shell.kill()
        self._shell.wait()


@contextmanager
def terminal(folder: Path, environment: Mapping[str, str]) -> Generator[Terminal]:
    """Open a terminal, and close it in any case."""
    opened = Terminal(folder, environment)
    try:
        opened.wake()
        yield opened
    finally:
        opened.close()
