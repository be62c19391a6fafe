"""Workflows of one branch, and of several."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
import msgspec

from headrace.errors import BadValue
from headrace.kernel.model import inward
from headrace.sdk.execution import require
from tests.sdk.branches import branch
from tests.sdk.played import sleep
from tests.worker.workflows import (
    HOUR,
    Pass,
    Send,
    Value,
    World,
    get,
    get_live,
    step,
    workflow,
)

# --- one branch ------------------------------------------------------------------------------


@workflow(Send("x", b"1"), Send("y", b"2"), result=[1, 2], effects="a b c")
async def steps_and_waits(world: World) -> Value:
    await step(world, "a")
    x = await get("x")
    await step(world, "b")
    y = await get("y")
    await step(world, "c")
    return [x, y]


@workflow(*(Send("x", b"%d" % n) for n in range(4)), Send("x", b"9"), result=6, effects="s s s s")
async def a_loop_of_waits(world: World) -> Value:
    total = 0
    while (got := await get("x")) != 9:
        await step(world, "s")
        total += int(str(got))
    return total


@workflow(Send("x", b"1"), Send("x", b"2"), Send("stop", b"0"), result=[1, 2])
async def a_loop_that_keeps_the_process(_world: World) -> Value:
    got: list[Value] = [await get_live("x"), await get_live("x")]
    await get_live("stop")
    return got


@workflow(Pass(HOUR), Send("x", b"1"), result=["timeout", 1], effects="late")
async def a_wait_that_times_out(world: World) -> Value:
    first = await get("x", HOUR)
    await step(world, "late")
    return [first, await get("x", HOUR)]


@workflow(Pass(HOUR), Pass(HOUR), result="woken", effects="a b")
async def sleeps(world: World) -> Value:
    await sleep(HOUR)
    await step(world, "a")
    await sleep(HOUR)
    await step(world, "b")
    return "woken"


@workflow(Send("x", b'"no"'), Send("x", b'"no"'), Send("x", b"3"), result=3)
async def a_value_that_is_passed_over(_world: World) -> Value:
    def fits(body: bytes) -> Value:
        if body.startswith(b'"'):
            raise BadValue("a number is wanted")
        return msgspec.json.decode(body)

    taken = await require("take").take(
        inward("x"),
        "x",
        fits=fits,
        timeout_ms=HOUR,
        until=None,
        parks=True,
        line="corpus.py:picky",
    )
    return "timeout" if taken is None else taken.value


@workflow(Send("x", b"1"), Send("x", b"2"), result=[1, 2])
async def a_generator_of_messages(_world: World) -> Value:
    async def messages() -> AsyncGenerator[Value]:
        while True:
            yield await get("x")

    got: list[Value] = []
    async with aclosing(messages()) as coming:
        async for message in coming:
            got.append(message)
            if len(got) == 2:
                break
    return got


# --- branches --------------------------------------------------------------------------------


@workflow(Send("y", b"2"), Send("x", b"1"), result=[1, 2])
async def gathers(_world: World) -> Value:
    return list(await asyncio.gather(get("x"), get("y")))


@workflow(Send("x", b"1"), Pass(HOUR), result=[1, "timeout"], effects="end")
async def gathers_with_a_deadline(world: World) -> Value:
    found = await asyncio.gather(get("x", HOUR), get("y", HOUR))
    await step(world, "end")
    return list(found)


@workflow(Send("y", b"2"), Send("x", b"1"), result=[1, 2], effects="a b")
async def a_task_group(world: World) -> Value:
    async def one(stream: str, name: str) -> Value:
        got = await get(stream)
        await step(world, name)
        return got

    async with asyncio.TaskGroup() as group:
        x, y = group.create_task(one("x", "b")), group.create_task(one("y", "a"))
    return [x.result(), y.result()]


@workflow(Send("y", b"2"), Send("x", b"1"), result=[1, 2])
async def a_task_group_of_anyio(_world: World) -> Value:
    found: dict[str, Value] = {}

    async def one(stream: str) -> None:
        found[stream] = await get(stream)

    async with anyio.create_task_group() as group:
        group.start_soon(one, "x")
        group.start_soon(one, "y")
    return [found["x"], found["y"]]


@workflow(Send("y", b"2"), Send("x", b"1"), result=["y", 2, 1], effects="won-y")
async def a_race_whose_loser_is_cancelled(world: World) -> Value:
    tasks = {name: branch(get(name)) for name in "xy"}
    done, pending = await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.wait(pending)
    winner = next(name for name, task in tasks.items() if task in done)
    await step(world, f"won-{winner}")
    return [winner, next(iter(done)).result(), await get("x")]


@workflow(Send("z", b"3"), Send("x", b"1"), Send("y", b"2"), result=[3, 1, 2], effects="3 1 2")
async def as_completed(world: World) -> Value:
    tasks = [branch(get(stream)) for stream in "xyz"]
    got: list[Value] = []
    for one in asyncio.as_completed(tasks):
        got.append(await one)
        await step(world, str(got[-1]))
    return got


@workflow(*(Send("x", b"%d" % n) for n in range(3)), result=[0, 1, 2], effects="0 1 2")
async def a_queue_between_branches(world: World) -> Value:
    queue: asyncio.Queue[Value] = asyncio.Queue()

    async def produce() -> None:
        for _ in range(3):
            await queue.put(await get("x"))

    got: list[Value] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(produce())
        for _ in range(3):
            got.append(await queue.get())
            await step(world, str(got[-1]))
    return got


@workflow(Send("x", b"1"), Send("y", b"2"), result=[1, 2], effects="locked locked")
async def a_lock_between_branches(world: World) -> Value:
    lock = asyncio.Lock()

    async def one(stream: str) -> Value:
        async with lock:
            got = await get(stream)
            await step(world, "locked")
            return got

    return list(await asyncio.gather(one("x"), one("y")))


@workflow(Send("x", b"1"), Send("y", b"2"), result=[1, 2])
async def behind_a_shield(_world: World) -> Value:
    return list(await asyncio.gather(asyncio.shield(get("x")), get("y")))


@workflow(
    *(Send(s, b'"%b"' % s.encode()) for s in "zyx"), result=[["x", ["y"]], "z"], effects="z y x"
)
async def branches_in_branches(world: World) -> Value:
    async def leaf(stream: str) -> Value:
        got = await get(stream)
        await step(world, str(got))
        return got

    async def middle() -> Value:
        x, y = await asyncio.gather(leaf("x"), asyncio.gather(leaf("y")))
        return [x, list(y)]

    return list(await asyncio.gather(middle(), leaf("z")))
