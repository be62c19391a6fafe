"""A server and its workers as processes, in a folder of their own, with runs in every state.

Must never know: what is asked of them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.fleet.processes import Fleet, Member, fleet
from tests.openapi.asking import Wire
from tests.openapi.world import World

STRANGER: Final = "prod"
SETTINGS: Final = {"HEADRACE_SNAPSHOT": "off"}
"""Runs that are saved go on with the code that they were saved with: none would be blocked."""
JOBS: Final = Path(__file__).with_name("jobs.py")
"""The FILE of the worker. It is not imported: others in this process declare such streams."""


@contextmanager
def site(folder: Path) -> Generator[tuple[World, Member]]:
    """Open a server with a worker; `folder` may be one in memory, so that no disk is waited for."""
    settings = dict(SETTINGS)
    with fleet(folder, JOBS, settings) as ships:
        server, worker = ships.server(), ships.worker()
        world = World(ships.site, Wire(ships.site.port))

        def change_edition() -> None:
            worker.stop()
            settings["EDITION"] = "2"
            ships.worker()

        world.stranded(change_edition)
        world.credentials.keys["stranger"] = _stranger(ships)
        world.settle()
        yield world, server


def _stranger(ships: Fleet) -> str:
    """Make a key of another environment, past the server."""
    made = subprocess.run(
        [sys.executable, "-m", "headrace", "keys", "create", "--env", STRANGER],
        cwd=ships.site.folder,
        env=ships.site.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout.split()[0]
