"""Where the server, or the worker, spends its time under one workload.

By py-spy where it is on the PATH: it looks from outside and disturbs little. Else by the
interpreter's own profiler, which makes many small calls look dearer than they are.
Must never know: what the figures must be.
"""

from __future__ import annotations

import asyncio
import pstats
import re
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.house import AS_A_USER, Commands, House, opened
from bench.latency import live_latency, warm_latency
from bench.places import ON_A_FILE, Corner
from bench.rates import SENDERS, starts, throughput
from bench.samples import Sample

PROFILED: Final = ("server", "worker")
SHOWN: Final = 40
ROOT: Final = 0.6
"""What nearly all time is spent inside of tells nothing."""
RATE: Final = "400"
_LINE: Final = re.compile(r":\d+\)$")
"""Lines of one function are counted together."""

Workload = Callable[[House, float], Awaitable[Sample]]
Work = Callable[[float], Awaitable[Sample]]
PROFILABLE: Final[Mapping[str, Workload]] = {
    "live": lambda house, scale: live_latency(house, round(4_000 * scale), 0),
    "warm": lambda house, scale: warm_latency(house, round(2_000 * scale), 0.003),
    "throughput": lambda house, scale: throughput(house, SENDERS, round(400 * scale)),
    "starts": lambda house, scale: starts(house, round(10_000 * scale)),
}


async def profile(which: str, workload: str, scale: float, corner: Corner = ON_A_FILE) -> None:
    """Run the workload once, and print the functions that take most time."""
    with TemporaryDirectory(prefix="headrace-profile-") as folder:
        out = Path(folder) / "profile"
        if spy := shutil.which("py-spy"):
            async with opened(corner=corner) as house:
                work = partial(PROFILABLE[workload], house)
                await _spied(spy, house.pids[which], work, scale, out)
            _show_stacks(await asyncio.to_thread(out.read_text, "utf-8"))
        else:
            async with opened(commands=_watching(which, out), corner=corner) as house:
                _say(await PROFILABLE[workload](house, scale))
            _show_calls(out)


async def _spied(spy: str, pid: int, work: Work, scale: float, out: Path) -> None:
    await work(scale / 10)  # what happens once is of no interest
    watching = await asyncio.create_subprocess_exec(
        spy,
        *("record", "--format", "raw", "--rate", RATE, "--output", str(out)),
        *("--pid", str(pid)),
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    _say(await work(scale))
    watching.send_signal(signal.SIGINT)
    await watching.wait()


def _watching(which: str, out: Path) -> Commands:
    command = ("bench.profiled", which, str(out))
    return Commands(
        server=command if which == "server" else AS_A_USER.server,
        worker=command if which == "worker" else AS_A_USER.worker,
    )


def _say(sample: Sample) -> None:
    figures = ", ".join(f"{name} {value:,.2f}" for name, value in sample.figures.items())
    print(f"{sample.workload}: {figures}; while it was watched\n")


def _show_stacks(stacks: str) -> None:
    """Count samples; each line holds the frames of a stack, outermost first, and a number."""
    alone, inside, total = Counter[str](), Counter[str](), 0
    for line in stacks.splitlines():
        stack, _, number = line.rpartition(" ")
        frames = [_LINE.sub(")", frame) for frame in stack.split(";")]
        total += int(number)
        alone[frames[-1]] += int(number)
        for frame in set(frames):
            inside[frame] += int(number)
    for title, counted in (("itself", alone), ("with what it calls", inside)):
        print(f"\n{title}")
        told = [(frame, times) for frame, times in counted.most_common() if times < total * ROOT]
        for frame, times in told[:SHOWN]:
            print(f"{times / max(total, 1):7.1%}  {frame}")


def _show_calls(out: Path) -> None:
    calls = pstats.Stats(str(out), stream=sys.stdout)
    for order in ("tottime", "cumulative"):
        calls.sort_stats(order).print_stats(SHOWN)
