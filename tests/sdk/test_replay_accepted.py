"""Code that differs from its journal, where somebody has accepted that it does."""

import asyncio

import pytest

from headrace.kernel.journal import inserting, skipping
from headrace.kernel.model import Entry, Gap, Key
from headrace.sdk.execution_life import Manner
from headrace.wire.channel import (
    Blocked,
    Completed,
    Left,
    Parked,
    Raised,
    Remembered,
    Standing,
    Yielded,
)
from tests.sdk.played import (
    EPOCH_NO,
    RUN,
    Flow,
    Play,
    cancelled,
    entry_of,
    once,
    playing,
    step,
    take,
    wait,
)


def insert(key: str) -> Entry:
    return inserting(Key(key))


def skip(key: str) -> Entry:
    return skipping(entry_of(key))


async def gap(flow: Flow, *entries: Entry) -> Gap | None:
    async with playing(flow, *entries) as play:
        return (await play.ended(Blocked)).gap


async def result(flow: Flow, *entries: Entry) -> bytes:
    async with playing(flow, *entries) as play:
        return (await play.ended(Completed)).output


async def remembers(play: Play) -> str:
    """Return the key of the step that has been called, and tell it that its result is durable."""
    (remembered,) = await play.posted()
    assert isinstance(remembered, Remembered)
    play.echo(remembered.entry)
    return remembered.entry.key


# --- the gap that is shown ------------------------------------------------------------------------


async def test_a_block_says_what_could_be_accepted() -> None:
    async def flow() -> None:
        await step("audit")
        await step("email")

    assert await gap(flow, entry_of("email#0")) == Gap(0, (Key("audit#0"),))
    assert await gap(step_c, entry_of("a#0"), entry_of("b#0")) == Gap(0, (Key("c#0"),))


async def step_c() -> None:
    await step("c")


async def test_another_kind_under_the_same_key_cannot_be_accepted() -> None:
    assert await gap(step_c, entry_of("c#0", "timer")) is None


async def test_what_is_asked_too_early_could_be_accepted_as_well() -> None:
    async def flow() -> None:
        await step("b")
        await step("a")

    assert await gap(flow, entry_of("a#0"), entry_of("b#0")) == Gap(0, (Key("b#0"),))


# --- inserted -------------------------------------------------------------------------------


async def audited() -> bytes:
    return await step("audit", b"7") + await step("email") + (await wait("x") or b"")


async def test_an_inserted_step_is_called_before_what_is_recorded_behind_it() -> None:
    async with playing(audited, entry_of("email#0", body=b"2"), insert("audit#0")) as play:
        assert await remembers(play) == "audit#0"
        posted = await play.posted()
        assert [type(op) for op in posted] == [Standing, Parked]
        play.tell(take("x#0", b"3"))
        assert (await play.ended(Completed)).output == b"723"


async def test_in_a_later_life_an_inserted_step_is_not_called_again() -> None:
    entries = (entry_of("email#0", body=b"2"), insert("audit#0"), entry_of("audit#0", body=b"8"))
    assert await result(audited, *entries, take("x#0", b"3")) == b"823"


async def test_a_new_step_behind_an_inserted_one_waits_for_all_that_is_recorded() -> None:
    calls: list[str] = []

    async def effect() -> bytes:
        calls.append("another")
        return b"1"

    async def flow() -> None:
        await step("audit")
        await step("another", effect)
        await step("email")

    entries = (entry_of("email#0"), insert("audit#0"))
    async with playing(flow, *entries) as play:
        await remembers(play)
        blocked = await play.ended(Blocked)
    assert blocked.gap == Gap(0, (Key("another#0"),))
    assert calls == []


async def test_a_step_that_was_moved_is_told_where_it_is_asked() -> None:
    async def flow() -> bytes:
        return await step("b") + await step("c") + await step("a")

    recorded = [entry_of(f"{name}#0", body=name.encode()) for name in "abc"]
    assert await result(flow, *recorded, insert("b#0"), insert("c#0")) == b"bca"
    assert await result(flow, *recorded, insert("a#0")) == b"bca"


async def test_a_run_may_wait_where_a_wait_was_inserted() -> None:
    async def flow() -> bytes:
        first = await wait("new")
        return (first or b"") + await step("email")

    async with playing(flow, entry_of("email#0", body=b"2"), insert("new#0")) as play:
        posted = await play.posted()
        assert [type(op) for op in posted] == [Standing, Parked]
        assert posted[1] == Parked(RUN, EPOCH_NO, 2)
        assert play.life.is_at_rest
        play.tell(take("new#0", b"1"))
        assert (await play.ended(Completed)).output == b"12"


async def test_a_run_that_is_put_away_at_an_inserted_wait_comes_back_to_it() -> None:
    async def flow() -> bytes:
        return (await wait("new") or b"") + await step("email")

    recorded = (entry_of("email#0", body=b"2"), insert("new#0"))
    async with playing(flow, *recorded, manner=Manner(evicts=True)) as play:
        await play.posted()
        assert play.life.is_given_back
    assert await result(flow, *recorded, take("new#0", b"1")) == b"12"


async def test_a_run_that_is_cancelled_in_an_inserted_wait_cleans_up() -> None:
    async def flow() -> None:
        await wait("new")
        await step("email")

    async with playing(flow, entry_of("email#0"), insert("new#0")) as play:
        await play.posted()
        play.stop()
        assert await play.posted() == [Left(RUN, EPOCH_NO, "new#0")]
        play.tell(cancelled("new#0"))
        await play.ended(Yielded)


async def test_an_inserted_wait_that_the_code_gave_up_is_given_up_again() -> None:
    async def flow() -> bytes:
        try:
            async with asyncio.timeout(0.01):
                await once("new")
        except TimeoutError:
            return await step("email")
        return b"0"

    entries = (entry_of("email#0", body=b"2"), insert("new#0"))
    async with playing(flow, *entries) as play:
        async with asyncio.timeout(5):
            while not any(isinstance(op, Left) for op in await play.posted()):
                pass
        play.tell(cancelled("new#0"))
        assert (await play.ended(Completed)).output == b"2"
    assert await result(flow, *entries, cancelled("new#0")) == b"2"


async def test_an_inserted_wait_that_nobody_gives_up_any_more_is_shown() -> None:
    async def flow() -> None:
        await wait("new")
        await step("email")

    recorded = (entry_of("email#0"), insert("new#0"), cancelled("new#0"))
    async with playing(flow, *recorded) as play:
        assert "-take new#0" in (await play.ended(Blocked)).cause.message


async def test_the_failure_of_an_inserted_step_is_tried_again_and_stays_accepted() -> None:
    async def broken() -> bytes:
        raise OSError("no paper")

    async def flow() -> None:
        await step("audit", broken)
        await step("email")

    async with playing(flow, entry_of("email#0"), insert("audit#0")) as play:
        (failed,) = await play.posted()
        assert isinstance(failed, Remembered)
        play.echo(failed.entry)
        raised = await play.ended(Raised)
    assert (raised.undone, raised.seen) == (2, 3)


async def test_what_was_accepted_outlives_the_failures_before_it() -> None:
    async def flow() -> None:
        raise OSError("no paper")

    failed = entry_of("a#0", ending="failure")
    async with playing(flow, failed, insert("b#0")) as play:
        assert (await play.ended(Raised)).undone is None


@pytest.mark.parametrize("life", ["the first", "a later"])
async def test_branches_go_on_in_one_order_in_every_life(life: str) -> None:
    """What one asks out of turn is told before the others go on, however long it takes."""
    seen: list[str] = []

    async def one() -> None:
        await step("new")
        seen.append("new")
        await step("c")
        seen.append("c")

    async def two() -> None:
        for name in ("a", "b"):
            await step(name)
            seen.append(name)

    async def flow() -> None:
        await asyncio.gather(one(), two())

    entries = [entry_of("2/a#0"), entry_of("2/b#0"), entry_of("1/c#0"), insert("1/new#0")]
    if life == "a later":
        entries.append(entry_of("1/new#0"))
    async with playing(flow, *entries) as play:
        if life == "the first":
            assert await remembers(play) == "1/new#0"
        await play.ended(Completed)
    assert seen == ["new", "a", "b", "c"]


# --- skipped --------------------------------------------------------------------------------


async def test_a_step_that_was_removed_is_told_to_nobody() -> None:
    async def flow() -> bytes | None:
        return await wait("x")

    entries = (entry_of("email#0"), take("x#0", b"3"))
    assert await gap(flow, *entries) == Gap(0, (Key("x#0"),))
    assert await result(flow, *entries, skip("email#0")) == b"3"


async def test_a_step_that_was_renamed_is_called_under_its_new_name() -> None:
    async def flow() -> bytes:
        return await step("mail", b"5") + await step("note")

    entries = (entry_of("email#0"), entry_of("note#0", body=b"6"))
    async with playing(flow, *entries, skip("email#0"), insert("mail#0")) as play:
        assert await remembers(play) == "mail#0"
        assert (await play.ended(Completed)).output == b"56"


async def test_the_calls_behind_a_removed_one_keep_their_answers() -> None:
    """The number of the one that is gone is given to nobody."""

    async def flow() -> bytes:
        return await step("audit") + await step("audit") + await step("audit", b"9")

    recorded = [entry_of(f"audit#{n}", body=b"%d" % n) for n in range(3)]
    async with playing(flow, *recorded, skip("audit#0")) as play:
        assert await remembers(play) == "audit#3"
        assert (await play.ended(Completed)).output == b"129"


async def test_differences_are_accepted_one_after_the_other() -> None:
    async def flow() -> bytes:
        return await step("new", b"1") + await step("b", b"2")

    entries = [entry_of("a#0"), entry_of("b#0", body=b"8"), entry_of("c#0")]
    assert await gap(flow, *entries) == Gap(0, (Key("new#0"),))
    entries += [insert("new#0"), entry_of("new#0", body=b"7")]
    assert await gap(flow, *entries) == Gap(0, (Key("b#0"),))
    entries.append(skip("a#0"))
    assert await gap(flow, *entries) == Gap(2)
    entries.append(skip("c#0"))
    assert await result(flow, *entries) == b"78"
