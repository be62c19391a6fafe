"""Tasks in which what goes wrong elsewhere would show. Each is driven by the tests beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from typing import Any

from headrace import Retry, Token, streams, task, wait
from headrace.errors import StreamHasHandler

news = streams.input("fault-news", int)
gate = streams.input("fault-gate")
ROUNDS = 5
marks: list[Any] = []
"""What code outside the journal has noted."""


class Latch:
    """Where code stands until a test lets it go on; the event is of the loop that comes first."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    def renew(self) -> None:
        """Close it."""
        self.opened = asyncio.Event()


latch = Latch()


async def _next(count: int) -> list[int]:
    return [await news.wait().unwrap() for _ in range(count)]


@task
async def once_then_waits(count: int) -> list[int]:
    first = await news.once().unwrap()
    await gate.wait()
    return [first, *(await _next(count - 1))]


@task
async def waits_and_onces(pairs: int) -> list[int]:
    got: list[int] = []
    for _ in range(pairs):
        got.append(await news.wait().unwrap())
        got.append(await news.once().unwrap())
    return got


@task
async def waits_only(count: int) -> list[int]:
    return await _next(count)


@task
async def waits_while_it_hears() -> str:
    with news.on(marks.append):
        try:
            await news.wait(timeout="1h")
        except StreamHasHandler as error:
            return str(error)
    return "it waited"


@task
async def hears_across_waits() -> list[int]:
    heard: list[int] = []
    with news.on(heard.append):
        await gate.wait()
        await gate.wait()
    return heard


@task
async def hears_waits_and_hears() -> list[list[int]]:
    heard: list[int] = []
    with news.on(heard.append):
        await gate.wait()
    between = await news.wait().unwrap()
    later: list[int] = []
    with news.on(later.append):
        await gate.wait()
    return [heard, [between], later]


@task
async def two_branches() -> list[int]:
    return list(await asyncio.gather(news.wait().unwrap(), news.wait().unwrap()))


@task
async def two_late_branches() -> list[int]:
    await latch.opened.wait()
    return list(await asyncio.gather(news.wait().unwrap(), news.wait().unwrap()))


@task
async def once_beside_wait() -> list[int]:
    return list(await asyncio.gather(news.once().unwrap(), news.wait().unwrap()))


@task
async def hears_slowly() -> None:
    async def slow(number: int) -> None:
        marks.append(f"begin {number}")
        if number == 0:
            await latch.opened.wait()
        marks.append(f"end {number}")

    with news.on(slow):
        for _ in range(ROUNDS):
            await gate.wait()


@task(max_attempts=1)
async def fails_in_a_handler() -> None:
    def refuse(number: int) -> None:
        raise ValueError(f"no {number}")

    with news.on(refuse):
        await gate.wait()


@task
async def peeks_at_news() -> int | None:
    await gate.wait()
    return news.peek()


@task
async def asks_for_nothing() -> bool:
    return bool(await news.once(timeout=0))


@task
async def waits_until(moment: datetime) -> bool:
    return bool(await news.wait(until=moment))


@task(max_attempts=2, retry=Retry(first="1s", jitter=False))
async def fails_after_the_first() -> list[int]:
    first = await news.wait().unwrap()
    marks.append(first)
    if len(marks) == 1:
        raise RuntimeError("once more")
    return [first, await news.wait().unwrap()]


@task
async def asks_late(how: str) -> int:
    await latch.opened.wait()
    return await (news.wait() if how == "wait" else news.once()).unwrap()


@task
async def ends_when_told() -> str:
    await latch.opened.wait()
    return "over"


@task
async def waits_for_token(token: str) -> int:
    answer: Coroutine[Any, Any, int] = wait.for_token(Token(token, ""), int).unwrap()
    return await answer


@task(ttl="1m", max_duration="1m")
async def outlasts() -> str:
    await latch.opened.wait()
    return "done"
