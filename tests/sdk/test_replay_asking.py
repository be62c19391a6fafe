"""What a run posts when, and how it goes on: one life at a time, message by message."""

import asyncio

from headrace.errors import BadValue
from headrace.kernel.model import inward
from headrace.sdk.execution import require
from headrace.wire.channel import Completed, Left, Parked, Remembered, Standing
from tests.sdk.played import EPOCH_NO, RUN, entry_of, once, playing, sleep, step, take, wait


def standing(key: str, stream: str, timeout_ms: int = -1, *, seen: int = 0) -> Standing:
    return Standing(
        RUN,
        EPOCH_NO,
        key,
        stream,
        timeout_ms=timeout_ms,
        held=timeout_ms >= 0,
        line=f"flow.py:{stream or 'sleep'}",
        seen=seen,
    )


async def test_the_last_wait_and_the_word_that_the_run_waits_share_a_frame() -> None:
    async def flow() -> bytes:
        first, second = await asyncio.gather(wait("x"), wait("y", 500))
        return b"[%b,%b]" % (first or b"-", second or b"-")

    async with playing(flow) as play:
        assert await play.frames() == [
            [standing("1/x#0", "x"), standing("2/y#0", "y", 500), Parked(RUN, EPOCH_NO, 0)]
        ]
        play.tell(take("2/y#0", b"2"))
        # One branch has ended, the other still stands: the run waits again, one entry later.
        assert await play.posted() == [Parked(RUN, EPOCH_NO, 1)]
        play.tell(take("1/x#0", b"1"))
        assert await play.posted() == [Completed(RUN, EPOCH_NO, b"[1,2]")]


async def test_a_step_is_remembered_before_its_result_is_seen() -> None:
    seen: list[bytes] = []

    async def flow() -> None:
        seen.append(await step("draft", b"7"))

    async with playing(flow) as play:
        (remembered,) = await play.posted()
        assert isinstance(remembered, Remembered)
        entry = remembered.entry
        assert (entry.key, entry.kind, entry.ending, entry.body) == (
            "draft#0",
            "step",
            "value",
            b"7",
        )
        assert seen == []
        play.echo(entry)
        assert await play.posted() == [Completed(RUN, EPOCH_NO, b"null")]
        assert seen == [b"7"]


async def test_a_recorded_step_is_not_called_again() -> None:
    calls: list[str] = []

    async def effect() -> bytes:
        calls.append("called")
        return b"8"

    async def flow() -> bytes:
        return await step("draft", effect)

    async with playing(flow, entry_of("draft#0", body=b"7")) as play:
        assert await play.posted() == [Completed(RUN, EPOCH_NO, b"7")]
        assert calls == []


async def test_once_keeps_the_run_executing_and_names_no_deadline() -> None:
    async def flow() -> bytes | None:
        return await once("x")

    async with playing(flow) as play:
        assert await play.frames() == [[standing("x#0", "x")]]


async def test_a_timeout_gives_none_and_a_sleep_ends_by_its_value() -> None:
    async def flow() -> bytes:
        assert await wait("x", 100) is None
        await sleep(50)
        return b'"late"'

    async with playing(flow) as play:
        assert await play.posted() == [standing("x#0", "x", 100), Parked(RUN, EPOCH_NO, 0)]
        play.tell(entry_of("x#0", "take", "timeout", b"", deadline=100))
        assert await play.posted() == [
            standing("sleep#0", "", 50, seen=1),
            Parked(RUN, EPOCH_NO, 1),
        ]
        play.tell(entry_of("sleep#0", "timer", "value", b""))
        assert await play.posted() == [Completed(RUN, EPOCH_NO, b'"late"')]


async def test_scopes_do_not_depend_on_who_runs_first() -> None:
    async def late(stream: str, rounds: int) -> None:
        for _ in range(rounds):
            await asyncio.sleep(0)
        await wait(stream)
        await wait(stream)

    async def flow() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(late("x", 3))
            group.create_task(late("x", 0))
        await wait("x")

    async with playing(flow) as play:
        keys = {op.key for op in await play.posted() if isinstance(op, Standing)}
        assert keys == {"1/x#0", "2/x#0"}
        play.tell(take("2/x#0", b"1"), take("1/x#0", b"1", 1))
        keys = {op.key for op in await play.posted() if isinstance(op, Standing)}
        assert keys == {"1/x#1", "2/x#1"}
        play.tell(take("1/x#1", b"1", 2), take("2/x#1", b"1", 3))
        keys = {op.key for op in await play.posted() if isinstance(op, Standing)}
        assert keys == {"x#0"}


async def test_tasks_that_a_step_makes_do_not_count() -> None:
    async def effect() -> bytes:
        await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))
        return b"1"

    async def flow() -> None:
        await step("draft", effect)
        await asyncio.gather(wait("x"))

    async with playing(flow, entry_of("draft#0")) as replayed:
        assert standing("1/x#0", "x", seen=1) in await replayed.posted()
    async with playing(flow) as live:
        (remembered,) = await live.posted()
        assert isinstance(remembered, Remembered)
        live.echo(remembered.entry)
        assert standing("1/x#0", "x", seen=1) in await live.posted()


async def test_a_rejected_value_is_noted_and_the_wait_goes_on_with_its_deadline() -> None:
    async def flow() -> bytes:
        return await _picky()

    async with playing(flow) as play:
        assert await play.posted() == [standing("x#0", "x", 900), Parked(RUN, EPOCH_NO, 0)]
        play.tell(take("x#0", b'"bad"', 0, deadline=5_000))
        rejected, again, *_ = await play.posted()
        assert isinstance(rejected, Remembered)
        entry = rejected.entry
        assert (entry.key, entry.kind, entry.seq) == ("x#0!", "rejected", 0)
        assert isinstance(again, Standing)
        assert (again.key, again.until, again.timeout_ms, again.held) == ("x#0~1", 5_000, -1, True)
        play.echo(entry)
        play.tell(take("x#0~1", b"4", 1, deadline=5_000))
        assert await play.ended(Completed) == Completed(RUN, EPOCH_NO, b"4")


async def test_what_was_rejected_once_stays_so_even_if_it_would_fit_now() -> None:
    async def flow() -> bytes:
        return await wait("x") or b"-"

    was = take("x#0", b"3"), entry_of("x#0!", "rejected", body=b'{"message":"too small"}')
    async with playing(flow, *was) as play:
        posted = await play.posted()
        assert [op.key for op in posted if isinstance(op, Standing)] == ["x#0~1"]


async def _picky() -> bytes:
    def fits(body: bytes) -> bytes:
        if body == b'"bad"':
            raise BadValue("no number")
        return body

    taken = await require("take").take(
        inward("x"),
        "x",
        fits=fits,
        timeout_ms=900,
        until=None,
        parks=True,
        line="flow.py:x",
    )
    assert taken is not None
    return taken.value


async def test_a_wait_that_ends_by_asyncio_timeout_is_left_before_the_code_goes_on() -> None:
    caught: list[str] = []

    async def flow() -> None:
        try:
            async with asyncio.timeout(0):
                await wait("x")
        except TimeoutError:
            caught.append("timeout")

    async with playing(flow) as play:
        assert await play.posted() == [standing("x#0", "x"), Left(RUN, EPOCH_NO, "x#0")]
        assert caught == []
        play.tell(entry_of("x#0", "take", "cancelled", b""))
        assert await play.posted() == [Completed(RUN, EPOCH_NO, b"null")]
        assert caught == ["timeout"]
