"""Workflows that are cancelled, fail, listen, and reach out."""

import asyncio

import msgspec

from headrace.kernel.model import inward, outward
from headrace.sdk.execution import require
from tests.worker.workflows import (
    Cancel,
    Send,
    Value,
    World,
    fragile,
    get,
    on,
    step,
    workflow,
)

# --- cancelling ------------------------------------------------------------------------------


@workflow(Send("x", b"1"), result=1)
async def in_time(_world: World) -> Value:
    async with asyncio.timeout(3_600):
        return await get("x")


@workflow(Send("y", b"2"), Send("x", b"1"), result=["late", 2, 1], effects="late")
async def too_late(world: World) -> Value:
    try:
        async with asyncio.timeout(0.005):
            await get("z")
    except TimeoutError:
        await step(world, "late")
    return ["late", await get("y"), await get("x")]


@workflow(Send("y", b"2"), Send("x", b"1"), result=["ValueError", 1], effects="undo")
async def a_sibling_that_fails(world: World) -> Value:
    async def fails() -> None:
        await get("y")
        raise ValueError

    async def undoes() -> None:
        try:
            await get("x")
        finally:
            await step(world, "undo")

    name = ""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(undoes())
            group.create_task(fails())
    except* ValueError as errors:
        name = type(errors.exceptions[0]).__name__
    return [name, await get("x")]


@workflow(Send("x", b"1"), Cancel(), result=None, effects="undo", status="CANCELED")
async def is_cancelled(world: World) -> Value:
    await get("x")
    try:
        await get("y")
    finally:
        await step(world, "undo")
    return "never"


# --- failures --------------------------------------------------------------------------------


@workflow(Send("x", b"1"), result=["offline", 1], effects="plan-b", failures=1)
async def a_failure_that_is_caught(world: World) -> Value:
    try:
        await fragile(world, "plan-a")
        caught = ""
    except ConnectionError as error:
        caught = str(error)
        await step(world, "plan-b")
    return [caught, await get("x")]


@workflow(Send("x", b"1"), result=1, effects="before charge", failures=2)
async def attempts_that_fail(world: World) -> Value:
    await step(world, "before")
    x = await get("x")
    await fragile(world, "charge")
    return x


# --- handlers --------------------------------------------------------------------------------


@workflow(Send("x", b"1"), Send("x", b"2"), Send("stop", b"0"), result=[1, 2], effects="h1 h2")
async def a_handler(world: World) -> Value:
    got: list[Value] = []

    async def handle(value: Value) -> None:
        await step(world, f"h{value}")
        got.append(value)

    on("x", handle)
    await get("stop")
    return got


@workflow(Send("x", b"1"), Send("stop", b"0"), Send("x", b"2"), result=[[1], 2], effects="h1")
async def a_handler_switched_off(world: World) -> Value:
    got: list[Value] = []

    async def handle(value: Value) -> None:
        await step(world, f"h{value}")
        got.append(value)

    listening = on("x", handle)
    await get("stop")
    listening.off()
    return [got, await get("x")]


@workflow(Send("x", b"1"), Send("y", b"5"), Send("stop", b"0"), result=[1, 5])
async def a_handler_that_waits(_world: World) -> Value:
    got: list[Value] = []

    async def handle(value: Value) -> None:
        got.extend([value, await get("y")])

    on("x", handle)
    await get("stop")
    return got


# --- reaching out ----------------------------------------------------------------------------


@workflow(Send("x", b"1"), Send("y", b"2"), result="said", out="0 1 2 3")
async def appends(_world: World) -> Value:
    run = require("emit")
    for n, stream in enumerate("xy"):
        await run.emit(outward("out"), b"%d" % (2 * n), line="corpus.py:1")
        await get(stream)
        await run.emit(outward("out"), b"%d" % (2 * n + 1), line="corpus.py:2")
    return "said"


@workflow(Send("x", b"1"), result=[7, 1])
async def sends_to_itself(_world: World) -> Value:
    run = require("send")
    await run.send(run.run_id, "y", b"7", key="", line="corpus.py:3")
    return [await get("y"), await get("x")]


@workflow(Send("x", b"1"), Send("y", b"2"), result=[None, 1, 5, 2])
async def peeks(_world: World) -> Value:
    run = require("peek")

    def peek() -> Value:
        body = run.peek(inward("z"), line="corpus.py:4")
        return None if body is None else msgspec.json.decode(body)

    first, x = peek(), await get("x")
    await run.send(run.run_id, "z", b"5", key="", line="corpus.py:5")
    await get("y")
    return [first, x, peek(), 2]
