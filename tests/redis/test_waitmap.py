"""The wait map in Redis: what memory says too, whatever clocks, losses and lack of room do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from headrace.backends.clocks import CarriedClock
from headrace.backends.memory.waitmap import MemoryWaitMap
from headrace.backends.redis import Opened, open_redis
from headrace.backends.redis.waitmap import PREFIX, RedisWaitMap
from headrace.kernel.model import Instant, StreamId, later
from headrace.ports.waitmap import LIVE_MS, Live, On, WaitMap
from tests.redis.given import RUN, A, answered, clock_of
from tests.services.redis import RedisServer, redis_server

ON_A = On(frozenset({A}))


@dataclass(frozen=True, slots=True)
class Word:
    """One thing that is said."""

    state: str
    version: int
    ahead_ms: int = 0
    streams: frozenset[StreamId] = frozenset()

    async def say(self, waitmap: WaitMap, now: Instant) -> None:
        match self.state:
            case "live":
                await waitmap.live(RUN, self.version, later(now, self.ahead_ms))
            case "parked":
                await waitmap.parked(RUN, self.version, self.streams)
            case _:
                await waitmap.gone(RUN, self.version)


@dataclass(frozen=True, slots=True)
class Off:
    """A clock that goes wrong by so much."""

    clock: CarriedClock
    by_ms: int

    def now(self) -> Instant:
        return later(self.clock.now(), self.by_ms)

    async def sleep_until(self, moment: Instant) -> None:
        await self.clock.sleep_until(later(moment, -self.by_ms))


VERSIONS = st.integers(8, 12)
WORDS = st.one_of(
    # Ends so far ahead that none is reached while two maps are compared.
    st.builds(Word, st.just("live"), VERSIONS, st.integers(1_500, 1_900)),
    st.builds(
        Word,
        st.just("parked"),
        VERSIONS,
        streams=st.frozensets(st.sampled_from([A, StreamId("<b")])),
    ),
    st.builds(Word, st.just("gone"), VERSIONS),
)


@given(words=st.lists(WORDS, max_size=12))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_redis_says_what_memory_says(redis_of_all: RedisServer, words: list[Word]) -> None:
    async def compared() -> None:
        redis_of_all.do("FLUSHALL")
        clock = clock_of(redis_of_all)
        memory = MemoryWaitMap(clock)
        async with open_redis(redis_of_all.url(), clock=clock, name="one", patience_s=5) as opened:
            now = clock.now()
            for word in words:
                await word.say(memory, now)
                await word.say(opened.waitmap, now)
                assert await opened.waitmap.where(RUN) == await memory.where(RUN)

    asyncio.run(compared())


@pytest.mark.parametrize("by_ms", [LIVE_MS, 60_000, -LIVE_MS - 500, -60_000])
async def test_life_ends_for_whose_clock_says_so(
    one: Opened, clock: CarriedClock, by_ms: int
) -> None:
    await one.waitmap.live(RUN, 1, later(clock.now(), LIVE_MS))
    assert isinstance(await one.waitmap.where(RUN), Live)
    assert await RedisWaitMap(one.link, Off(clock, by_ms)).where(RUN) is None


async def test_who_writes_with_a_wrong_clock_makes_nobody_live_longer(
    one: Opened, clock: CarriedClock
) -> None:
    fast = RedisWaitMap(one.link, Off(clock, 60_000))
    await fast.live(RUN, 1, later(clock.now(), 61_000))
    assert await one.waitmap.where(RUN) is None


async def test_entries_end_in_redis_by_themselves(
    one: Opened, breakable: RedisServer, clock: CarriedClock
) -> None:
    until = later(clock.now(), 1_000)
    await one.waitmap.live(RUN, 1, until)
    assert breakable.do("PEXPIRETIME", f"{PREFIX}{RUN}") == until
    await one.waitmap.parked(RUN, 2, frozenset({A}))
    left = breakable.do("PTTL", f"{PREFIX}{RUN}")
    assert isinstance(left, int)
    assert LIVE_MS < left <= 60_000


@pytest.mark.parametrize("text", ["", "7", "x live 9", "1 live soon", "1 on {", "\xff \xff \xff"])
async def test_what_nobody_of_us_wrote_is_unknown_and_replaced(
    one: Opened, breakable: RedisServer, text: str
) -> None:
    breakable.do("SET", f"{PREFIX}{RUN}", text)
    assert await one.waitmap.where(RUN) is None
    await one.waitmap.parked(RUN, 8, frozenset({A}))
    assert await one.waitmap.where(RUN) == ON_A


async def test_a_flushed_map_knows_nothing_and_goes_on(
    one: Opened, breakable: RedisServer, clock: CarriedClock
) -> None:
    await one.waitmap.parked(RUN, 2, frozenset({A}))
    breakable.do("FLUSHALL")
    breakable.do("SCRIPT", "FLUSH")
    assert await one.waitmap.where(RUN) is None
    until = later(clock.now(), LIVE_MS)
    await one.waitmap.live(RUN, 3, until)
    assert await one.waitmap.where(RUN) == Live(until)
    assert one.link.failures == 0  # though the script had to be told again


async def test_who_finds_no_connection_free_waits_for_one(one: Opened) -> None:
    await one.waitmap.parked(RUN, 1, frozenset({A}))
    answers = await asyncio.gather(*(one.waitmap.where(RUN) for _ in range(40)))
    assert answers == [ON_A] * 40
    assert one.link.failures == 0


async def test_a_script_is_told_once(one: Opened, breakable: RedisServer) -> None:
    for version in range(1, 6):
        await one.waitmap.parked(RUN, version, frozenset({A}))
    stats = str(breakable.do("INFO", "commandstats"))
    assert "cmdstat_eval'" in stats
    assert stats.count("'calls': 5") >= 1  # EVALSHA, the first of which failed


async def test_without_memory_nobody_is_said_to_live_who_does_not(
    one: Opened, breakable: RedisServer, clock: CarriedClock
) -> None:
    await one.waitmap.live(RUN, 1, later(clock.now(), LIVE_MS))
    breakable.do("CONFIG", "SET", "maxmemory", "1")
    await one.waitmap.parked(RUN, 2, frozenset({A}))
    assert await one.waitmap.where(RUN) is None
    assert one.link.failures == 1
    breakable.do("CONFIG", "SET", "maxmemory", "0")
    await one.waitmap.parked(RUN, 3, frozenset({A}))
    assert await one.waitmap.where(RUN) == ON_A
    assert one.link.trouble == ""


async def test_a_restarted_redis_is_used_again(
    one: Opened, breakable: RedisServer, clock: CarriedClock
) -> None:
    await one.waitmap.live(RUN, 1, later(clock.now(), LIVE_MS))
    breakable.stop()
    assert await one.waitmap.where(RUN) is None
    await one.waitmap.parked(RUN, 2, frozenset({A}))
    assert "cannot be reached" in one.link.trouble
    breakable.start()
    async with asyncio.timeout(8):
        while one.link.trouble:
            await one.waitmap.parked(RUN, 3, frozenset({A}))
    await answered(one.waitmap, ON_A)


async def test_a_redis_that_remembers_brings_nobody_back_to_life() -> None:
    """An old story from disk ends when it would have ended."""
    with redis_server({"appendonly": "yes", "appendfsync": "always"}) as server:
        clock = clock_of(server)
        until = later(clock.now(), LIVE_MS)
        async with open_redis(server.url(), clock=clock, name="one", patience_s=5) as one:
            await one.waitmap.live(RUN, 1, until)
        server.stop()
        server.start()
        assert server.do("PEXPIRETIME", f"{PREFIX}{RUN}") in {until, -2}
        async with open_redis(server.url(), clock=clock, name="one", patience_s=5) as one:
            assert await one.waitmap.where(RUN) in {Live(until), None}
            await clock.sleep_until(until)
            assert await one.waitmap.where(RUN) is None


async def test_connections_that_were_killed_are_opened_again(
    one: Opened, breakable: RedisServer
) -> None:
    await one.waitmap.parked(RUN, 1, frozenset({A}))
    breakable.do("CLIENT", "KILL", "TYPE", "normal")
    await one.waitmap.parked(RUN, 2, frozenset({A}))
    await answered(one.waitmap, ON_A)


async def test_who_is_paused_costs_a_moment_and_then_nothing(
    breakable: RedisServer, clock: CarriedClock
) -> None:
    loop = asyncio.get_running_loop()
    async with open_redis(breakable.url(), clock=clock, name="one") as one:
        await one.waitmap.parked(RUN, 1, frozenset({A}))
        await answered(one.waitmap, ON_A)
        breakable.do("CLIENT", "PAUSE", 4_000, "ALL")
        began = loop.time()
        answers = await asyncio.gather(*(one.waitmap.where(RUN) for _ in range(20)))
        assert 0.2 < loop.time() - began < 2
        began = loop.time()
        answers += [await one.waitmap.where(RUN) for _ in range(12)]
        assert loop.time() - began < 1.5  # to ask each time would take 3 s
        assert set(answers) == {None}
        assert one.link.failures >= 32
        await answered(one.waitmap, ON_A)
        assert one.link.trouble == ""


async def test_who_is_cut_off_leaves_no_answer_to_others(one: Opened, clock: CarriedClock) -> None:
    """As in CVE-2023-28858: an answer that nobody took must not be the next one's."""
    runs = [type(RUN)(f"run-{n}") for n in range(40)]
    for n, run_id in enumerate(runs):
        await one.waitmap.parked(run_id, 1, frozenset({StreamId(f"<{n}")}))
    for turns in range(6):
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(one.waitmap.where(run_id)) for run_id in runs]
            for _ in range(turns):
                await asyncio.sleep(0)
            for one_asked in asked[::2]:
                one_asked.cancel()
        for n, run_id in enumerate(runs):
            assert await one.waitmap.where(run_id) == On(frozenset({StreamId(f"<{n}")}))
