"""What `serve` and `dev` set for their whole process: in a process of its own."""

import asyncio
import gc
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.app import process
from headrace.app.home import Home
from headrace.app.settings import Settings

ASKED = """
import gc, resource
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
from headrace.app.process import serve_many
before = gc.get_threshold()
serve_many()
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
assert gc.isenabled() and gc.get_freeze_count() > 10_000
now = gc.get_threshold()
assert now[:2] == (700, 10) and now[2] > before[2], now
print("as it should be")
"""


def test_whoever_serves_may_hold_many_connections_and_stops_seldom() -> None:
    done = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, check=False)
    assert done.stdout == b"as it should be\n", done.stderr.decode()


async def test_what_is_new_is_looked_through_again_and_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As many objects come as go here: Python itself would not look."""
    monkeypatch.setattr(process, "OFTEN_S", 0.01)
    monkeypatch.setattr(process, "serve_many", lambda: None)
    looked, thrice = list[int](), asyncio.Event()

    def look(phase: str, about: dict[str, int]) -> None:
        if phase == "stop" and not gc.isenabled():
            looked.append(about["generation"])
            if len(looked) == 3:
                thrice.set()

    gc.disable()
    gc.callbacks.append(look)
    try:
        async with (
            asyncio.timeout(10),
            process.serving_many(Settings(port=0), Home(tmp_path / "home")),
        ):
            await thrice.wait()
    finally:
        gc.callbacks.remove(look)
        gc.enable()
    assert looked[:3] == [1, 1, 1]
