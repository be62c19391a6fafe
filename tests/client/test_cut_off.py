"""A worker that is cut off, without a word from anybody, notices it, and is soon back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.apart import way_in

ROOT = Path(__file__).parents[2]
PATIENCE_S = 15.0
"""Far from what it takes, 4 s, and from what it would without: the system repeats for minutes."""


@pytest.mark.timeout(60)
def test_a_way_that_is_lost_is_noticed_while_it_is_lost() -> None:
    if not way_in():
        pytest.skip("no network of its own can be had here")
    done = subprocess.run(
        [sys.executable, "-m", "tests.client.cut_off"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    lost, unreachable, back = done.stdout.splitlines()
    assert (lost, back) == ("lost", "back")
    assert "it took too long" in unreachable
