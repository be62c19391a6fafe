"""Mistakes that both type checkers must find: an ignore without a mistake is an error here."""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from dataclasses import dataclass
from typing import assert_type

from headrace import Ok, step, streams, task
from headrace.testing import local


@dataclass
class Post:
    title: str


approval = streams.input("approval", Post)
tokens = streams.output("tokens", str)


@task
async def publish(post: Post) -> int:
    return len(post.title)


@task
async def nightly() -> None: ...


@step
async def fetch(_url: str) -> Post:
    return Post("a")


async def payloads() -> None:
    await publish.trigger()  # type: ignore[call-arg]  # it takes a post
    await publish.trigger("a")  # type: ignore[arg-type]  # not text
    await publish.trigger(None)  # type: ignore[arg-type]  # not nothing
    await nightly.trigger(3)  # type: ignore[call-overload]  # it takes nothing
    await publish.trigger(Post("a"), tag="x")  # type: ignore[call-arg]  # the option is tags
    await publish.trigger(Post("a"), delay=[])  # type: ignore[arg-type]  # no duration
    await publish(3)  # type: ignore[arg-type]  # the function does not take it either
    publish.sync.trigger("a")  # type: ignore[arg-type]  # nor does the blocking twin


async def values() -> None:
    await approval.send("run_1", "yes")  # type: ignore[arg-type]  # not of the stream's type
    await approval.of("run_1").send(3)  # type: ignore[arg-type]  # nor here
    await approval.send(7, Post("a"))  # type: ignore[arg-type]  # a number is no run
    await tokens.append(b"a")  # type: ignore[arg-type]  # bytes are no text
    await tokens.pipe([1])  # type: ignore[list-item]  # numbers are no text
    approval.on(len)  # type: ignore[arg-type]  # a post has no length
    await fetch(3)  # type: ignore[arg-type]  # the step wants text


async def answers() -> None:
    answer = await approval.wait(timeout="7d")
    answer.output  # type: ignore[union-attr]  # noqa: B018  # it may have timed out
    if not answer:
        answer.output  # type: ignore[attr-defined]  # noqa: B018  # it has timed out
    match answer:
        case Ok(output=value):
            assert_type(value, str)  # type: ignore[assert-type]  # it is a post
        case _:
            pass
    handle = await publish.trigger(Post("a"))
    assert_type(await handle.result(), str)  # type: ignore[assert-type]  # it is a number


def declarations() -> None:
    streams.input("a", 3)  # type: ignore[call-overload]  # a value is no type
    streams.input(Post)  # type: ignore[call-overload]  # the id comes first

    @task  # type: ignore[arg-type]  # two parameters
    async def two(_a: int, _b: int) -> None: ...

    task(retries=3)  # type: ignore[call-overload]  # no such option


async def harness() -> None:
    async with local(publish) as h:
        await h.run(publish, "a")  # type: ignore[misc]  # not its payload
        await h.send("run_1", approval, "yes")  # type: ignore[misc]  # not its type
