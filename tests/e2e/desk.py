"""Two terminals side by side, in which a page's commands are typed; only the port is another one.

Must never know: what any page says.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.e2e.pages import Typed
from tests.e2e.terminal import Terminal
from tests.fleet.processes import free_port

SERVES: Final = "see waits"
WRITTEN: Final = "8700"


def surroundings(*programs: Path) -> Mapping[str, str]:
    """What a person's shell has, without a setting of ours but the port; `programs` are folders."""
    rest = {name: value for name, value in os.environ.items() if "HEADRACE" not in name}
    path = [*programs, Path(sys.executable).parent, rest["PATH"]]
    return {
        **rest,
        "PATH": os.pathsep.join(map(str, path)),
        "HEADRACE_PORT": str(free_port()),
    }


class Desk:
    """Two terminals side by side."""

    def __init__(self, first: Terminal, second: Terminal, port: str) -> None:
        self._first, self._second, self._port = first, second, port

    def types(self, it: Typed) -> str:
        """Type one command of the page; return what it prints."""
        command = it.command.replace(f"127.0.0.1:{WRITTEN}", f"127.0.0.1:{self._port}")
        if it.command == "headrace dev":
            self._first.start(command)
            return self._first.sees(SERVES)
        at = self._first if it.terminal == 1 else self._second
        code, printed = at.run(command)
        assert (code != 0) == it.fails, f"{command} ended with {code}:\n{printed}"
        return printed

    def until(self, it: Typed, holds: Callable[[str], bool]) -> str:
        """Type a command that changes nothing again until it shows what is waited for."""
        printed = ""
        for _ in range(30):
            printed = self.types(it)
            if holds(printed):
                return printed
        raise AssertionError(f"{it.command} shows in the end:\n{printed}")

    def stops_dev(self) -> None:
        """Press ^C in the first terminal."""
        self._first.interrupt()
        self._first.sees("stopped")
