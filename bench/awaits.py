"""What an await of a resumable function costs, by the interpreters that are named.

Owns: the workload awaits, which is a process of each interpreter. Must never know: what is looped.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

import anyio.to_thread
import msgspec

from bench.frames import Overhead
from bench.samples import Sample, watched

ROOT: Final = Path(__file__).parents[1]
PATIENCE_S: Final = 120.0


class Measured(msgspec.Struct, frozen=True):
    """What `python -m bench.frames --json` prints."""

    python: str
    overheads: list[Overhead]


async def awaits(python: str, rounds: int) -> Sample:
    """Run the loops as they are and made resumable, in turns."""
    before = _children_s()
    with watched({}) as watch:
        found = await anyio.to_thread.run_sync(_measured, python, rounds)
    ours = (_children_s() - before) / watch.seconds / (os.cpu_count() or 1)
    loop = found.overheads[0]
    figures = {"ratio": loop.ratio, "plain ns": loop.plain_ns, "resumable ns": loop.made_ns}
    sample = watch.sample(f"awaits {found.python}", rounds, figures)
    return msgspec.structs.replace(sample, foreign=max(0.0, sample.foreign - ours))


def _children_s() -> float:
    """Return the processor time of processes of ours that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def _measured(python: str, rounds: int) -> Measured:
    command = [python, "-m", "bench.frames", "--json", "--rounds", str(rounds)]
    paths = os.pathsep.join((str(ROOT), str(ROOT / "src")))
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if not done.stdout:
        raise AssertionError(f"{python} measures nothing:\n{done.stderr.decode()}")
    return msgspec.json.decode(done.stdout, type=Measured)
