"""What the examples' pages tell a person to type works; npm alone is given what it would fetch."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

import msgspec
import pytest

from tests.e2e.pages import Typed, typed
from tests.e2e.terminal import Terminal, terminal
from tests.examples.building import answers, copied
from tests.fleet.processes import free_port, until
from tests.official_clients import packages

NAMES: Final = tuple(example.name for example in packages.EXAMPLES)
SAYS: Final = {
    "headrace dev": "answer one",
    "python app.py": "the backend is at",
    "npm run dev": "Local:",
}
ADDRESS: Final = re.compile(r"http://127\.0\.0\.1:(\d+)")
ASKS: Final = {
    "approval-react": ("/api/access", "", "accessToken"),
    "chat": ("/api/chats", '{"question": "Do fish pass?"}', "run"),
}

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """What a person's shell has, but for the ports, and npm beside our own node."""
    (tmp_path / "bin").mkdir()
    npm = tmp_path / "bin/npm"
    npm.write_text('#!/bin/sh\nexec {} {} "$@"\n'.format(*packages.npm()), "utf-8")
    npm.chmod(0o755)
    rest = {name: value for name, value in os.environ.items() if "HEADRACE" not in name}
    port = str(free_port())
    path = [tmp_path / "bin", packages.node().parent, Path(sys.executable).parent, rest["PATH"]]
    return {
        **rest,
        "PATH": os.pathsep.join(map(str, path)),
        "HEADRACE_PORT": port,
        "HEADRACE_URL": f"http://127.0.0.1:{port}",
        "PORT": str(free_port()),
        "NO_COLOR": "1",
    }


@contextmanager
def terminals(folder: Path, environment: Mapping[str, str]) -> Generator[list[Terminal]]:
    with (
        terminal(folder, environment) as one,
        terminal(folder, environment) as two,
        terminal(folder, environment) as three,
    ):
        yield [one, two, three]


class Desk:
    """Three terminals; what still runs in one is ended before the next command there."""

    def __init__(self, windows: list[Terminal]) -> None:
        self._windows = windows
        self._busy = set[int]()

    def types(self, it: Typed) -> str:
        """Type a command; return what it prints, up to where it serves."""
        window = self._windows[it.terminal - 1]
        if it.terminal in self._busy:
            window.interrupt()
            self._busy.discard(it.terminal)
        if it.command not in SAYS:
            code, printed = window.run(it.command)
            assert code == 0, printed
            return printed
        self._busy.add(it.terminal)
        window.start(it.command)
        return window.sees(SAYS[it.command]) + window.sees("\n")


def asks(port: int, path: str, body: str) -> dict[str, str]:
    """Ask as the page does."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", path, body)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status == 200, text
    return msgspec.json.decode(text, type=dict[str, str])


@pytest.mark.parametrize("name", NAMES)
def test_an_example_does_what_its_page_says(
    name: str, tmp_path: Path, environment: Mapping[str, str]
) -> None:
    example = packages.ROOT / "examples" / name
    place = copied(example, tmp_path)
    path, body, wanted = ASKS[name]
    served = list[int]()
    with terminals(place, environment) as windows:
        desk = Desk(windows)
        for it in typed(f"examples/{name}/README.md"):
            if it.command == "npm ci":
                continue  # `copied` has put there what it would fetch
            printed = desk.types(it)
            if it.command == "npm run dev" or (it.command == "python app.py" and served):
                found = ADDRESS.search(printed)
                assert found is not None, printed
                port = int(found[1])
                until(f"the page is at {port}", lambda port=port: answers(port))
                assert asks(port, path, body)[wanted]
                served.append(port)
    assert len(served) == 2, "the page of Vite, and then the one that was built"


def test_the_readme_shows_what_the_task_does() -> None:
    text = (packages.ROOT / "examples/chat/README.md").read_text("utf-8")
    (shown,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    lines = [line.strip() for line in shown.splitlines() if line]
    code = (packages.ROOT / "examples/chat/tasks.py").read_text("utf-8")
    assert "\n".join(lines) in "\n".join(line.strip() for line in code.splitlines() if line)


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_name_the_ports_that_are_used(name: str) -> None:
    text = (packages.ROOT / "examples" / name / "README.md").read_text("utf-8")
    app = (packages.ROOT / "examples" / name / "app.py").read_text("utf-8")
    known = re.findall(r'"PORT", "(\d+)"', app)
    assert {"5173", *known} == set(ADDRESS.findall(text))
