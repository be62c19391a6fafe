"""`on`: every message in order, one at a time; its taking and the handler's return are entries."""

import asyncio

import pytest

from headrace.errors import StreamHasHandler
from headrace.kernel.model import inward
from headrace.sdk.execution import Listener, require
from headrace.sdk.execution_listen import Handler
from headrace.wire.channel import Completed, Left, Raised, Remembered, Standing
from tests.sdk.played import EPOCH_NO, RUN, cancelled, entry_of, once, playing, step, take, wait

heard: list[str] = []


@pytest.fixture(autouse=True)
def _clear() -> None:
    heard.clear()


async def hear(body: bytes) -> None:
    heard.append(body.decode())


def on(handler: Handler = hear, *, ignores: bool = False, line: str = "flow.py:on") -> Listener:
    return require("on").listen(
        inward("calls"), handler, line=line, on_error="ignore" if ignores else "fail"
    )


def handled(n: int, key: str = "on:calls#0") -> object:
    return entry_of(f"{key}/{n}.", "handled")


async def test_messages_are_handled_in_order_and_each_is_recorded() -> None:
    async def flow() -> None:
        on()
        await wait("x")

    async with playing(flow) as play:
        posted = await play.posted()
        standing = [op.key for op in posted if isinstance(op, Standing)]
        assert standing == ["x#0", "on:calls#0/0"]
        play.tell(take("on:calls#0/0", b"a"))
        (done,) = await play.posted()
        assert isinstance(done, Remembered)
        assert (done.entry.key, done.entry.kind) == ("on:calls#0/0.", "handled")
        assert heard == ["a"]
        play.echo(done.entry)
        assert [op.key for op in await play.posted() if isinstance(op, Standing)] == [
            "on:calls#0/1"
        ]


async def test_a_crash_between_the_two_entries_repeats_the_handler() -> None:
    async def flow() -> None:
        on()
        await wait("x")

    known = take("on:calls#0/0", b"a"), handled(0), take("on:calls#0/1", b"b", 1)
    async with playing(flow, *known) as play:  # type: ignore[arg-type]  # entries
        posted = await play.posted()
        assert heard == ["a", "b"], "the first is plain code and runs again as well"
        assert [op.entry.key for op in posted if isinstance(op, Remembered)] == ["on:calls#0/1."]


async def test_steps_of_a_handler_are_remembered() -> None:
    calls: list[str] = []

    async def effect() -> bytes:
        calls.append("charged")
        return b"1"

    async def handle(body: bytes) -> None:
        await step("charge", effect)
        await hear(body)

    async def flow() -> None:
        on(handle)
        await wait("x")

    known = take("on:calls#0/0", b"a"), entry_of("on:calls#0/charge#0")
    async with playing(flow, *known) as play:
        await play.posted()
        assert (heard, calls) == (["a"], [])


async def test_a_wait_where_a_handler_listens_names_both_lines() -> None:
    async def flow() -> None:
        first = on(line="flow.py:12")
        for ask in (wait("calls"), once("calls")):
            with pytest.raises(StreamHasHandler, match=r"flow\.py:calls.*flow\.py:12"):
                await ask
        with pytest.raises(StreamHasHandler, match=r"flow\.py:on.*flow\.py:12"):
            on()
        first.off()
        on().off()
        heard.append("free")
        await wait("calls")

    async with playing(flow) as play:
        await play.posted()
        assert heard == ["free"]


async def test_a_message_that_was_taken_before_off_is_still_handled() -> None:
    async def flow() -> None:
        listening = on()
        await wait("x")
        listening.off()
        await wait("y")

    async with playing(flow) as play:
        await play.posted()
        play.tell(take("x#0", b"1"))
        assert Left(RUN, EPOCH_NO, "on:calls#0/0") in await play.posted()
        play.tell(take("on:calls#0/0", b"late"))
        (done,) = (op for op in await play.posted() if isinstance(op, Remembered))
        assert heard == ["late"]
        play.echo(done.entry)
        assert not [op for op in await play.posted() if isinstance(op, Standing)]
    heard.clear()
    known = take("x#0", b"1"), take("on:calls#0/0", b"late"), handled(0), take("y#0", b"1")
    async with playing(flow, *known) as replayed:  # type: ignore[arg-type]  # entries
        assert await replayed.posted() == [Completed(RUN, EPOCH_NO, b"null")]
        assert heard == ["late"]


async def test_when_the_task_returns_its_handlers_are_off() -> None:
    async def flow() -> None:
        on()
        await wait("x")

    async with playing(flow) as play:
        await play.posted()
        play.tell(take("x#0", b"1"))
        assert await play.posted() == [Left(RUN, EPOCH_NO, "on:calls#0/0")]
        play.tell(cancelled("on:calls#0/0"))
        assert await play.posted() == [Completed(RUN, EPOCH_NO, b"null")]


async def test_a_handler_at_work_when_the_task_returns_may_finish() -> None:
    go_on = asyncio.Event()

    async def handle(body: bytes) -> None:
        await go_on.wait()
        await hear(body)

    async def flow() -> None:
        on(handle)
        await wait("x")

    async with playing(flow) as play:
        await play.posted()
        play.tell(take("on:calls#0/0", b"a"), take("x#0", b"1"))
        assert await play.posted() == []
        go_on.set()
        (done,) = await play.posted()
        assert isinstance(done, Remembered)
        play.echo(done.entry)
        assert await play.posted() == [Completed(RUN, EPOCH_NO, b"null")]
        assert heard == ["a"]


async def test_a_handler_that_raises_fails_the_run_and_gets_the_message_again() -> None:
    async def handle(_body: bytes) -> None:
        raise ValueError("broken handler")

    async def flow() -> None:
        on(handle)
        try:
            await wait("x")
        except Exception:  # noqa: BLE001 - as users write it
            heard.append("never")

    async with playing(flow) as play:
        await play.posted()
        play.tell(take("on:calls#0/0", b"a"))
        raised = await play.ended(Raised)
        assert (raised.cause.name, raised.cause.message) == ("ValueError", "broken handler")
        assert "in handle" in raised.cause.trace
        assert (raised.again, raised.undone) == (True, None)
        assert heard == []


async def test_a_handler_whose_errors_are_ignored_goes_on() -> None:
    async def handle(body: bytes) -> None:
        await hear(body)
        raise ValueError("broken handler")

    async def flow() -> None:
        on(handle, ignores=True)
        await wait("x")

    async with playing(flow) as play:
        await play.posted()
        play.tell(take("on:calls#0/0", b"a"))
        play.echo((await play.ended(Remembered)).entry)
        await play.posted()
        play.tell(take("on:calls#0/1", b"b", 1))
        await play.posted()
        assert heard == ["a", "b"]


async def test_a_stop_ends_listening() -> None:
    async def flow() -> None:
        on()
        await once("x")

    async with playing(flow) as play:
        await play.posted()
        play.stop()
        await play.posted()
        play.tell(cancelled("x#0"))
        ended = await play.posted()
        assert [type(op).__name__ for op in ended] == ["Yielded"]


async def test_two_handlers_in_one_scope_keep_their_places() -> None:
    async def flow() -> None:
        first = on()
        await wait("x")
        first.off()
        on()
        await wait("y")

    known = (
        take("on:calls#0/0", b"a"),
        handled(0),
        take("x#0", b"1"),
        cancelled("on:calls#0/1"),
        take("on:calls#1/0", b"b", 1),
        handled(0, "on:calls#1"),
    )
    async with playing(flow, *known) as play:  # type: ignore[arg-type]  # entries
        keys = [op.key for op in await play.posted() if isinstance(op, Standing)]
        assert sorted(keys) == ["on:calls#1/1", "y#0"]
        assert heard == ["a", "b"]
