"""docs/howto/deploy.md is played as it stands, by real processes."""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil
import pytest

from tests.cli.house import PATIENCE_S, House, Long, Printed

PAGE: Final = Path(__file__).parents[2] / "docs/howto/deploy.md"
BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STARTS: Final = re.compile(r"(\w)=\$\((.*)\)")

pytestmark = pytest.mark.timeout(120)


def blocks() -> Iterator[tuple[str, str]]:
    yield from BLOCK.findall(PAGE.read_text("utf-8"))


@dataclass
class Player:
    """Types what the page shows."""

    house: House
    dev: Long
    runs: dict[str, str] = field(default_factory=dict[str, str])
    shown: list[Printed] = field(default_factory=list[Printed])
    worker: int = 0

    def deploy(self, text: str) -> None:
        """Write the file, and wait until nothing but a worker with it is there."""
        self.house.file.write_text(text, "utf-8")
        self.dev.until("ready")
        end = time.monotonic() + PATIENCE_S
        while self.worker and psutil.pid_exists(self.worker):
            assert time.monotonic() < end, "the worker of before stays"
            time.sleep(0.02)
        self.worker = int((self.house.folder / ".headrace/worker.pid").read_text())

    def type(self, block: str) -> None:
        """Type the lines of a block, one after the other."""
        for line in block.splitlines():
            starts = STARTS.fullmatch(line)
            done = self._typed(starts[2] if starts else line)
            if starts:
                self.runs[starts[1]] = done.stdout.strip()
                self.house.until_status(self.runs[starts[1]], "WAITING")
            self.shown.append(done)

    def _typed(self, line: str) -> Printed:
        words = shlex.split(self.with_runs(line))
        assert words[0] == "headrace"
        done = self.house.run(*words[1:])
        assert done.returncode == 0, (line, done)
        return done

    def with_runs(self, text: str) -> str:
        """Return a text of the page with the runs' ids in it."""
        for name, run in self.runs.items():
            text = text.replace(f"${name}", run)
        return text

    def until(self, name: str, status: str) -> None:
        self.house.until_status(self.runs[name], status)

    def output(self, name: str) -> str:
        """Wait for the end of a run; return what is shown of it."""
        self.until(name, "COMPLETED")
        return self.house.run("runs", "show", self.runs[name]).stdout


@pytest.fixture
def player(tmp_path: Path) -> Generator[Player]:
    first = next(body for kind, body in blocks() if kind == "python")
    house = House(tmp_path, first)
    with house.dev() as dev:
        player = Player(house, dev)
        player.worker = int((tmp_path / ".headrace/worker.pid").read_text())
        yield player
    assert os.getpid() != player.worker


def test_the_page_is_played_to_its_end(player: Player) -> None:
    given = list(blocks())[1:]
    kinds = " ".join(kind for kind, _ in given)
    assert kinds == "sh python sh sh text text sh sh python sh text"
    starts, changed, sends, shows, diff, ways, accepts, restarts, back, unblocks, _ = (
        body for _, body in given
    )
    player.type(starts)
    player.deploy(changed)
    player.type(sends)
    for name in "ABC":
        player.until(name, "PENDING_VERSION")
    player.type(shows)
    shown = player.shown[-1].stdout
    for line in diff.splitlines():
        assert line in shown
    for line in player.with_runs(ways).splitlines():
        assert f"    {line}  " in shown
    player.type(accepts)
    assert '"checked ALDER, sent ALDER, fine"' in player.output("A")
    player.type(restarts)
    assert '"checked BIRCH, sent BIRCH, fine"' in player.output("B")
    before = player.house.run("runs", "unblock", player.runs["C"])
    assert before.returncode == 0
    player.until("C", "PENDING_VERSION")
    player.deploy(back)
    _unblocked(player, unblocks)
    assert '"sent CEDAR, fine"' in player.output("C")


def _unblocked(player: Player, block: str) -> None:
    """Type the command, which is refused where the new worker has been faster."""
    words = shlex.split(player.with_runs(block))
    done = player.house.run(*words[1:])
    assert done.returncode == 0 or "is not blocked" in done.stderr
