"""Several branches at once: saved where frames allow, else refused by name."""

from __future__ import annotations

import asyncio

from tests.frames.rig import Refused, case, resumable
from tests.frames.parking import wait


@resumable
async def slow(n: int) -> int:
    """Wait for the loop."""
    await asyncio.sleep(0)
    return n


@case("gather, over before the wait", gives=[1, 2, 3], in_loop=True)
async def gather_before() -> object:
    out = await asyncio.gather(slow(1), slow(2))
    return [*out, await wait(3)]


@case("TaskGroup, over before the wait", gives=(1, 2), in_loop=True)
async def group_before() -> object:
    async with asyncio.TaskGroup() as group:
        one = group.create_task(slow(1))
    first = one.result()
    del one, group
    return first, await wait(2)


@case("waiting in a gather is refused", gives=Refused(("in_gather",)), in_loop=True)
async def in_gather() -> object:
    return await asyncio.gather(asyncio.sleep(30), asyncio.sleep(30))


@case("waiting in a TaskGroup is refused", gives=Refused(("in_group",)), in_loop=True)
async def in_group() -> object:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(30))
    return None


@case("a task in a local is refused", gives=Refused(("with_task", "Task")), in_loop=True)
async def with_task() -> object:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(asyncio.sleep(0))
    group = None
    await wait(1)
    return task.done()


@case("a future in a local is refused", gives=Refused(("future", "with_future")), in_loop=True)
async def with_future() -> object:
    future = asyncio.get_running_loop().create_future()
    await wait(1)
    return future.done()


@case("asyncio.timeout around a wait is refused", gives=Refused(("with_timeout",)), in_loop=True)
async def with_timeout() -> object:
    async with asyncio.timeout(60):
        return await wait(1)


@case("an asyncio.Lock that is free", gives="free", in_loop=True)
async def asyncio_lock() -> object:
    async with asyncio.Lock():
        pass
    return await wait("free")
