"""A test that is killed leaves nothing behind: no server of any kind, and no folder."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil
import pytest

from tests.deploy.reading import program
from tests.s2.lite import binary
from tests.services.keeper import kept, kept_folder

ROOT: Final = Path(__file__).parents[2]
PATIENCE_S: Final = 30.0
PROGRAMS: Final = ("postgres", "redis-server", "pgbouncer", "haproxy")
COMMANDS: Final = ("tests/services/keeper.py", "headrace serve", "tests.fleet.nursery")

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program with a server of each kind."""
    program("haproxy")
    binary()
    command = [sys.executable, "-m", "tests.services.every_kind", str(tmp_path)]
    process = kept(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE))
    with process:
        yield process
        process.kill()


def test_nothing_outlives_a_test_that_is_killed(started: subprocess.Popen[bytes]) -> None:
    assert started.stdout is not None
    folders = [Path(name) for name in json.loads(started.stdout.readline())]
    family = psutil.Process(started.pid).children(recursive=True)
    try:
        assert {*PROGRAMS, binary().name} <= {one.name() for one in family}
        said = [" ".join(one.cmdline()) for one in family]
        assert all(any(command in line for line in said) for command in COMMANDS)
        assert all(folder.is_dir() for folder in folders)
        started.kill()
        _, left = psutil.wait_procs(family, PATIENCE_S)
        assert not left
        assert not [folder for folder in folders if folder.exists()]
    finally:
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()


def test_what_ends_in_order_leaves_the_keeper_nothing() -> None:
    with kept_folder("headrace-keeper-") as folder, kept(subprocess.Popen(["/bin/cat"], stdin=-1)):
        assert folder.is_dir()
    assert not folder.exists()
