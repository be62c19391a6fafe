"""A wait that user code cancels: what landed is returned, what did not is recorded as cancelled."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from headrace.wire.channel import Completed, Left, Raised, Remembered, Standing, Yielded
from tests.sdk.branches import branch
from tests.sdk.played import (
    EPOCH_NO,
    RUN,
    Play,
    cancelled,
    entry_of,
    playing,
    step,
    take,
    wait,
)

seen: list[str] = []


@pytest.fixture(autouse=True)
def _clear() -> None:
    seen.clear()


async def reader() -> None:
    """Take a message, then be cancelled at the next await, or at once."""
    try:
        seen.append((await wait("x") or b"").decode())
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        seen.append("cancelled")
        raise


async def siblings() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(reader())
        group.create_task(failing())


async def failing() -> None:
    await wait("y")
    raise ValueError("sibling")


Y = take("2/y#0", b"0")


async def up_to_left(play: Play) -> None:
    assert [type(op) for op in (await play.posted())[:2]] == [Standing, Standing]
    play.tell(Y)
    assert await play.posted() == [Left(RUN, EPOCH_NO, "1/x#0")]
    assert seen == []


async def test_a_sibling_fails_and_nothing_had_landed() -> None:
    async with playing(siblings) as play:
        await up_to_left(play)
        play.tell(cancelled("1/x#0"))
        raised = await play.ended(Raised)
        assert seen == ["cancelled"]
        # Tried again by the next attempt: the cancelled wait alone, since a take came before it.
        assert (raised.undone, raised.seen) == (1, 2)


async def test_a_sibling_fails_and_a_message_had_landed() -> None:
    async with playing(siblings) as play:
        await up_to_left(play)
        play.tell(take("1/x#0", b"7"))
        raised = await play.ended(Raised)
        assert seen == ["7", "cancelled"]
        assert raised.undone is None


@pytest.mark.parametrize(
    ("entry", "expected"),
    [(cancelled("1/x#0"), ["cancelled"]), (take("1/x#0", b"7"), ["7", "cancelled"])],
)
async def test_replay_does_the_same(entry: object, expected: list[str]) -> None:
    async with playing(siblings, Y, entry) as play:  # type: ignore[arg-type]  # an entry
        raised = await play.ended(Raised)
        assert raised.cause.name == "ExceptionGroup"
        assert seen == expected


async def test_a_wait_asked_for_after_the_cancellation_is_not_put_to_the_server() -> None:
    async def twice() -> None:
        try:
            seen.append((await wait("x") or b"").decode())
            await wait("z")
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def flow() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(twice())
            group.create_task(failing())

    async with playing(flow) as play:
        await up_to_left(play)
        play.tell(take("1/x#0", b"7"))
        assert not [op for op in await play.posted() if isinstance(op, Standing)]
        assert seen == ["7", "cancelled"]


async def test_a_timeout_that_lost_to_a_message_leaves_no_cancellation_behind() -> None:
    async def flow() -> bytes:
        got = b"-"
        try:
            async with asyncio.timeout(0.01):
                got = await wait("x") or b""
        except TimeoutError:
            seen.append("timeout")
        await asyncio.sleep(0)
        await step("after")
        return got

    async with playing(flow) as play:
        left = await play.ended(Left)
        play.tell(take(left.key, b"7"))
        remembered = await play.ended(Remembered)
        play.echo(remembered.entry)
        assert (await play.ended(Completed)).output == b"7"
    assert seen == []


async def test_cancelling_twice_asks_once() -> None:
    async def flow() -> None:
        reading = branch(reader())
        await wait("y")
        reading.cancel()
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])

    async with playing(flow) as play:
        await play.posted()
        play.tell(take("y#0", b"1"))
        assert await play.posted() == [Left(RUN, EPOCH_NO, "1/x#0")]
        play.tell(cancelled("1/x#0"))
        assert await play.posted() == [Completed(RUN, EPOCH_NO, b"null")]
        assert seen == ["cancelled"]


async def test_a_step_that_is_cancelled_is_recorded_so() -> None:
    async def slow() -> bytes:
        seen.append("called")
        await asyncio.Event().wait()
        return b"1"

    async def flow() -> bytes:
        try:
            async with asyncio.timeout(0.01):
                await step("slow", slow)
        except TimeoutError:
            return b'"late"'
        return b'"done"'

    async with playing(flow) as play:
        entry = (await play.ended(Remembered)).entry
        assert (entry.key, entry.ending) == ("slow#0", "cancelled")
        play.echo(entry)
        assert (await play.ended(Completed)).output == b'"late"'
    async with playing(flow, entry_of("slow#0", "step", "cancelled", b"")) as replayed:
        assert (await replayed.ended(Completed)).output == b'"late"'
    assert seen == ["called"]


async def test_a_step_that_raises_a_cancellation_of_its_own_fails_with_it() -> None:
    async def effect() -> bytes:
        seen.append("called")
        raise asyncio.CancelledError

    async def flow() -> bytes:
        try:
            await step("odd", effect)
        except asyncio.CancelledError:
            return b'"caught"'
        return b'"done"'

    async with playing(flow) as play:
        entry = (await play.ended(Remembered)).entry
        assert (entry.key, entry.ending) == ("odd#0", "failure")
        play.echo(entry)
        assert (await play.ended(Completed)).output == b'"caught"'
    async with playing(flow, entry_of("odd#0", "step", "failure", entry.body)) as replayed:
        assert (await replayed.ended(Completed)).output == b'"caught"'
    assert seen == ["called"]


async def cancels_its_reader() -> None:
    reading = branch(reader())
    beside = branch(wait("z"))
    await wait("y")
    reading.cancel()
    await asyncio.wait([reading])
    await beside


@pytest.mark.parametrize("lands", [False, True])
async def test_a_wait_cancelled_while_answers_are_owed_is_left_in_the_record(lands: bool) -> None:  # noqa: FBT001
    # The first life died when it had cancelled the reader, and before that was recorded: the
    # wait may still stand at the server, where a message may find it.
    async with playing(cancels_its_reader, take("y#0", b"1"), take("2/z#0", b"2")) as play:
        posted = await play.posted()
        assert [type(op) for op in posted] == [Standing, Left]
        assert seen == []
        play.tell(take("1/x#0", b"7") if lands else cancelled("1/x#0"))
        assert await play.posted() == [Completed(RUN, EPOCH_NO, b"null")]
        assert seen == (["7", "cancelled"] if lands else ["cancelled"])


async def test_a_step_cancelled_while_answers_are_owed_is_not_called() -> None:
    async def effect() -> bytes:
        seen.append("called")
        return b"1"

    async def flow() -> None:
        working = branch(step("work", effect))
        beside = branch(wait("z"))
        await wait("y")
        working.cancel()
        await asyncio.wait([working])
        await beside

    async with playing(flow, take("y#0", b"1"), take("2/z#0", b"2")) as play:
        (remembered,) = await play.posted()
        assert isinstance(remembered, Remembered)
        assert (remembered.entry.key, remembered.entry.ending) == ("1/work#0", "cancelled")
        play.echo(remembered.entry)
        assert await play.posted() == [Completed(RUN, EPOCH_NO, b"null")]
        assert seen == []


async def test_told_to_stop_the_task_may_clean_up_and_waits_no_more() -> None:
    async def flow() -> None:
        try:
            await wait("x")
        except asyncio.CancelledError:
            seen.append("stopped")
            try:
                await wait("y")
            except asyncio.CancelledError:
                seen.append("again")
            await step("undo")
            raise

    async with playing(flow) as play:
        await play.posted()
        play.stop()
        assert await play.posted() == [Left(RUN, EPOCH_NO, "x#0")]
        play.tell(cancelled("x#0"))
        (remembered,) = await play.posted()
        assert isinstance(remembered, Remembered)
        assert seen == ["stopped", "again"]
        play.echo(remembered.entry)
        assert await play.posted() == [Yielded(RUN, EPOCH_NO)]
    seen.clear()
    async with playing(flow, cancelled("x#0"), entry_of("undo#0"), stopping=True) as replayed:
        assert await replayed.posted() == [Yielded(RUN, EPOCH_NO)]
        assert seen == ["stopped", "again"]


async def sleeping() -> None:
    await step("a")
    try:
        await asyncio.sleep(3_600)
    finally:
        await step("undo")


@pytest.mark.parametrize("undone", [False, True])
async def test_told_to_stop_while_it_slept_the_replay_is_stopped_there_too(undone: bool) -> None:  # noqa: FBT001
    entries = [entry_of("a#0"), *([entry_of("undo#0")] if undone else [])]
    async with playing(sleeping, *entries, stopping=True) as play:
        if not undone:
            entry = (await play.ended(Remembered)).entry
            assert entry.key == "undo#0"
            play.echo(entry)
        assert await play.ended(Yielded) == Yielded(RUN, EPOCH_NO)


@pytest.mark.parametrize("pushed", [False, True])
async def test_told_to_stop_before_the_first_line_the_task_still_ends(pushed: bool) -> None:  # noqa: FBT001
    async with playing(reader, stopping=not pushed) as play:
        if pushed:
            play.stop()
        posted = await play.posted()
        assert [type(op) for op in posted] == [Standing, Left]
        play.tell(cancelled("x#0"))
        assert await play.posted() == [Yielded(RUN, EPOCH_NO)]


async def test_a_stop_that_finds_a_value_gives_the_value_first() -> None:
    async def flow() -> None:
        await reader()

    async with playing(flow) as play:
        await play.posted()
        play.stop()
        await play.posted()
        play.tell(take("x#0", b"7"))
        assert await play.posted() == [Yielded(RUN, EPOCH_NO)]
        assert seen == ["7", "cancelled"]


async def test_what_a_stopping_server_refuses_ends_as_cancelled() -> None:
    async with playing(reader) as play:
        await play.posted()
        play.refuse("x#0", "stopping")
        (remembered,) = await play.posted()
        assert isinstance(remembered, Remembered)
        assert (remembered.entry.key, remembered.entry.ending) == ("x#0", "cancelled")
        play.echo(remembered.entry)
        assert await play.posted() == [Yielded(RUN, EPOCH_NO)]


async def test_a_wait_in_a_closed_generator_is_given_up() -> None:
    async def flow() -> None:
        async def messages() -> AsyncGenerator[bytes | None]:
            yield await wait("x")

        async def hear() -> None:
            async with aclosing(messages()) as listening:
                await anext(listening)

        waiting = branch(hear())
        await wait("y")
        waiting.cancel()
        await asyncio.wait([waiting])

    async with playing(flow) as play:
        await play.posted()
        play.tell(take("y#0", b"1"))
        assert await play.posted() == [Left(RUN, EPOCH_NO, "1/x#0")]
        play.tell(cancelled("1/x#0"))
        assert await play.posted() == [Completed(RUN, EPOCH_NO, b"null")]
