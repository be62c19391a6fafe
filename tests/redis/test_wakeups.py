"""Hints between two processes by Redis: what is lost is made up for by looking."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from headrace.backends.clocks import CarriedClock
from headrace.backends.redis import Opened, open_redis
from headrace.backends.redis.wakeups import messages
from headrace.kernel.model import RunId
from headrace.ports import ANYTHING
from headrace.testing.contracts.wakeups import heard
from tests.redis.given import RUN
from tests.redis.standin import standing_in
from tests.services.proxy import proxy
from tests.services.redis import RedisServer


async def exactly(hints: AsyncIterator[RunId], run_id: RunId) -> None:
    """Return once the run itself is heard of."""
    async with asyncio.timeout(8):
        async for hint in hints:
            if hint == run_id:
                return


async def ready(*every: Opened) -> None:
    async with asyncio.timeout(8):
        for opened in every:
            await opened.wakeups.hearing.wait()


async def test_what_one_announces_the_other_hears(one: Opened, two: Opened) -> None:
    await ready(one, two)
    async with two.wakeups.listen() as hints:
        await one.wakeups.announce(RUN)
        await exactly(hints, RUN)
    async with one.wakeups.listen() as hints:
        await two.wakeups.announce(RUN)
        await exactly(hints, RUN)


async def test_nobody_hears_himself_twice(one: Opened, two: Opened) -> None:
    await ready(one, two)
    async with one.wakeups.listen() as hints, two.wakeups.listen() as others:
        await one.wakeups.announce(RUN)
        await exactly(hints, RUN)
        await exactly(others, RUN)
        await two.wakeups.announce(RunId("run-2"))
        async with asyncio.timeout(8):
            assert await anext(hints) == RunId("run-2")


async def test_of_many_announcements_all_arrive(one: Opened, two: Opened) -> None:
    await ready(one, two)
    runs = {RunId(f"run-{n}") for n in range(3_000)}
    async with two.wakeups.listen() as hints:
        for run_id in runs:
            await one.wakeups.announce(run_id)
        async with asyncio.timeout(8):
            while runs:
                runs.discard(await anext(hints))


async def test_databases_do_not_hear_each_other(
    one: Opened, breakable: RedisServer, clock: CarriedClock
) -> None:
    async with open_redis(breakable.url(1), clock=clock, name="other") as other:
        await ready(one, other)
        async with one.wakeups.listen() as hints:
            await other.wakeups.announce(RunId("of another database"))
            await other.link.ask("PUBLISH", "headrace:0", next(messages("other", [RUN])))
            async with asyncio.timeout(8):
                assert await anext(hints) == RUN


@pytest.mark.parametrize("body", ["", "[]", '["two",[1]]', "\x00"])
async def test_what_cannot_be_read_may_be_about_anything(
    one: Opened, breakable: RedisServer, body: str
) -> None:
    await ready(one)
    async with one.wakeups.listen() as hints:
        breakable.do("PUBLISH", "headrace:0", body)
        await exactly(hints, ANYTHING)


async def test_after_a_killed_connection_anything_is_announced(
    one: Opened, two: Opened, breakable: RedisServer
) -> None:
    await ready(one, two)
    async with two.wakeups.listen() as hints:
        breakable.do("CLIENT", "KILL", "TYPE", "pubsub")
        await exactly(hints, ANYTHING)
        await ready(one, two)
        await one.wakeups.announce(RUN)
        await heard(hints, RUN)


async def test_a_restart_loses_nothing_for_good(
    one: Opened, two: Opened, breakable: RedisServer
) -> None:
    await ready(one, two)
    async with two.wakeups.listen() as hints:
        breakable.stop()
        await one.wakeups.announce(RUN)
        await exactly(hints, ANYTHING)
        breakable.start()
        await exactly(hints, RUN)  # it waited to be told


async def test_while_nobody_can_be_heard_everybody_looks(
    one: Opened, breakable: RedisServer
) -> None:
    await ready(one)
    async with one.wakeups.listen() as hints:
        breakable.stop()
        loop = asyncio.get_running_loop()
        await exactly(hints, ANYTHING)
        for _ in range(3):
            began = loop.time()
            await exactly(hints, ANYTHING)
            assert loop.time() - began < 2.5


async def test_a_silent_connection_is_found_out(
    breakable: RedisServer, clock: CarriedClock
) -> None:
    async with proxy(breakable.port) as way:
        url = f"redis://127.0.0.1:{way.port}/0"
        async with open_redis(url, clock=clock, name="one") as one:
            await ready(one)
            async with one.wakeups.listen() as hints:
                way.mute = True
                await exactly(hints, ANYTHING)
                assert not one.wakeups.hearing.is_set()
                way.cut()
                await ready(one)


async def test_a_long_silence_is_no_loss(one: Opened, two: Opened, clock: CarriedClock) -> None:
    await ready(one, two)
    async with one.wakeups.listen() as hints:
        until = clock.now() + 2_600  # over two questions whether anybody is there
        await clock.sleep_until(type(clock.now())(until))
        await two.wakeups.announce(RUN)
        async with asyncio.timeout(8):
            assert await anext(hints) == RUN


async def test_a_message_that_comes_in_two_parts_is_heard(clock: CarriedClock) -> None:
    message = next(messages("two", [RUN]))
    frame = b"*3\r\n$7\r\nmessage\r\n$10\r\nheadrace:0\r\n$%d\r\n%s\r\n" % (len(message), message)
    subscribed = b"*3\r\n$9\r\nsubscribe\r\n$10\r\nheadrace:0\r\n:1\r\n"
    parts = [subscribed + frame[:40], frame[40:] + b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"]

    def halved(command: bytes) -> bytes | None:
        """Send the second half when it is asked whether anybody is there, after a silence."""
        is_next = b"SUBSCRIBE" in command or (b"PING" in command and len(parts) == 1)
        return parts.pop(0) if is_next else None

    async with (
        standing_in(halved) as url,
        open_redis(url, clock=clock, name="one") as one,
        one.wakeups.listen() as hints,
    ):
        await exactly(hints, RUN)
        assert one.wakeups.hearing.is_set()
