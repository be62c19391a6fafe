"""The tests that are written in JavaScript, as pytest sees them.

A file is run once, as a whole, with a server and a worker of its own; whoever asks for one of its
tests first runs it, also where several processes of pytest share the tests.
Must never know: what is tested.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from tests.fleet.processes import fleet
from tests.official_clients import packages
from tests.official_clients.controls import controls

HERE: Final = Path(__file__).parent
TEST: Final = re.compile(r'^ *test\(\s*"([^"]+)"', re.MULTILINE)
PATIENCE_S: Final = 100.0
ONE_TEST_MS: Final = 40_000


class Verdict(msgspec.Struct, frozen=True):
    """What came of one test."""

    name: str
    passed: bool
    text: str = ""
    ms: float = 0.0


class Report(msgspec.Struct, frozen=True):
    """What came of a file: its verdicts by name, and what else it has said."""

    verdicts: dict[str, Verdict]
    said: str

    def verdict(self, name: str) -> Verdict:
        """Return the verdict; a test that never ended has failed."""
        lost = Verdict(name, passed=False, text=f"it has not ended; the file has said:\n{self.said}")
        return self.verdicts.get(name, lost)


def files() -> list[Path]:
    """Return the files with tests."""
    return sorted(HERE.glob("*.test.mjs"))


def names(file: Path) -> list[str]:
    """Return the names of a file's tests."""
    return TEST.findall(file.read_text("utf-8"))


def report(file: Path, shared: Path) -> Report:
    """Return what came of a file, running it if nobody has; `shared` is the session's folder."""
    kept = shared / f"official-{file.name}.json"
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_bytes(msgspec.json.encode(_run(file)))
    return msgspec.json.decode(kept.read_bytes(), type=Report)


def _run(file: Path) -> Report:
    if not packages.are_there():
        return Report({}, "the packages are missing: run scripts/install-test-tools.sh")
    with (
        tempfile.TemporaryDirectory(prefix="headrace-official-") as name,
        fleet(Path(name), HERE / "jobs.py") as ships,
        controls(ships) as address,
    ):
        done = _node(file, Path(name), {**ships.site.caller(), "HEADRACE_TEST_CONTROLS": address})
        logs = "".join(log.read_text()[-4_000:] for log in Path(name).glob("*.log"))
    return Report(_verdicts(done[0]), f"{done[1]}\n{logs}")


def _node(file: Path, folder: Path, environment: Mapping[str, str]) -> tuple[bytes, str]:
    results = folder / "results.jsonl"
    command = [
        str(packages.node()),
        "--import",
        str(HERE / "resolve.mjs"),
        f"--test-reporter={HERE / 'reporter.mjs'}",
        f"--test-reporter-destination={results}",
        f"--test-timeout={ONE_TEST_MS}",
        "--test-force-exit",
        str(file),
    ]
    surroundings = {
        **environment,
        "HEADRACE_TEST_PACKAGES": str(packages.folder()),
        "NO_COLOR": "1",
    }
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=surroundings,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        said = done.stdout + done.stderr
    except subprocess.TimeoutExpired as late:
        said = f"node has not ended within {PATIENCE_S} s: {late.stderr!r}"
    return (results.read_bytes() if results.exists() else b""), said


def _verdicts(lines: bytes) -> dict[str, Verdict]:
    found = [msgspec.json.decode(line, type=Verdict) for line in lines.splitlines()]
    return {verdict.name: verdict for verdict in found}


def shared_folder(base: Path) -> Path:
    """Return the folder that all processes of this session share."""
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
