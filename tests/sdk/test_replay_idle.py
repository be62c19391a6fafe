"""When a run counts as idle: every live branch stands in a wait, and nothing else can wake it."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest
from structlog.testing import capture_logs

from headrace.kernel.model import inward
from headrace.sdk.execution import require
from headrace.sdk.execution_life import Manner
from headrace.sdk.lines import line_of
from headrace.sdk.scope import THREAD, here, in_background
from headrace.wire.channel import Completed, Parked, Remembered
from tests.sdk.branches import branch
from tests.sdk.played import EPOCH_NO, RUN, Flow, entry_of, once, playing, sleep, step, take, wait


async def gathered() -> None:
    await asyncio.gather(wait("x"), wait("y"))


async def gathered_deeply() -> None:
    await asyncio.gather(wait("x"), asyncio.gather(wait("y"), gathered()))


async def grouped() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(wait("x"))
        group.create_task(gathered())


async def grouped_by_anyio() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(wait, "x")
        group.start_soon(gathered)


async def awaited() -> None:
    await branch(wait("x"))


async def waited_for() -> None:
    tasks = [branch(wait(name)) for name in "xy"]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def in_an_object_that_is_awaited() -> None:
    class Pending:
        def __await__(self) -> object:
            return wait("x").__await__()

    await Pending()  # type: ignore[misc]  # it stands for any user's awaitable


async def in_a_generator() -> None:
    async def messages() -> AsyncGenerator[bytes | None]:
        while True:
            yield await wait("x")

    async for _ in messages():
        pass


async def in_a_timeout_without_end() -> None:
    async with asyncio.timeout(None):
        await wait("x")


async def after_a_timeout() -> None:
    async with asyncio.timeout(5) as limit:
        await asyncio.sleep(0)
    await wait("x")
    del limit


async def in_a_cancel_scope() -> None:
    with anyio.CancelScope():
        await wait("x")


async def asleep() -> None:
    await sleep(1_000)


async def beside_a_listener() -> None:
    require("test").listen(inward("calls"), _ignore, line="flow.py:1")
    await wait("x")


async def _ignore(_body: bytes) -> None:
    pass


async def a_finished_branch_failed() -> None:
    async def fails() -> None:
        raise ValueError

    await asyncio.gather(fails(), wait("x"), return_exceptions=True)


IDLE: list[Flow] = [
    gathered,
    gathered_deeply,
    grouped,
    grouped_by_anyio,
    awaited,
    waited_for,
    in_an_object_that_is_awaited,
    in_a_generator,
    in_a_timeout_without_end,
    after_a_timeout,
    in_a_cancel_scope,
    asleep,
    beside_a_listener,
    a_finished_branch_failed,
]


@pytest.mark.parametrize("flow", IDLE, ids=lambda flow: flow.__name__)
async def test_idle(flow: Flow) -> None:
    async with playing(flow) as play:
        assert (await play.posted())[-1] == Parked(RUN, EPOCH_NO, 0)


# --- in doubt, the run executes --------------------------------------------------------------


async def once_beside() -> None:
    await asyncio.gather(wait("x"), once("y"))


async def computing_beside() -> None:
    await asyncio.gather(wait("x"), asyncio.sleep(3_600))


async def waiting_for_an_event() -> None:
    event = asyncio.Event()
    await asyncio.gather(wait("x"), event.wait())


async def waiting_for_a_thread() -> None:
    blocked = asyncio.get_running_loop().create_future()
    await asyncio.gather(wait("x"), blocked)


async def a_step_under_way() -> None:
    async def slow() -> bytes:
        await asyncio.Event().wait()
        return b"1"

    await asyncio.gather(wait("x"), step("slow", slow))


async def in_a_timeout() -> None:
    async with asyncio.timeout(3_600):
        await wait("x")


async def a_timeout_around_branches() -> None:
    async with asyncio.timeout(3_600):
        await gathered()


async def in_a_timeout_of_anyio() -> None:
    with anyio.move_on_after(3_600):
        await wait("x")


async def in_a_failing_timeout_of_anyio() -> None:
    with anyio.fail_after(3_600):
        await wait("x")


async def in_a_timeout_of_somebodys_own() -> None:
    @asynccontextmanager
    async def limited() -> AsyncGenerator[None]:
        async with asyncio.timeout(3_600):
            yield

    async with limited():
        await wait("x")


async def waited_for_with_a_limit() -> None:
    await asyncio.wait([branch(wait("x"))], timeout=3_600)


async def behind_a_shield() -> None:
    await asyncio.shield(branch(wait("x")))


async def listening_only() -> None:
    require("test").listen(inward("calls"), _ignore, line="flow.py:1")
    await asyncio.Event().wait()


BUSY: list[Flow] = [
    once_beside,
    computing_beside,
    waiting_for_an_event,
    waiting_for_a_thread,
    a_step_under_way,
    in_a_timeout,
    a_timeout_around_branches,
    in_a_timeout_of_anyio,
    in_a_failing_timeout_of_anyio,
    in_a_timeout_of_somebodys_own,
    waited_for_with_a_limit,
    behind_a_shield,
    listening_only,
]


@pytest.mark.parametrize("flow", BUSY, ids=lambda flow: flow.__name__)
async def test_in_doubt_it_executes(flow: Flow) -> None:
    async with playing(flow) as play:
        assert not any(isinstance(op, Parked) for op in await play.posted())


async def fetching_beside() -> None:
    async def fetch() -> None:
        async with asyncio.timeout(5):
            await asyncio.Event().wait()

    await asyncio.gather(wait("x"), fetch())


@pytest.mark.parametrize(
    ("flow", "line"),
    [
        (in_a_timeout, 2),
        (a_timeout_around_branches, 2),
        (in_a_timeout_of_anyio, 2),
        (in_a_timeout_of_somebodys_own, 7),
        (in_a_timeout_without_end, None),
        (after_a_timeout, None),
        (computing_beside, None),
        (fetching_beside, None),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)
async def test_a_timer_that_keeps_a_wait_in_memory_is_warned_of_once(
    flow: Flow, line: int | None
) -> None:
    manner = Manner()
    with capture_logs() as logs:
        for _ in range(2):
            async with playing(flow, manner=manner) as play:
                await play.posted()
                play.tell(entry_of("0/x", "peek"))  # it looks again whether it is idle
                await play.posted()
    _, _, first = line_of(flow).rpartition(":")
    places = [] if line is None else [f"tests/sdk/test_replay_idle.py:{int(first) + line}"]
    assert [log["line"] for log in logs] == places
    assert all("timeout=" in log["event"] for log in logs)


async def test_it_waits_as_soon_as_the_last_branch_that_computed_has_ended() -> None:
    done = asyncio.Event()

    async def flow() -> None:
        await asyncio.gather(wait("x"), done.wait())

    async with playing(flow) as play:
        assert not any(isinstance(op, Parked) for op in await play.posted())
        done.set()
        assert await play.posted() == [Parked(RUN, EPOCH_NO, 0)]


async def test_an_entry_that_wakes_nobody_says_again_that_the_run_waits() -> None:
    async def flow() -> None:
        require("test").peek(inward("notes"), line="flow.py:1")
        await wait("x")

    async with playing(flow) as play:
        peeked, _, parked = await play.posted()
        assert isinstance(peeked, Remembered)
        assert parked == Parked(RUN, EPOCH_NO, 0)
        play.echo(peeked.entry)
        # The server has not parked it: it held one entry more than the worker had seen.
        assert await play.posted() == [Parked(RUN, EPOCH_NO, 1)]
        assert await play.posted() == []


async def test_a_listener_that_handles_a_message_is_no_wait() -> None:
    handling = asyncio.Event()

    async def flow() -> None:
        async def handle(_body: bytes) -> None:
            await handling.wait()

        require("test").listen(inward("calls"), handle, line="flow.py:1")
        await wait("x")

    async with playing(flow) as play:
        assert Parked(RUN, EPOCH_NO, 0) in await play.posted()
        play.tell(take("on:calls#0/0", b"1"))
        assert await play.posted() == []
        assert not play.life.parking.is_parked
        handling.set()
        (handled,) = await play.posted()
        assert isinstance(handled, Remembered)
        play.echo(handled.entry)
        assert Parked(RUN, EPOCH_NO, 2) in await play.posted()


async def test_a_blocking_task_waits_while_its_thread_does() -> None:
    async def flow() -> bytes:
        loop, ended, got = asyncio.get_running_loop(), asyncio.Event(), list[bytes | None]()
        context = contextvars.copy_context()
        context.run(THREAD.set, here())

        def body() -> None:
            got.append(asyncio.run_coroutine_threadsafe(wait("x"), loop).result())
            got.append(asyncio.run_coroutine_threadsafe(wait("x"), loop).result())
            loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=context.run, args=(body,), daemon=True).start()
        with in_background():
            await ended.wait()
        return b"[%b,%b]" % (got[0] or b"", got[1] or b"")

    async with playing(flow) as play:
        await play.ended(Parked)
        play.tell(take("x#0", b"1"))
        await play.ended(Parked)
        play.tell(take("x#1", b"2", 1))
        assert (await play.ended(Completed)).output == b"[1,2]"
