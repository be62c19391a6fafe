"""How long a message takes from the call of `send` until the task has it.

Owns: the workloads live and warm. Must never know: how samples are judged.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import headrace
from bench.house import House
from bench.samples import Sample, spread, watched
from bench.work.tasks import Arrival, Mark, live, marks, warm
from headrace import Handle, Task
from headrace.wire.views import Status

SETTLED_S: Final = 0.3
"""So long nothing is asked of a fresh run, so that it stands where it will."""


async def live_latency(house: House, count: int, gap_s: float) -> Sample:
    """Send to a run that stands in `once`."""
    name = "live paced" if gap_s else "live back to back"
    return await _latency(house, live, name, count, gap_s)


async def warm_latency(house: House, count: int, gap_s: float) -> Sample:
    """Answer a run that waits, parked in its worker."""
    return await _latency(house, warm, "warm paced", count, gap_s, stands="WAITING")


async def _latency(
    house: House,
    measured: Task[None, list[Arrival]],
    name: str,
    count: int,
    gap_s: float,
    *,
    stands: Status = "EXECUTING",
) -> Sample:
    handle = await measured.trigger()
    await started(handle, stands)
    met = 0
    with watched(house.pids, house.behind) as watch:
        for _ in range(count):
            receipt = await marks.send(handle, mark())
            met += receipt.resumed
            if gap_s:
                await asyncio.sleep(gap_s)
    await marks.send(handle, mark(last=True))
    taken = in_ms(await handle.result())
    if len(taken) != count:
        raise AssertionError(f"{count} messages were sent, {len(taken)} have arrived")
    # Back to back, the next message may come before the task asks for it.
    return watch.sample(name, count, {**spread(taken), "met a wait": met / count})


def mark(*, last: bool = False) -> Mark:
    """Make a message of this very moment."""
    return {"sent": time.monotonic_ns(), "last": last}


def in_ms(arrivals: Sequence[Arrival]) -> list[float]:
    """Return what each took."""
    return [(arrival["had"] - arrival["sent"]) / 1e6 for arrival in arrivals]


async def started(handle: Handle[list[Arrival]], stands: Status = "EXECUTING") -> None:
    """Wait until the run executes, and stands at its first wait.

    One that leaves its code to wait says so itself; for one that stays in it there is a pause.
    """
    async for run in headrace.runs.subscribe(handle):
        if run.status == stands:
            break
    await asyncio.sleep(SETTLED_S)
