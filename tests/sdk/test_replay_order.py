"""Answers come in recorded order, one at a time, when the code rests: live as on replay."""

import asyncio
import gc
from collections.abc import Sequence

import pytest

from headrace.kernel.model import Entry
from headrace.sdk.execution import require
from headrace.sdk.execution_pulse import REST_TICKS, RESTLESS_TICKS
from headrace.wire.channel import Completed, Operation, Remembered, Standing
from tests.sdk.branches import branch
from tests.sdk.played import Play, entry_of, playing, step, take, wait


def asked(posted: Sequence[Operation]) -> list[str]:
    return [op.key for op in posted if isinstance(op, Standing)]


async def first_done() -> bytes:
    """Say which of two waits was seen to end first, and whether it was alone."""
    one, two = branch(wait("x")), branch(wait("y"))
    done, _ = await asyncio.wait({one, two}, return_when=asyncio.FIRST_COMPLETED)
    names = sorted("x" if task is one else "y" for task in done)
    await asyncio.gather(one, two)
    return f'"{"".join(names)}"'.encode()


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("winner", ["1/x#0", "2/y#0"])
async def test_the_recorded_winner_wins_again(winner: str, frames: int) -> None:
    loser = "2/y#0" if winner == "1/x#0" else "1/x#0"
    entries = take(winner, b"1"), take(loser, b"2")
    expected = f'"{winner[2]}"'.encode()
    async with playing(first_done) as live:
        await live.posted()
        if frames == 1:
            live.tell(*entries)
        else:  # the second comes while the code moves
            live.tell(entries[0])
            live.tell(entries[1])
        assert (await live.ended(Completed)).output == expected
    async with playing(first_done, *entries) as replayed:
        assert (await replayed.ended(Completed)).output == expected


async def nested() -> bytes:
    """The same, with the news passing through futures in which no task is seen to move."""

    async def inner(stream: str) -> str:
        await asyncio.gather(asyncio.gather(asyncio.shield(asyncio.gather(wait(stream)))))
        return stream

    one, two = branch(inner("x")), branch(inner("y"))
    done, _ = await asyncio.wait({one, two}, return_when=asyncio.FIRST_COMPLETED)
    winners = b"".join(sorted(task.result().encode() for task in done))
    await asyncio.gather(one, two)
    return b'"%b"' % winners


async def test_news_may_pass_through_as_many_futures_as_count_as_rest() -> None:
    async with playing(nested) as live:
        keys = asked(await live.posted())
        entries = [take(key, b"1") for key in keys]
        live.tell(entries[0])
        await live.posted()
        live.tell(entries[1])
        slow = (await live.ended(Completed)).output
    assert len(slow) == 3
    for known in ([], entries):
        async with playing(nested, *known) as quick:
            if not known:
                await quick.posted()
                quick.tell(*entries)
            assert (await quick.ended(Completed)).output == slow


async def test_a_new_question_waits_until_all_that_is_owed_has_been_told() -> None:
    calls: list[str] = []

    async def effect() -> bytes:
        calls.append("new")
        return b"1"

    async def flow() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(step("new", effect))  # was under way when the worker died
            group.create_task(_one_after_another())

    async def _one_after_another() -> None:
        calls.append((await wait("x") or b"").decode())
        calls.append((await wait("x") or b"").decode())

    async with playing(flow, take("2/x#0", b"1"), take("2/x#1", b"2", 1)) as play:
        posted = await play.posted()
        assert [op.entry.key for op in posted if isinstance(op, Remembered)] == ["1/new#0"]
        assert calls == ["1", "2", "new"]


async def test_what_was_answered_before_it_is_asked_is_told_when_it_is() -> None:
    # A durable wait of an earlier life is answered while the next one is on its way to it.
    async def flow() -> bytes:
        await step("first")
        return await wait("x") or b"-"

    async with playing(flow, entry_of("first#0")) as play:
        play.tell(take("x#0", b"5"))
        assert (await play.ended(Completed)).output == b"5"


async def test_entries_told_twice_count_once() -> None:
    async def flow() -> bytes:
        return (await wait("x") or b"") + (await wait("x") or b"")

    first, second = take("x#0", b"1"), take("x#1", b"2", 1)
    async with playing(flow) as play:
        await play.posted()
        play.tell(first)
        await play.posted()
        play.next_n = 0  # the server says it all again, after a reconnect
        play.tell(first, second)
        assert (await play.ended(Completed)).output == b"12"


async def test_a_branch_that_polls_keeps_no_other_from_its_answer() -> None:
    answers: list[bytes | None] = []

    async def flow() -> None:
        async def asks() -> None:
            answers.append(await wait("x"))

        asking = branch(asks())
        while not answers:  # noqa: ASYNC110 - code that polls is what this is about
            await asyncio.sleep(0)
        await asking

    async with playing(flow) as play:
        await play.posted()
        play.tell(take("1/x#0", b"1"))
        for _ in range(RESTLESS_TICKS // 50 + 1):
            await play.frames()
        assert answers == [b"1"]


async def test_a_long_journal_leaves_the_event_loop_to_others() -> None:
    turns = 0

    async def flow() -> None:
        for _ in range(2_000):
            await step("s")

    async with playing(flow, *(entry_of(f"s#{n}") for n in range(2_000))) as play:
        while not play.wire.frames:
            turns += 1
            await asyncio.sleep(0)
        assert await play.posted() == [Completed("run_1", 7, b"null")]
    assert 2_000 // 256 <= turns <= 2_000 // 256 * (REST_TICKS + 4)


async def test_a_told_answer_is_kept_no_longer() -> None:
    async def flow() -> None:
        await wait("x")
        await wait("x")

    async with playing(flow, take("x#0", b"1" * 10_000)) as play:
        await play.posted()
        assert kept(play) == 0
        play.tell(take("x#1", b"2" * 10_000, 1))
        await play.posted()
        assert kept(play) == 0


def kept(play: Play) -> int:
    """Count the answers that the journal still holds."""
    tables = gc.get_referents(play.life.replay.journal.__dict__)
    return sum(isinstance(one, Entry) for table in tables for one in gc.get_referents(table))


async def test_replay_is_seen_by_the_code() -> None:
    seen: list[bool] = []

    async def flow() -> None:
        run = require("test")
        seen.append(run.is_replaying)
        await step("a")
        seen.append(run.is_replaying)
        await wait("x")

    async with playing(flow, entry_of("a#0")) as play:
        await play.posted()
        assert seen == [True, False]


async def test_as_completed_sees_the_same_order() -> None:
    async def flow() -> bytes:
        # Tasks, not coroutines: `as_completed` would start those in the order of a set.
        waits = [branch(wait(stream)) for stream in "xyz"]
        got = [await one or b"" for one in asyncio.as_completed(waits)]
        return b'"%b"' % b"".join(got)

    entries = [take(key, key[2:3].encode()) for key in ("3/z#0", "1/x#0", "2/y#0")]
    async with playing(flow) as live:
        await live.posted()
        live.tell(*entries)
        assert (await live.ended(Completed)).output == b'"zxy"'
    async with playing(flow, *entries) as replayed:
        assert (await replayed.ended(Completed)).output == b'"zxy"'


async def test_an_idle_run_is_told_at_once() -> None:
    async def flow() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(wait("x"))
            group.create_task(wait("y"))

    async with playing(flow) as play:
        await play.posted()
        assert play.life.replay.pulse.is_settled
        play.tell(take("1/x#0", b"1"))
        await asyncio.sleep(0)
        assert not play.life.replay.pulse.is_settled, "told without waiting for more rest"
