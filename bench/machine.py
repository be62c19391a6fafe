"""The machine that is measured, and who else uses it meanwhile.

Owns: what is read from the operating system. Must never know: any workload.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import apsw
import msgspec
import psutil

_FSYNCS: Final = 200


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure must be read beside."""

    cpu: str
    cores: int
    memory_gib: float
    system: str
    python: str
    sqlite: str
    fsync_ms: float


def machine(folder: Path) -> Machine:
    """Describe this machine; `folder` is on the disk that is used."""
    return Machine(
        cpu=_cpu_model(),
        cores=os.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / (1 << 30), 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        sqlite=apsw.sqlite_lib_version(),
        fsync_ms=_fsync_ms(folder),
    )


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _fsync_ms(folder: Path) -> float:
    """Return what a write of a page and its flush take, at the median."""
    path, page, taken = folder / "fsync.probe", bytes(4_096), list[float]()
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for _ in range(_FSYNCS):
            start = time.perf_counter()
            os.pwrite(handle, page, 0)
            os.fdatasync(handle)
            taken.append(time.perf_counter() - start)
    finally:
        os.close(handle)
        path.unlink()
    return round(median(taken) * 1_000, 3)


@dataclass(frozen=True, slots=True)
class Moment:
    """Processor time used so far: by the machine, and by each process that was asked for."""

    at: float
    busy_s: float
    used_s: dict[int, float]


def look(pids: Iterable[int], trees: Iterable[int] = ()) -> Moment:
    """Read the clocks of the machine and of these processes; `trees` with all they started."""
    times = psutil.cpu_times()
    busy = sum(times) - times.idle - getattr(times, "iowait", 0.0)
    # Time of guests is inside user time, too.
    busy -= getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    used = {pid: used_s(pid) for pid in pids} | {pid: whole_s(pid) for pid in trees}
    return Moment(time.perf_counter(), busy, used)


def used_s(pid: int) -> float:
    """Return the processor time of a process; 0 when it is gone."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system


def whole_s(pid: int) -> float:
    """Return the processor time of a process and of all that it has started, ended or not."""
    try:
        root = psutil.Process(pid)
        times = root.cpu_times()
        begun = root.children(recursive=True)
    except psutil.NoSuchProcess:
        return 0.0
    ended = times.children_user + times.children_system
    return times.user + times.system + ended + sum(used_s(each.pid) for each in begun)


def foreign(before: Moment, after: Moment) -> float:
    """Return the share of the whole machine that processes other than those asked for used."""
    ours = sum(after.used_s.values()) - sum(before.used_s.values())
    whole = (after.at - before.at) * (os.cpu_count() or 1)
    return max(0.0, (after.busy_s - before.busy_s - ours) / whole)
