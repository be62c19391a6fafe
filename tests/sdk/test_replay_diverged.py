"""Code that no longer fits its journal blocks the run and shows both; it never guesses."""

import asyncio
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from headrace.kernel.model import inward
from headrace.sdk.execution import require
from headrace.sdk.execution_life import Manner
from headrace.wire.channel import Blocked, Completed, Left, Raised, Standing
from tests.sdk.branches import branch
from tests.sdk.played import Flow, cancelled, entry_of, once, playing, sleep, step, take, wait


async def blocked(flow: Flow, *entries: object, manner: Manner = Manner()) -> str:  # noqa: B008
    async with playing(flow, *entries, manner=manner) as play:  # type: ignore[arg-type]  # entries
        return (await play.ended(Blocked)).cause.message


async def test_another_kind_under_the_same_key() -> None:
    async def flow() -> None:
        await step("draft")

    message = await blocked(flow, entry_of("draft#0", "timer", line="old.py:3"))
    assert "-timer draft#0  at old.py:3\n+step draft#0  at flow.py:draft" in message
    assert "Put back the code" in message


async def test_a_step_was_inserted() -> None:
    calls: list[str] = []

    async def effect() -> bytes:
        calls.append("audit")
        return b"1"

    async def flow() -> None:
        await step("audit", effect)
        await step("email")

    message = await blocked(flow, entry_of("email#0", line="old.py:9"))
    assert "-step email#0  at old.py:9\n+step audit#0  at flow.py:audit" in message
    assert calls == [], "nothing new is done before the record has been followed"


async def test_a_wait_was_removed() -> None:
    async def flow() -> None:
        await step("email")

    message = await blocked(flow, take("x#0", b"1"), entry_of("email#0"))
    assert "-take x#0\n+step email#0" in message


async def test_the_task_returned_before_all_was_told() -> None:
    async def flow() -> None:
        pass

    assert "+(the task returned)" in await blocked(flow, take("x#0", b"1"))


async def test_no_except_can_hold_on_to_a_run_that_is_blocked() -> None:
    async def flow() -> None:
        while True:
            with suppress(Exception):
                await step("draft")

    assert "timer draft#0" in await blocked(flow, entry_of("draft#0", "timer"))


@pytest.mark.parametrize("how", ["gather", "group", "wait", "task"])
async def test_a_stall_is_seen_through_branches(how: str) -> None:
    async def branches() -> None:
        if how == "gather":
            await asyncio.gather(wait("new"), wait("x"))
        elif how == "group":
            async with asyncio.TaskGroup() as group:
                group.create_task(wait("new"))
                group.create_task(wait("x"))
        elif how == "wait":
            await asyncio.wait([branch(wait("new"))])
        else:
            await branch(wait("new"))

    message = await blocked(branches, take("1/x#0", b"1"))
    assert "-take 1/x#0" in message
    assert "+take 1/new#0  at flow.py:new" in message


async def test_a_plain_await_may_still_lead_to_the_recorded_question() -> None:
    arrived = asyncio.Event()

    async def flow() -> bytes:
        async def beside() -> bytes | None:
            return await wait("new")

        asking = branch(beside())
        await arrived.wait()
        got = await step("email", b"2")
        asking.cancel()
        return got

    async with playing(flow, entry_of("email#0", body=b"2")) as play:
        assert await play.posted() == []
        arrived.set()
        assert [type(op) for op in await play.posted()] == [Standing, Left]
        play.tell(cancelled("1/new#0"))
        assert await play.posted() == [Completed("run_1", 7, b"2")]


async def test_a_running_timer_of_the_event_loop_is_no_stall() -> None:
    async def flow() -> bytes:
        try:
            async with asyncio.timeout(0.01):
                await wait("x")
        except TimeoutError:
            return await step("late", b"3")
        return b"0"

    async with playing(flow, cancelled("x#0"), entry_of("late#0", body=b"3")) as play:
        assert (await play.ended(Completed)).output == b"3"


async def test_a_cancelled_wait_that_nobody_cancels_again_is_a_stall() -> None:
    async def flow() -> None:
        await wait("x")

    assert "-take x#0" in await blocked(flow, cancelled("x#0"))


async def test_an_error_during_replay_ends_the_attempt_and_blocks_nothing() -> None:
    async def flow() -> None:
        raise OSError("the disk is full")

    async with playing(flow, take("x#0", b"1")) as play:
        assert (await play.ended(Raised)).cause.message == "the disk is full"


async def test_other_arguments_warn_or_block() -> None:
    async def flow() -> bytes:
        return await step("draft", b"2", fingerprint="new")

    entry = entry_of("draft#0", body=b"7", fingerprint="old", line="old.py:1")
    with capture_logs() as logs:
        async with playing(flow, entry) as play:
            assert (await play.ended(Completed)).output == b"7"
    assert [log["key"] for log in logs if log["log_level"] == "warning"] == ["draft#0"]
    message = await blocked(flow, entry, manner=Manner(strict=True))
    assert "-old  at old.py:1\n+new  at flow.py:draft" in message


async def test_a_stall_is_seen_beside_waits_that_keep_the_process() -> None:
    async def flow() -> None:
        await asyncio.gather(once("new"), sleep(5))

    assert "-take 3/x#0" in await blocked(flow, take("3/x#0", b"1"))


async def test_a_peek_has_a_kind_as_well() -> None:
    async def flow() -> None:
        require("test").peek(inward("x"), line="flow.py:4")

    assert "+peek peek:x#0  at flow.py:4" in await blocked(flow, entry_of("peek:x#0"))


async def test_a_blocked_run_posts_nothing_more() -> None:
    async def flow() -> None:
        try:
            await step("draft")
        finally:
            await wait("x")

    async with playing(flow, entry_of("draft#0", "timer")) as play:
        posted = await play.posted()
        assert [type(op) for op in posted] == [Blocked]
        assert not any(isinstance(op, Standing) for op in await play.posted())
