"""S2 takes no more for a while: what a worker asks for comes again, and no run ends by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from headrace.backends.memory import open_memory
from headrace.backends.s2 import open_s2
from headrace.errors import Throttled, Unavailable
from headrace.testing.clock import ManualClock
from headrace.wire.channel import Emit, Ended, Refusal
from tests.engine.house import DECLARED, House, opened
from tests.engine.worker import attached, emitted, sent
from tests.s2.rooms import HASTE, Chance
from tests.s2.standin import StandIn, failing


@dataclass(frozen=True, slots=True)
class Throttle:
    """S2, and what it takes."""

    fake: StandIn
    house: House

    def close(self) -> None:
        """Take nothing, for longer than anybody asks again."""
        self.fake.fail_next("append", *[failing(429, "rate_limited")] * 100)


@pytest.fixture
async def throttle(clock: ManualClock) -> AsyncIterator[Throttle]:
    fake = StandIn()
    async with fake.serving(), open_memory(clock) as near:
        url = f"s2://engines?endpoint={fake.url}"
        async with (
            open_s2(url, near, Chance(), patience=HASTE) as stores,
            opened(stores, clock) as house,
        ):
            await house.api.register(DECLARED)
            yield Throttle(fake, house)


async def test_what_lands_with_a_record_that_is_not_taken_comes_again(throttle: Throttle) -> None:
    house = throttle.house
    async with attached(house) as worker:
        job = await worker.job(await house.start())
        await house.rest()
        throttle.close()
        job.post(emitted(job, "/o#0"))
        job.step("/s#0")
        job.complete()
        refused = [await job.heard(Refusal) for _ in range(3)]
        assert {(said.key, said.code) for said in refused} == {
            ("/o#0", "unavailable"),
            ("/s#0", "unavailable"),
            ("", "unavailable"),
        }
        assert await house.status(job.run) == "EXECUTING"
        throttle.fake.heal()
        job.post(emitted(job, "/o#0"))
        await job.heard(Emit)
        job.complete()
        await job.heard(Ended)
        assert await house.status(job.run) == "COMPLETED"


async def test_a_send_that_is_not_taken_is_no_failure_but_asked_again(throttle: Throttle) -> None:
    house = throttle.house
    other = await house.start("strict")
    async with attached(house) as worker:
        job = await worker.job(await house.start())
        await house.rest()
        throttle.close()
        with pytest.raises(Throttled):
            await house.api.send(other, "notes", b"1")
        job.post(sent(job, "/m#0", other))
        assert (await job.heard(Refusal)).code == "unavailable"
        throttle.fake.heal()
        job.post(sent(job, "/m#0", other))
        assert (await job.told()).ending == "value"
        assert (await house.api.retrieve(other)).unread == {"notes": 1}


async def test_who_shares_a_commit_with_what_was_taken_is_not_told_that_nothing_was(
    throttle: Throttle,
) -> None:
    house, streams = throttle.house, ("notes", "orders")
    run = await house.start("strict")
    for stream in streams:
        await house.core.specs.stream(house.env, stream)
    throttle.fake.fail_next("append", None)
    throttle.close()
    sends = [house.api.send(run, stream, b"1", key=stream) for stream in streams]
    told = await asyncio.gather(*sends, return_exceptions=True)
    assert [type(error) for error in told] == [Unavailable] * 2
    throttle.fake.heal()
    again = [await house.api.send(run, stream, b"1", key=stream) for stream in streams]
    assert [receipt.duplicate for receipt in again] == [True, False]
