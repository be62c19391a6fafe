"""How a token of a stream has been seen by one server, it is seen by all of them, for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from headrace.kernel.model import Instant, WaitpointId
from headrace.ports import Waitpoints
from headrace.testing.clock import ManualClock
from headrace.wire.tokenviews import StreamTokenOrder, TokenQuery, TokenView
from tests.engine.gates import Gates, gated
from tests.engine.house import DECLARED, House, opened
from tests.servers.town import Site

IN_A_SECOND = StreamTokenOrder(stream_id="notes", timeout="1s")


@dataclass(slots=True)
class Settling:
    """A `Waitpoints` port that settles nothing before it may."""

    inner: Waitpoints
    may: asyncio.Event = field(default_factory=asyncio.Event)
    count: int = 0

    def __getattr__(self, verb: str) -> Callable[..., object]:
        call: Callable[..., object] = getattr(self.inner, verb)
        return call

    async def settle(self, waitpoint: WaitpointId, came: Instant) -> Instant:
        """Write it down, once that may be done."""
        self.count += 1
        await self.may.wait()
        return await self.inner.settle(waitpoint, came)


@dataclass(frozen=True, slots=True)
class Two:
    """`there` the message is sent; `here` settles what it sees once it may."""

    here: House
    there: House
    settling: Settling
    gates: Gates

    def pass_time(self, ms: int, *, behind_ms: int = 0) -> None:
        """Let time pass; the clock of the other server may stay behind."""
        self.here.clock.advance(ms)
        self.there.clock.advance(ms - behind_ms)

    async def late(self, run: str, token: str, *, behind_ms: int = 0) -> str:
        """Have a message decided in time, and written once `here` has looked."""
        self.gates.may_write.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.there.api.send(run, "notes", b"1"))
            await self.there.until(lambda: self.gates.held_up == 1)
            self.pass_time(1_000, behind_ms=behind_ms)
            seen = (await self.here.api.retrieve_token(token)).status
            self.gates.may_write.set()
        return seen


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the database is."""
    if request.param == "sqlite":
        return str(tmp_path / "headrace.db")
    return str(request.getfixturevalue("database"))


@pytest.fixture
async def two(place: str) -> AsyncGenerator[Two]:
    clock, other = ManualClock(), ManualClock()
    async with Site(clock, place).stores() as near, Site(other, place).stores() as far:
        settling = Settling(near.waitpoints)
        settling.may.set()
        seen = replace(near, waitpoints=settling)  # type: ignore[arg-type]  # it stands for one
        behind, gates = gated(far)
        async with (
            opened(seen, clock, "here") as here,
            opened(behind, other, "there") as there,
        ):
            await here.api.register(DECLARED)
            await here.rest()
            try:
                yield Two(here, there, settling, gates)
            finally:
                settling.may.set()
                gates.may_write.set()


async def _made(house: House) -> tuple[str, str]:
    run = await house.start()
    return run, (await house.api.token_of_stream(run, IN_A_SECOND)).waitpoint_id


async def _seen(house: House, token: str) -> TokenView:
    (listed,) = (await house.api.list_tokens(TokenQuery())).data
    view = await house.api.retrieve_token(token)
    assert listed.status == view.status
    return view


async def test_what_one_server_has_seen_timed_out_is_never_completed(two: Two) -> None:
    run, token = await _made(two.here)
    assert await two.late(run, token) == "TIMED_OUT"
    for house in (two.there, two.here):
        view = await _seen(house, token)
        assert (view.status, "1" in str(view.output)) == ("TIMED_OUT", False)


async def test_what_one_server_has_seen_completed_never_times_out(two: Two) -> None:
    run, token = await _made(two.here)
    two.settling.may.clear()
    two.gates.may_write.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(two.there.api.send(run, "notes", b"1"))
        await two.there.until(lambda: two.gates.held_up == 1)
        two.pass_time(1_000)
        seen = group.create_task(two.here.api.retrieve_token(token))
        await two.here.until(lambda: two.settling.count == 1)  # it has found no message
        two.gates.may_write.set()
        await two.there.rest()
        first = await two.there.api.retrieve_token(token)
        two.settling.may.set()
    assert (first.status, first.output) == ("COMPLETED", "1")
    assert seen.result() == first
    for house in (two.there, two.here):
        assert await _seen(house, token) == first


async def test_what_is_seen_long_before_the_deadline_costs_no_write(two: Two) -> None:
    run, token = await _made(two.here)
    assert (await two.here.api.retrieve_token(token)).status == "WAITING"
    await two.there.api.send(run, "notes", b"1")
    assert (await two.here.api.retrieve_token(token)).status == "COMPLETED"
    assert two.settling.count == 0
    two.pass_time(1_000)
    for _ in range(3):
        assert (await two.here.api.retrieve_token(token)).status == "COMPLETED"
    known = await two.here.stores.waitpoints.load(WaitpointId(token))
    assert known is not None
    assert (two.settling.count, known.came) == (1, two.here.clock.now() - 1_000)


async def test_a_server_whose_clock_is_behind_sees_the_same(two: Two) -> None:
    run, token = await _made(two.here)
    assert await two.late(run, token, behind_ms=100) == "TIMED_OUT"
    assert (await _seen(two.there, token)).status == "TIMED_OUT"
