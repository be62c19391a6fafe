"""Small workflows of every shape, each with what happens from outside and what must come of it.

Owns: the workflows. Must never know: how they are executed, interrupted or repeated.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

import anyio
import msgspec

from headrace.errors import BadValue
from headrace.kernel.model import inward, outward
from headrace.sdk.execution import Listener, require
from tests.sdk.played import once, sleep, wait

Value = object
HOUR: Final = 3_600_000


@dataclass
class World:
    """What the effects of one run leave behind, whatever becomes of its workers."""

    done: list[str] = field(default_factory=list[str])
    failures: int = 0
    """How many more times a fragile effect fails."""


@dataclass(frozen=True)
class Send:
    stream: str
    body: bytes


@dataclass(frozen=True)
class Pass:
    """Time passes."""

    ms: int


@dataclass(frozen=True)
class Cancel:
    """Somebody asks the run to stop."""


Event = Send | Pass | Cancel


@dataclass(frozen=True)
class Workflow:
    """One task. `effects` is what its steps leave behind if nothing breaks."""

    name: str
    code: Callable[[World], Awaitable[Value]]
    events: tuple[Event, ...]
    result: Value
    effects: tuple[str, ...] = ()
    status: str = "COMPLETED"
    failures: int = 0
    out: tuple[bytes, ...] = ()


CORPUS: list[Workflow] = []


def workflow(
    *events: Event,
    result: Value,
    effects: str = "",
    status: str = "COMPLETED",
    failures: int = 0,
    out: str = "",
) -> Callable[[Callable[[World], Awaitable[Value]]], Callable[[World], Awaitable[Value]]]:
    """Put a workflow into the corpus."""

    def add(code: Callable[[World], Awaitable[Value]]) -> Callable[[World], Awaitable[Value]]:
        CORPUS.append(
            Workflow(
                code.__name__,
                code,
                events,
                result,
                tuple(effects.split()),
                status,
                failures,
                tuple(body.encode() for body in out.split()),
            )
        )
        return code

    return add


async def step(world: World, name: str, value: Value = None) -> Value:
    """Leave a trace, and remember a value."""

    async def call() -> bytes:
        await asyncio.sleep(0)
        world.done.append(name)
        return msgspec.json.encode(value)

    raw = await require("step").step(name, call, fingerprint="", line=f"corpus.py:{name}")
    return msgspec.json.decode(raw)


async def fragile(world: World, name: str) -> None:
    """Leave a trace, or fail as often as the world says."""

    async def call() -> bytes:
        if world.failures:
            world.failures -= 1
            raise ConnectionError("offline")
        world.done.append(name)
        return b"null"

    await require("step").step(name, call, fingerprint="", line=f"corpus.py:{name}")


async def get(stream: str, timeout_ms: int | None = None) -> Value:
    body = await wait(stream, timeout_ms)
    return "timeout" if body is None else msgspec.json.decode(body)


async def get_live(stream: str) -> Value:
    return msgspec.json.decode(await once(stream) or b"null")


def on(stream: str, handler: Callable[[Value], Awaitable[None]]) -> Listener:
    async def call(body: bytes) -> None:
        await handler(msgspec.json.decode(body))

    return require("on").listen(inward(stream), call, line=f"corpus.py:{stream}")


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
    tasks = {name: asyncio.create_task(get(name)) for name in "xy"}
    done, pending = await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.wait(pending)
    winner = next(name for name, task in tasks.items() if task in done)
    await step(world, f"won-{winner}")
    return [winner, next(iter(done)).result(), await get("x")]


@workflow(Send("z", b"3"), Send("x", b"1"), Send("y", b"2"), result=[3, 1, 2], effects="3 1 2")
async def as_completed(world: World) -> Value:
    tasks = [asyncio.create_task(get(stream)) for stream in "xyz"]
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
