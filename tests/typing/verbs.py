"""What every verb of the sdk gives, inferred by both type checkers without annotations."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, assert_type

from headrace import (
    CurrentRun,
    Handle,
    InputStreamOf,
    Ok,
    Receipt,
    Retry,
    Run,
    Step,
    Subscription,
    Task,
    TimedOut,
    current_run,
    metadata,
    runs,
    step,
    streams,
    task,
    wait,
)
from headrace.errors import WaitTimeout
from headrace.testing import local


@dataclass
class Post:
    title: str


@dataclass
class Published:
    by: str


approval = streams.input("approval", Post)
tokens = streams.output("tokens", str)


# --- tasks ---------------------------------------------------------------------------------------


@task
async def plain(_post: Post) -> Published:
    return Published("a")


@task
async def without() -> int:
    return 1


@task
def blocking(_post: Post) -> Published:
    return Published("a")


@task
def blocking_without() -> int:
    return 1


@task(id="x", max_attempts=3, retry=Retry(first="1s", most=timedelta(hours=1)), ttl=60)
async def with_options(_post: Post) -> Published:
    return Published("a")


@task(max_duration="1h")
def blocking_with_options() -> int:
    return 1


assert_type(plain, Task[Post, Published])
assert_type(without, Task[None, int])
assert_type(blocking, Task[Post, Published])
assert_type(blocking_without, Task[None, int])
assert_type(with_options, Task[Post, Published])
assert_type(blocking_with_options, Task[None, int])


async def triggering() -> None:
    handle = await plain.trigger(Post("a"), tags=["user:7"], idempotency_key="post-7", delay="5m")
    assert_type(handle, Handle[Published])
    assert_type(await handle.result(), Published)
    assert_type(await handle.cancel(), Run)
    assert_type(await without.trigger(ttl="1h"), Handle[int])
    assert_type(await without.trigger(None, max_attempts=1, metadata={"a": 1}), Handle[int])
    assert_type(await blocking.trigger(Post("a")), Handle[Published])
    assert_type(await plain(Post("a")), Published)
    assert_type(await blocking(Post("a")), Published)
    assert_type(await without(), int)
    async with asyncio.TaskGroup() as group:
        assert_type((group.create_task(plain.trigger(Post("a")))).result(), Handle[Published])


def triggering_without_a_loop() -> None:
    handle = plain.sync.trigger(Post("a"), tags=["user:7"], delay=timedelta(minutes=5))
    assert_type(handle.result(), Published)
    assert_type(handle.cancel(), Run)
    assert_type(handle.id, str)
    assert_type(without.sync.trigger().result(), int)
    assert_type(blocking.sync(Post("a")), Published)
    assert_type(approval.sync.send(handle.id, Post("a"), idempotency_key="x"), Receipt)


# --- steps ---------------------------------------------------------------------------------------


@step
async def fetch(_url: str, *, times: int = 1) -> Post:
    return Post(str(times))


@step
def shorten(_post: Post) -> str:
    return ""


@step(retry=Retry(max_attempts=5))
async def careful(_number: int) -> None: ...


@step(name="other")
def named() -> list[int]:
    return []


def lengthen(post: Post) -> int:
    return len(post.title)


async def stepping() -> None:
    assert_type(await fetch("a", times=2), Post)
    assert_type(await shorten(Post("a")), str)
    assert_type(await careful(1), None)
    assert_type(await named(), list[int])
    assert_type(fetch.sync("a"), Post)
    assert_type(shorten.sync(Post("a")), str)
    assert_type(await step("length", lengthen)(Post("a")), int)
    assert_type(named, Step[[], list[int]])

    async def made() -> Post:
        return Post("a")

    assert_type(await step("made", made), Post)
    assert_type(await step("made", made)(), Post)
    assert_type(await step("plain", lambda: 1, retry=Retry()), int)


# --- waiting -------------------------------------------------------------------------------------


async def waiting() -> Post | None:
    answer = await approval.wait(timeout="7d")
    assert_type(answer, Ok[Post] | TimedOut)
    if answer:
        assert_type(answer, Ok[Post])
        assert_type(answer.output, Post)
        assert_type(answer.unwrap(), Post)
        assert_type(answer.ok, Literal[True])
    else:
        assert_type(answer, TimedOut)
        assert_type(answer.error, WaitTimeout)
    match await approval.once(timeout=30):
        case Ok(output=value) if value.title:
            assert_type(value, Post)
            return value
        case Ok(output=value):
            return value
        case TimedOut(error=error):
            assert_type(error, WaitTimeout)
            return None


async def more_waiting() -> None:
    assert_type(await approval.wait().unwrap(), Post)
    assert_type(await approval.once(timeout="30s").unwrap(), Post)
    assert_type(approval.peek(), Post | None)
    assert_type(approval.sync.wait(timeout="7d"), Ok[Post] | TimedOut)
    assert_type(approval.sync.once().unwrap(), Post)
    assert_type(approval.sync.peek(), Post | None)
    async for one in approval:
        assert_type(one, Post)
    for two in approval.sync:
        assert_type(two, Post)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(approval.wait(timeout="1h"))
    assert_type(first.result(), Ok[Post] | TimedOut)
    assert_type(await wait.for_("1h"), None)
    wait.sync.for_(timedelta(hours=1))


async def listening() -> None:
    async def hear(_post: Post) -> None: ...

    def hear_plainly(_post: Post) -> int:
        return 1

    assert_type(approval.on(hear), Subscription)
    with approval.on(hear_plainly, on_error="ignore") as subscription:
        assert_type(subscription, Subscription)
        subscription.off()
    approval.sync.on(hear_plainly).off()


# --- sending and reading -------------------------------------------------------------------------


async def sending(handle: Handle[Published]) -> None:
    assert_type(await approval.send(handle, Post("a")), Receipt)
    assert_type(await approval.send(handle.id, Post("a"), idempotency_key="a"), Receipt)
    bound = approval.of(handle)
    assert_type(bound, InputStreamOf[Post])
    assert_type(await bound.send(Post("a")), Receipt)
    async for post in bound.read(start=3):
        assert_type(post, Post)
    async for token in tokens.read(handle):
        assert_type(token, str)
    for token in tokens.sync.read("run_1"):
        assert_type(token, str)


async def writing() -> None:
    async def words() -> AsyncIterator[str]:
        yield "a"

    await tokens.append("a")
    await tokens.pipe(words())
    await tokens.pipe(["a"])
    tokens.sync.pipe(word for word in ["a"])


async def looking() -> None:
    assert_type(current_run(), CurrentRun)
    assert_type(current_run().key("mail"), str)
    metadata.set("a", {"b": [1]})
    assert_type(metadata.get("a"), Any)
    assert_type(await runs.retrieve("run_1"), Run)
    assert_type(await runs.list(status="WAITING", tag=["a", "b"]), list[Run])
    assert_type(runs.sync.list(), list[Run])
    async for run in runs.subscribe("run_1"):
        assert_type(run, Run)


async def testing() -> None:
    async with local(plain, without, replay="always") as harness:
        assert_type(await harness.run(plain, Post("a")), Published)
        assert_type(await harness.run(without), int)
        assert_type(await harness.send("run_1", approval, Post("a")), Receipt)
