"""Many programs on several processes, and what came of them all together."""

from __future__ import annotations

import faulthandler
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from tests.frames.fuzz.definitions import program
from tests.frames.fuzz.driving import inputs
from tests.frames.fuzz.grammar import Writer
from tests.frames.fuzz.judging import Verdict, judged
from tests.frames.fuzz.loading import Shelf, Way

ROOT: Final = Path(__file__).parents[3]
CHUNK: Final = 250
SECONDS_A_PROGRAM: Final = 60


def _count(counts: dict[str, int], more: Mapping[str, int]) -> None:
    for name, count in more.items():
        counts[name] = counts.get(name, 0) + count


@dataclass
class Total:
    """What came of many programs."""

    programs: int = 0
    suspensions: int = 0
    restored: int = 0
    put_away: int = 0
    refused: int = 0
    not_resumable: dict[str, int] = field(default_factory=dict[str, int])
    not_saved: dict[str, int] = field(default_factory=dict[str, int])
    differences: dict[int, str] = field(default_factory=dict[int, str])

    def add(self, seed: int, verdict: Verdict) -> None:
        """Count a program."""
        self.programs += 1
        self.suspensions += verdict.suspensions
        self.restored += verdict.restored
        self.put_away += verdict.put_away
        self.refused += verdict.is_refused
        _count(self.not_saved, dict.fromkeys(verdict.not_saved, 1))
        if verdict.not_resumable:
            _count(self.not_resumable, {verdict.not_resumable: 1})
        if verdict.difference:
            self.differences[seed] = f"{verdict.difference}\n{verdict.detail}"

    def join(self, other: Total) -> None:
        """Count what another process counted."""
        self.programs += other.programs
        self.suspensions += other.suspensions
        self.restored += other.restored
        self.put_away += other.put_away
        self.refused += other.refused
        _count(self.not_resumable, other.not_resumable)
        _count(self.not_saved, other.not_saved)
        self.differences |= other.differences


def text_of(seed: int) -> str:
    """Write the program of a seed."""
    return program(Writer(random.Random(seed)))  # noqa: S311 - no secret


def way_of(seed: int) -> Way:
    """Return how its functions are made resumable: half of them each way."""
    return "hook" if seed % 2 else "decorator"


@lru_cache(maxsize=1)
def _shelf() -> Shelf:
    sys.dont_write_bytecode = True
    return Shelf(Path(tempfile.mkdtemp(prefix="headrace-frames-")))


def verdict_on(seed: int) -> Verdict:
    """Judge the program of a seed."""
    return judged(_shelf(), text_of(seed), way_of(seed), inputs(seed))


def chunk(seeds: Iterable[int]) -> Total:
    """Judge some programs in this process."""
    total = Total()
    for seed in seeds:
        faulthandler.dump_traceback_later(SECONDS_A_PROGRAM, exit=True)
        total.add(seed, verdict_on(seed))
    faulthandler.cancel_dump_traceback_later()
    return total


def _apart(seeds: range) -> Total:
    """Judge some programs in a process of their own, which may die of them."""
    told = [f"{seeds.start}:{seeds.stop}"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.frames.fuzz", "--chunk", *told],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace")[-2_000:]
        return Total(differences={seeds.start: f"the process of {told} died, or hung:\n{said}"})
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Total)


def campaign(
    first: int, programs: int, processes: int, seen: Callable[[Total], None], *, seconds: float
) -> Total:
    """Judge many, on several processes, for so long at the most."""
    total = Total()
    end = time.monotonic() + seconds
    seeds = range(first, first + programs)
    chunks = [seeds[at : at + CHUNK] for at in range(0, programs, CHUNK)]
    with ThreadPoolExecutor(processes) as pool:
        for done in as_completed([pool.submit(_apart, each) for each in chunks]):
            total.join(done.result())
            seen(total)
            if time.monotonic() > end:
                pool.shutdown(cancel_futures=True)
                break
    return total
