"""How a run's task ends, and what is said of it."""

import asyncio
import sys
from contextlib import suppress

import msgspec
import pytest
from structlog.testing import capture_logs

from headrace.errors import BadValue, StepFailed, TooLarge
from headrace.kernel.model import Retry
from headrace.sdk.execution_faults import TRACE_AT_MOST, cause_of, fault_of, step_failure
from headrace.sdk.execution_life import Manner
from headrace.wire.channel import Completed, Left, Raised, Remembered, Standing, Yielded
from headrace.wire.packets import MOST
from tests.sdk.branches import branch
from tests.sdk.played import (
    EPOCH_NO,
    RUN,
    Flow,
    cancelled,
    entry_of,
    playing,
    step,
    take,
    wait,
)

QUICK = Manner(grace_s=0.01)


async def raised_by(flow: Flow) -> Raised:
    async with playing(flow) as play:
        return await play.ended(Raised)


async def test_an_error_is_told_with_the_users_frames_alone() -> None:
    async def deeper() -> None:
        raise ValueError("no paper")

    async def flow() -> None:
        try:
            await deeper()
        except ValueError as error:
            raise OSError("cannot print") from error

    raised = await raised_by(flow)
    assert (raised.cause.name, raised.cause.message) == ("OSError", "cannot print")
    assert raised.retry == Retry(max_attempts=2)
    assert raised.again
    trace = raised.cause.trace
    assert "in flow" in trace
    assert "in deeper" in trace
    assert "execution_life" not in trace


async def test_a_mistake_is_not_tried_again() -> None:
    async def flow() -> None:
        raise BadValue("the payload does not fit")

    assert not (await raised_by(flow)).again


async def test_leaving_the_program_ends_the_attempt_not_the_worker() -> None:
    async def flow() -> None:
        sys.exit(3)

    assert (await raised_by(flow)).cause.name == "SystemExit"


async def test_a_task_that_cancels_itself_says_so() -> None:
    async def flow() -> None:
        raise asyncio.CancelledError

    async with playing(flow) as play:
        assert await play.posted() == [Yielded(RUN, EPOCH_NO)]


async def test_a_result_that_is_too_large_fails_the_run_for_good() -> None:
    async def flow() -> bytes:
        return b"1" * (MOST + 1)

    raised = await raised_by(flow)
    assert (raised.cause.name, raised.again) == ("TooLarge", False)


async def test_only_the_failures_at_the_end_are_tried_again() -> None:
    async def flow() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(step("a", fails))
            group.create_task(wait("x", 500))
            group.create_task(wait("y"))

    async def fails() -> bytes:
        raise OSError("offline")

    async with playing(flow) as play:
        posted = await play.posted()
        (failed,) = [op.entry for op in posted if isinstance(op, Remembered)]
        play.tell(take("3/y#0", b"1"))
        await play.posted()
        play.echo(failed)
        assert await play.posted() == [Left(RUN, EPOCH_NO, "2/x#0")]
        play.tell(entry_of("2/x#0", "take", "cancelled", b"", deadline=77))
        raised = await play.ended(Raised)
        assert (raised.undone, raised.seen, raised.revived) == (1, 3, {"2/x#0": 77})


async def test_a_failure_with_another_answer_after_it_stays() -> None:
    async def fails() -> bytes:
        raise OSError("offline")

    async def flow() -> None:
        with suppress(OSError):
            await step("a", fails)
        await wait("x")
        raise ValueError

    async with playing(flow) as play:
        (failed,) = [op.entry for op in await play.posted() if isinstance(op, Remembered)]
        play.echo(failed)
        await play.posted()
        play.tell(take("x#0", b"1"))
        raised = await play.ended(Raised)
        assert (raised.undone, raised.seen) == (None, 2)


async def test_the_end_waits_for_entries_under_way_so_that_they_are_counted() -> None:
    go_on = asyncio.Event()

    async def slow() -> bytes:
        return b"1"

    async def flow() -> None:
        branch(step("beside", slow)).add_done_callback(lambda _: None)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        go_on.set()
        raise OSError("offline")

    async with playing(flow) as play:
        (remembered,) = await play.posted()
        assert isinstance(remembered, Remembered)
        play.echo(remembered.entry)
        raised = await play.ended(Raised)
        assert (raised.undone, raised.seen) == (None, 1)


async def test_branches_left_behind_are_cancelled_with_a_warning() -> None:
    cleaned: list[str] = []

    async def forgotten() -> None:
        try:
            await wait("x")
        finally:
            cleaned.append("x")

    async def flow() -> None:
        left = branch(forgotten())
        await asyncio.sleep(0)
        assert not left.done()

    with capture_logs() as logs:
        async with playing(flow) as play:
            assert [type(op) for op in await play.posted()] == [Standing, Left]
            play.tell(cancelled("1/x#0"))
            assert await play.posted() == [Completed(RUN, EPOCH_NO, b"null")]
    assert cleaned == ["x"]
    assert [log["branches"] for log in logs if "has returned" in log["event"]] == [1]


async def test_a_branch_that_will_not_end_is_not_waited_for_long() -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if cut:
                    raise
                cut.append(True)

    cut: list[bool] = []

    async def flow() -> None:
        left = branch(stubborn())
        await asyncio.sleep(0)
        assert not left.done()

    async with playing(flow, manner=QUICK) as play:
        assert await play.ended(Completed) == Completed(RUN, EPOCH_NO, b"null")


async def test_a_failed_task_asks_nothing_more() -> None:
    tried: list[str] = []

    async def beside() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            tried.append("asks")
            await step("late")
            tried.append("answered")

    async def flow() -> None:
        left = branch(beside())
        await asyncio.sleep(0)
        assert not left.done()
        raise OSError("offline")

    async with playing(flow) as play:
        await play.ended(Raised)
    assert tried == ["asks"]


# --- failures of steps, live and in a later life -----------------------------------------------


class Custom(Exception):
    """An error of the user's own, whose maker wants more than a message."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


ERRORS = [
    ValueError("bad"),
    KeyError("name"),
    ConnectionResetError(104, "reset"),
    Custom(4, "custom"),
    TooLarge("too large"),
    TimeoutError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_except_takes_the_same_way_live_and_on_replay(error: Exception) -> None:
    async def effect() -> bytes:
        raise error

    async def flow() -> bytes:
        try:
            await step("risky", effect)
        except type(error) as caught:
            return msgspec.json.encode(str(caught))
        return b'"not caught"'

    async with playing(flow) as live:
        (remembered,) = await live.posted()
        assert isinstance(remembered, Remembered)
        live.echo(remembered.entry)
        lived = (await live.ended(Completed)).output
    async with playing(flow, remembered.entry) as replayed:
        assert (await replayed.ended(Completed)).output == lived == msgspec.json.encode(str(error))


async def test_a_failure_of_an_earlier_life_is_a_step_failed_that_names_it() -> None:
    failure = step_failure(fault_of(Custom(4, "custom")), "risky")
    assert {StepFailed, Custom} <= set(type(failure).__mro__)
    assert isinstance(failure, StepFailed)
    assert failure.facts == {"step": "risky", "name": "Custom"}


def test_an_error_whose_type_is_nowhere_is_a_step_failed() -> None:
    def make() -> Exception:
        class Hidden(Exception):
            pass

        return Hidden("gone")

    failure = step_failure(fault_of(make()), "risky")
    assert type(failure) is StepFailed
    assert str(failure) == "gone"


def test_an_error_is_told_however_odd_it_is() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert "cannot be shown" in cause_of(Odd()).message
    assert cause_of(ValueError("\ud800")).message == "\\ud800"
    long = cause_of(ValueError("a" * 10_000_000))
    assert len(long.message) <= 8_192
    assert len(long.trace) <= TRACE_AT_MOST


def test_a_group_of_errors_shows_each() -> None:
    group = ExceptionGroup("several", [ValueError("one"), OSError("two")])
    trace = cause_of(group).trace
    assert "one" in trace
    assert "two" in trace
