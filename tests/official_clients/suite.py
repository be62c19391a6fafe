"""The tests that are written in JavaScript, as pytest sees them.

Whoever asks for a test first has all of them run, also where several processes of pytest share
them: in two houses at the same time, since what restarts the server wants one for itself.
Must never know: what is tested.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from tests.fleet.processes import fleet
from tests.official_clients import packages
from tests.official_clients.controls import controls

HERE: Final = Path(__file__).parent
TEST: Final = re.compile(r'^ *test\(\s*"([^"]+)"', re.MULTILINE)
AT_ONCE: Final = 3
"""Files that are run at the same time, in a process each."""
ALONE: Final = frozenset({"restarts.test.mjs"})


class Limits(msgspec.Struct, frozen=True):
    """How long it may take: one test, or file, and all of them."""

    one_ms: int = 40_000
    all_s: float = 120.0


class Verdict(msgspec.Struct, frozen=True):
    """What came of one test."""

    name: str
    passed: bool
    text: str = ""
    ms: float = 0.0


class Report(msgspec.Struct, frozen=True):
    """What came of many tests: their verdicts by name, and what else was said."""

    verdicts: dict[str, Verdict]
    said: str

    def verdict(self, name: str) -> Verdict:
        """Return the verdict; a test that never ended has failed."""
        lost = Verdict(
            name, passed=False, text=f"it has not ended; the file has said:\n{self.said}"
        )
        return self.verdicts.get(name, lost)


USUAL: Final = Limits()


def files(place: Path = HERE) -> list[Path]:
    """Return the files with tests."""
    return sorted(place.glob("*.test.mjs"))


def names(file: Path) -> list[str]:
    """Return the names of a file's tests."""
    return TEST.findall(file.read_text("utf-8"))


def report(shared: Path, name: str = HERE.name, run: Callable[[], Report] | None = None) -> Report:
    """Return what came of all tests, running them if nobody has; `shared` is the session's."""
    kept = shared / f"{name}.json"
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_bytes(msgspec.json.encode((run or _all)()))
    return msgspec.json.decode(kept.read_bytes(), type=Report)


def joined(reports: Iterable[Report]) -> Report:
    """Return one report of several."""
    every = list(reports)
    verdicts = {name: verdict for one in every for name, verdict in one.verdicts.items()}
    return Report(verdicts, "".join(one.said for one in every))


def _all() -> Report:
    if not packages.are_there():
        return Report({}, "the packages are missing: run scripts/install-test-tools.sh")
    houses = [
        [file for file in files() if (file.name in ALONE) is alone] for alone in (True, False)
    ]
    with ThreadPoolExecutor(len(houses)) as pool:
        return joined(pool.map(_run, houses))


def _run(house: list[Path]) -> Report:
    with (
        tempfile.TemporaryDirectory(prefix="headrace-official-") as name,
        fleet(Path(name), HERE / "jobs.py") as ships,
        controls(ships) as address,
    ):
        environment = {**ships.site.caller(), "HEADRACE_TEST_CONTROLS": address}
        return node(house, Path(name), environment, packages.folder())


def node(
    house: list[Path],
    folder: Path,
    environment: Mapping[str, str],
    known: Path,
    *,
    limits: Limits = USUAL,
) -> Report:
    """Let node run files, with the packages that are in `known`; logs are what lies in `folder`."""
    environment = {**environment, "HEADRACE_TEST_PACKAGES": str(known)}
    lines, said = _node(house, folder, environment, limits)
    logs = "".join(log.read_text()[-4_000:] for log in folder.glob("*.log"))
    return Report(_verdicts(lines), f"{said}\n{logs}")


def _node(
    house: list[Path], folder: Path, environment: Mapping[str, str], limits: Limits
) -> tuple[bytes, str]:
    results = folder / "results.jsonl"
    command = [
        str(packages.node()),
        f"--import={HERE / 'resolve.mjs'}",
        "--test",
        f"--test-concurrency={AT_ONCE}",
        f"--test-reporter={HERE / 'reporter.mjs'}",
        f"--test-reporter-destination={results}",
        f"--test-timeout={limits.one_ms}",
        "--test-force-exit",
        *map(str, house),
    ]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**environment, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=limits.all_s,
        )
        said = done.stdout + done.stderr
    except subprocess.TimeoutExpired as late:
        said = f"node has not ended within {limits.all_s} s: {late.stderr!r}"
    return (results.read_bytes() if results.exists() else b""), said


def _verdicts(lines: bytes) -> dict[str, Verdict]:
    found = [msgspec.json.decode(line, type=Verdict) for line in lines.splitlines()]
    return {verdict.name: verdict for verdict in found}


def shared_folder(base: Path) -> Path:
    """Return the folder that all processes of this session share."""
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
