"""What runs cost that wait: memory of the server and of the worker, and bytes on disk.

Owns: the workload of N waiting runs in a house of their own. Must never know: how it is judged.
"""

from __future__ import annotations

from typing import Final

import psutil

from bench.house import House, opened
from bench.places import ON_A_FILE, Corner
from bench.rates import SENDERS, all_at_once, none_is
from bench.readings import weighed
from bench.samples import Sample, watched
from bench.work.tasks import Draft, parked

DRAFT: Final[Draft] = {"title": "Water mills of the north", "author": "alice", "words": 0}
WEIGHED: Final = ("server", "worker")


async def footprint(runs: int, corner: Corner = ON_A_FILE) -> Sample:
    """Let so many runs wait; memory is what the last all but ten have added, disk is everything."""
    first = 10
    async with opened(corner=corner) as house:
        await _park(first)
        before = _memory(house)
        with watched(house.pids, house.behind) as watch:
            await _park(runs - first)
        after = _memory(house)
        await house.kill_server()
        disk = await weighed(house)
    memory = {f"{who} bytes": (after[who] - before[who]) / (runs - first) for who in WEIGHED}
    whole = {f"{who} MiB": after[who] / (1 << 20) for who in WEIGHED}
    figures = {"disk bytes": disk / runs, **memory, **whole}
    return watch.sample(f"footprint {runs}", runs, figures)


async def _park(count: int) -> None:
    """Start so many runs, and see all of them wait."""
    numbers = iter(range(count))

    async def start(_sender: int) -> None:
        for number in numbers:
            await parked.trigger({**DRAFT, "words": number})

    await all_at_once(start, range(SENDERS))
    await none_is("QUEUED", "DEQUEUED", "EXECUTING", task=parked.id)


def _memory(house: House) -> dict[str, int]:
    return {who: psutil.Process(house.pids[who]).memory_info().rss for who in WEIGHED}
