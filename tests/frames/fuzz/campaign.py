"""Many programs on several processes, and what came of them all together."""

from __future__ import annotations

import faulthandler
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

from tests.frames.fuzz.definitions import program
from tests.frames.fuzz.driving import inputs
from tests.frames.fuzz.grammar import Writer
from tests.frames.fuzz.judging import Verdict, judged
from tests.frames.fuzz.loading import Shelf, Way

CHUNK: Final = 50
CHUNKS_A_CHILD: Final = 8
SECONDS_A_PROGRAM: Final = 60


@dataclass
class Total:
    """What came of many programs."""

    programs: int = 0
    suspensions: int = 0
    restored: int = 0
    put_away: int = 0
    refused: int = 0
    not_resumable: Counter[str] = field(default_factory=Counter[str])
    not_saved: Counter[str] = field(default_factory=Counter[str])
    differences: dict[int, str] = field(default_factory=dict[int, str])

    def add(self, seed: int, verdict: Verdict) -> None:
        """Count a program."""
        self.programs += 1
        self.suspensions += verdict.suspensions
        self.restored += verdict.restored
        self.put_away += verdict.put_away
        self.refused += verdict.is_refused
        self.not_saved.update(verdict.not_saved.keys())
        if verdict.not_resumable:
            self.not_resumable[verdict.not_resumable] += 1
        if verdict.difference:
            self.differences[seed] = f"{verdict.difference}\n{verdict.detail}"

    def join(self, other: Total) -> None:
        """Count what another process counted."""
        self.programs += other.programs
        self.suspensions += other.suspensions
        self.restored += other.restored
        self.put_away += other.put_away
        self.refused += other.refused
        self.not_resumable += other.not_resumable
        self.not_saved += other.not_saved
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


def campaign(
    first: int, programs: int, processes: int, seen: Callable[[Total], None], *, seconds: float
) -> Total:
    """Judge many, on several processes, for so long at the most."""
    total = Total()
    end = time.monotonic() + seconds
    seeds = range(first, first + programs)
    chunks = [seeds[at : at + CHUNK] for at in range(0, programs, CHUNK)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, max_tasks_per_child=CHUNKS_A_CHILD) as pool:
        waiting = {pool.submit(chunk, each): each for each in chunks}
        for done in as_completed(waiting):
            try:
                total.join(done.result())
            except BrokenProcessPool:
                total.differences[waiting[done][0]] = "a process died, or hung, in this chunk"
                break
            seen(total)
            if time.monotonic() > end:
                pool.shutdown(cancel_futures=True)
                break
    return total
