"""`make demo` plays the approval example to its end."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(120)
def test_the_demo_ends_well() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "examples/approval/demo.py"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("$ kill -9") == 2
    assert '"status":"published"' in done.stdout
