"""How long nothing is delivered after a process was killed with -9 during traffic.

Owns: the workloads of a killed worker and of a killed server. Must never know: how it is judged.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from bench.house import House, opened
from bench.latency import mark, started
from bench.places import ON_A_FILE, Corner
from bench.samples import Sample, quantile, watched
from bench.work.tasks import Arrival, live, marks
from headrace import Handle
from headrace.errors import Unavailable

GAP_S: Final = 0.02
BEFORE: Final = 25
"""So many messages go through before the kill."""
PATIENCE_S: Final = 60.0


async def killed_worker(times: int, corner: Corner = ON_A_FILE) -> Sample:
    """Kill the worker; its supervisor starts another one."""

    async def kill(house: House) -> None:
        house.kill_worker()
        await house.worker_serves()

    return await _killed("killed worker", kill, times, corner)


async def killed_server(times: int, corner: Corner = ON_A_FILE) -> Sample:
    """Kill the server, and start it again at once."""

    async def kill(house: House) -> None:
        await house.kill_server()
        await house.start_server()

    return await _killed("killed server", kill, times, corner)


async def _killed(
    name: str, kill: Callable[[House], Awaitable[None]], times: int, corner: Corner
) -> Sample:
    taken = list[float]()
    async with opened(corner=corner) as house:
        with watched({}) as watch:
            for _ in range(times):
                taken.append(await _once(house, kill))
        return watch.sample(name, times, {"p50 s": quantile(taken, 0.5), "most s": max(taken)})


async def _once(house: House, kill: Callable[[House], Awaitable[None]]) -> float:
    """Return the seconds from the kill to the first arrival of a message sent after it."""
    handle = await live.trigger()
    await started(handle)
    for _ in range(BEFORE):
        await marks.send(handle, mark())
        await asyncio.sleep(GAP_S)
    at = time.monotonic_ns()
    sent = False
    async with asyncio.TaskGroup() as group:
        killing = group.create_task(_awaited(kill(house)))
        while not (killing.done() and sent):
            sent = await _try(handle, last=False)
            await asyncio.sleep(GAP_S)
    if not await _try(handle, last=True):
        raise AssertionError("the server is back, and does not answer")
    arrived = await _result(handle)
    return min(a["had"] for a in arrived if a["sent"] > at) / 1e9 - at / 1e9


async def _awaited(work: Awaitable[None]) -> None:
    await work


async def _try(handle: Handle[list[Arrival]], *, last: bool) -> bool:
    try:
        await marks.send(handle, mark(last=last))
    except Unavailable:
        return False
    return True


async def _result(handle: Handle[list[Arrival]]) -> list[Arrival]:
    async with asyncio.timeout(PATIENCE_S):
        return await handle.result()
