"""A run that this worker executes no more: its code ends, and nothing that it does counts."""

import asyncio

from headrace.kernel.model import inward, outward
from headrace.sdk.execution import Abandoned, require
from headrace.sdk.execution_gate import REFUSALS_AT_MOST
from headrace.sdk.execution_life import Manner
from headrace.wire.channel import Emitted, Parked, Released, Standing
from tests.sdk.played import EPOCH_NO, RUN, Play, entry_of, playing, step, take, wait


async def dropped(play: Play) -> None:
    await play.posted()
    play.life.drop()
    assert await play.posted() == []
    assert not play.life.crew.members


async def test_finally_runs_and_its_durable_calls_do_not() -> None:
    seen: list[str] = []

    async def flow() -> None:
        try:
            await wait("x")
        except Exception:  # noqa: BLE001 - as users write it
            seen.append("never")
        finally:
            seen.append("plain")
            try:
                require("note").note("state", b"1")
            except Abandoned:
                seen.append("no note")
            await step("undo")
            seen.append("never")

    async with playing(flow) as play:
        await dropped(play)
    assert seen == ["plain", "no note"]


async def test_branches_groups_and_handlers_end_too() -> None:
    ended: list[str] = []

    async def branch(name: str) -> None:
        try:
            await wait(name)
        finally:
            ended.append(name)

    async def handle(_body: bytes) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("handler")

    async def flow() -> None:
        require("on").listen(inward("calls"), handle, line="flow.py:1")
        async with asyncio.TaskGroup() as group:
            group.create_task(branch("x"))
            await asyncio.gather(branch("y"), asyncio.Event().wait())

    async with playing(flow) as play:
        await play.posted()
        play.tell(take("on:calls#0/0", b"1"))
        await dropped(play)
    assert sorted(ended) == ["handler", "x", "y"]


async def test_code_that_swallows_everything_cannot_stop_the_worker() -> None:
    rounds = 0
    is_over = False

    async def flow() -> None:
        nonlocal rounds
        while not is_over:
            try:
                await wait("x")
            except BaseException:  # noqa: BLE001 - as some users write it
                rounds += 1

    async with playing(flow) as play:
        await play.posted()
        play.life.drop()
        await play.posted()
        assert rounds == REFUSALS_AT_MOST
        is_over = True
        (held,) = play.life.crew.members
        held.cancel()


async def test_a_run_that_was_given_back_is_left_as_it_stands() -> None:
    seen: list[str] = []

    async def flow() -> None:
        try:
            await wait("x")
        finally:
            seen.append("finally")

    async with playing(flow) as play:
        await play.posted()
        play.life.release()
        assert await play.posted() == [Released(RUN, EPOCH_NO)]
        play.tell(take("x#0", b"1"))
        assert await play.posted() == []
        assert seen == []


async def test_what_was_under_way_is_not_posted_after_the_run_was_given_back() -> None:
    go_on = asyncio.Event()

    async def effect() -> bytes:
        await go_on.wait()
        return b"1"

    async def flow() -> None:
        await step("slow", effect)

    async with playing(flow) as play:
        await play.posted()
        play.life.release()
        await play.posted()
        go_on.set()
        assert await play.posted() == []


async def test_replay_at_every_wait_gives_the_run_back_in_the_frame_that_parks_it() -> None:
    async def flow() -> None:
        await step("a")
        await wait("x")

    async with playing(flow, entry_of("a#0"), manner=Manner(evicts=True)) as play:
        (frame,) = await play.frames()
        assert [type(op) for op in frame] == [Standing, Parked, Released]


async def test_an_append_under_way_ends_with_the_run() -> None:
    seen: list[str] = []

    async def flow() -> None:
        try:
            await require("emit").emit(outward("tokens"), b"1", line="flow.py:1")
        except BaseException:
            seen.append("ended")
            raise

    async with playing(flow) as play:
        assert [type(op) for op in await play.posted()] == [Emitted]
        play.life.drop()
        await play.posted()
    assert seen == ["ended"]
