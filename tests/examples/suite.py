"""The examples with a page, each built, served and clicked through in a browser by one file.

Owns: which file is for which example, and what it needs around it.
Must never know: what is clicked.
"""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.examples.building import backend, browser, built
from tests.fleet.processes import fleet
from tests.official_clients import packages, suite
from tests.official_clients.controls import controls
from tests.official_clients.suite import Limits, Report

HERE: Final = Path(__file__).parent
HOUSES: Final = {
    "approval.test.mjs": "approval-react",
    "chat.test.mjs": "chat",
}
LIMITS: Final = Limits(one_ms=200_000, all_s=220.0)
SHOTS: Final = "HEADRACE_TEST_SHOTS"


def lacking() -> str:
    """Say what is not installed."""
    needed = (packages.BROWSER, *packages.EXAMPLES)
    if all(map(packages.are_there, needed)):
        return ""
    return "npm packages are missing: run scripts/install-test-tools.sh"


def report(shared: Path) -> Report:
    """Return what came of all tests, running them if nobody has."""
    return suite.report(shared, "examples", _all)


def _all() -> Report:
    if text := lacking():
        return Report({}, text)
    with ThreadPoolExecutor(len(HOUSES)) as pool:
        return suite.joined(pool.map(_run, HOUSES))


def _run(file: str) -> Report:
    with tempfile.TemporaryDirectory(prefix="headrace-examples-") as name:
        place = built(packages.ROOT / "examples" / HOUSES[file], Path(name))
        with (
            fleet(place, place / "tasks.py") as ships,
            controls(ships) as address,
            backend(place, ships.site.caller()) as page,
        ):
            environment = {
                **ships.site.caller(),
                "HEADRACE_TEST_CONTROLS": address,
                "HEADRACE_TEST_PAGE": page,
                "HEADRACE_TEST_FOLDER": str(place),
                "HEADRACE_TEST_CHROMIUM": browser(),
                SHOTS: os.environ.get(SHOTS, ""),
            }
            known = packages.folder(packages.BROWSER)
            return suite.node([HERE / file], place, environment, known, limits=LIMITS)
