"""Hints between two processes by Redis: what is lost is made up for by looking."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import cast

import msgspec
import pytest
from redis.asyncio import Connection

from headrace.backends.clocks import CarriedClock
from headrace.backends.redis import Opened, open_redis, wakeups
from headrace.backends.redis.wakeups import Message, Read, messages
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


def about(*runs: RunId) -> bytes:
    """Return a message of another process."""
    ((_, message),) = messages("two", runs)
    return message


async def named(hints: AsyncIterator[RunId]) -> RunId:
    """Return the next run that is named."""
    async with asyncio.timeout(8):
        async for hint in hints:
            if hint != ANYTHING:
                return hint
    raise AssertionError("the hints ended")


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(8):
        while not holds():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)


async def ready(*every: Opened) -> None:
    """Return once everybody hears everybody."""
    async with asyncio.timeout(8):
        for opened in every:
            await opened.wakeups.hearing.wait()
        await until(lambda: len(every) == 1 or not any(each.wakeups.is_alone for each in every))


async def alone(opened: Opened) -> None:
    """Return once it knows that nobody else is there."""
    await until(lambda: opened.wakeups.is_alone)


async def _next(newcomer: Connection) -> Message:
    """Return the next message; one without runs is passed over."""
    async with asyncio.timeout(8):
        while True:
            answer = await cast("Read", newcomer.read_response)()
            assert answer is not None
            message = msgspec.json.decode(answer[2], type=Message)
            if message.runs:
                return message


def told(server: RedisServer) -> int:
    """Count what was published."""
    stats = cast("Mapping[str, Mapping[str, int]]", server.do("INFO", "commandstats"))
    return stats.get("cmdstat_publish", {}).get("calls", 0)


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
        assert await named(hints) == RunId("run-2")


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
        await ready(one)
        await ready(other)
        async with one.wakeups.listen() as hints:
            await other.wakeups.announce(RunId("of another database"))
            await other.link.ask("PUBLISH", "headrace:0", about(RUN))
            assert await named(hints) == RUN


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
        assert await named(hints) == RUN


ANYTHING_QUOTED = rb"\"\""
SUBSCRIBED = b"*3\r\n$9\r\nsubscribe\r\n$10\r\nheadrace:0\r\n:1\r\n"
PONG = b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"


def framed(message: bytes) -> bytes:
    """Return the message as Redis sends it."""
    return b"*3\r\n$7\r\nmessage\r\n$10\r\nheadrace:0\r\n$%d\r\n%s\r\n" % (len(message), message)


async def test_a_message_that_comes_in_two_parts_is_heard(clock: CarriedClock) -> None:
    frame = framed(about(RUN))
    parts = [SUBSCRIBED + frame[:40], frame[40:] + PONG]

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


async def test_who_is_alone_tells_nobody(one: Opened, breakable: RedisServer) -> None:
    await alone(one)
    before = told(breakable)
    async with one.wakeups.listen() as hints:
        for _ in range(20):
            await until(lambda: one.wakeups.is_alone)
            await one.wakeups.announce(RUN)
            await exactly(hints, RUN)
        await one.link.ask("PING")  # all that was asked before has been answered
    assert told(breakable) - before < 10  # that it is there, each second


async def test_who_comes_is_told_and_who_is_left_is_alone(
    one: Opened, breakable: RedisServer, clock: CarriedClock
) -> None:
    await alone(one)
    async with (
        open_redis(breakable.url(), clock=clock, name="two") as two,
        two.wakeups.listen() as hints,
    ):
        await two.wakeups.hearing.wait()
        await one.wakeups.announce(RUN)  # perhaps before it has heard who is there
        await heard(hints, RUN)
        await ready(one, two)
        await one.wakeups.announce(RUN)
        await exactly(hints, RUN)
    async with asyncio.timeout(8):
        while not one.wakeups.is_alone:  # Redis forgets who has gone a moment later
            await one.wakeups.announce(RUN)
            await asyncio.sleep(0)


async def test_who_begins_to_listen_says_so_at_once(
    breakable: RedisServer, clock: CarriedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeups, "BEAT_S", 60.0)
    async with open_redis(breakable.url(), clock=clock, name="one") as one:
        await alone(one)
        async with open_redis(breakable.url(), clock=clock, name="two") as two:
            await ready(one, two)


@pytest.mark.parametrize("speaks", [True, False])
async def test_a_newcomer_is_told_of_what_was_kept_from_it(
    one: Opened, breakable: RedisServer, *, speaks: bool
) -> None:
    """It listens already; that it does may be lost, and it is then counted."""
    await alone(one)
    async with one.link.connection(2.0) as newcomer:
        await newcomer.send_command("SUBSCRIBE", "headrace:0")
        await cast("Read", newcomer.read_response)()
        await one.wakeups.announce(RUN)
        if speaks:
            breakable.do("PUBLISH", "headrace:0", about().decode())
        said = await _next(newcomer)
        assert said.runs in {(ANYTHING,), (RUN,)}  # the latter if it had just been counted


async def test_who_was_deaf_owns_up_to_what_he_kept(one: Opened, breakable: RedisServer) -> None:
    await alone(one)
    async with one.link.connection(2.0) as watching:
        await watching.send_command("MONITOR")
        read = cast("Callable[[], Awaitable[bytes]]", watching.read_response)
        await one.wakeups.announce(RUN)
        breakable.do("CLIENT", "KILL", "TYPE", "pubsub")
        async with asyncio.timeout(8):
            while b"[" + ANYTHING_QUOTED + b"]" not in (said := await read()):
                assert RUN.encode() not in said


async def test_who_does_not_hear_himself_does_not_know_whether_he_is_alone(
    clock: CarriedClock,
) -> None:
    """The one who hears may be another: a connection may be dead without our knowing."""
    published = b""

    def deaf(command: bytes) -> bytes | None:
        nonlocal published
        if b"SUBSCRIBE" in command:
            return SUBSCRIBED
        published += command if b"PUBLISH" in command else b""
        return b":1\r\n" if b"PUBLISH" in command else None

    async with standing_in(deaf) as url, open_redis(url, clock=clock, name="one") as one:
        await ready(one)
        await until(lambda: b"PUBLISH" in published)
        await one.wakeups.announce(RunId("run-1"))
        await until(lambda: b"run-1" in published)
        await one.wakeups.announce(RunId("run-2"))
        await until(lambda: b"run-2" in published)


async def test_who_is_heard_before_the_count_of_hearers_comes_counts(clock: CarriedClock) -> None:
    """It begins to listen just after our message: we hear of it before we hear who heard us."""
    published, is_heard = b"", asyncio.Event()
    ((_, own),) = messages("one", ())
    parts = [SUBSCRIBED, framed(own) + framed(about(RUN)) + PONG]

    async def late() -> bytes:
        await is_heard.wait()
        return b":1\r\n"

    def answer(command: bytes) -> bytes | Awaitable[bytes] | None:
        nonlocal published
        if b"PUBLISH" in command:
            published += command
            return late()
        is_next = b"SUBSCRIBE" in command or (b"PING" in command and len(parts) == 1)
        return parts.pop(0) if is_next else None

    async with (
        standing_in(answer) as url,
        open_redis(url, clock=clock, name="one", patience_s=5) as one,
        one.wakeups.listen() as hints,
    ):
        await exactly(hints, RUN)
        is_heard.set()
        await one.link.ask("PING")  # the count has come as well
        await one.wakeups.announce(RunId("run-2"))
        await until(lambda: b"run-2" in published)
