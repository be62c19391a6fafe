"""`.sync` from wherever one is: a program without a loop, a plain task, a loop by mistake."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from headrace import Ok, configure, runs, streams, task
from headrace.errors import Mistake, NotFound, RunCanceled, Unavailable
from headrace.ports import Api
from headrace.sdk import connection
from headrace.sdk.blocking import blocking, blocking_iterator, blocking_on_loop, in_thread
from headrace.testing import Harness, local
from tests.sdk.given import numbers
from tools.unasync import TARGETS, generated

answers = streams.input("sync-answers", int)
words = streams.output("sync-words", str)


@task
def doubles(number: int) -> int:
    words.sync.append("begun")
    match answers.sync.wait(timeout="1h"):
        case Ok(output=value):
            return number * value
        case _:
            return 0


def test_the_blocking_twins_are_current() -> None:
    for target in TARGETS:
        assert target.read_text("utf-8") == generated(target), "run `make sync`"


async def test_a_program_without_a_loop_uses_the_loop_of_its_engine() -> None:
    async with local(doubles) as harness:
        assert await anyio.to_thread.run_sync(_a_program, harness) == (6, ["begun"])


def _a_program(harness: Harness) -> tuple[int, list[str]]:
    handle = doubles.sync.trigger(2, tags=["a"])
    with pytest.raises(NotFound):
        answers.sync.send("run_nobody", 1)
    answers.sync.of(handle.id).send(3)
    result = handle.result()
    assert [run.id for run in runs.sync.list(tag="a")] == [handle.id]
    assert [run.status for run in runs.sync.subscribe(handle.id)] == ["COMPLETED"]
    assert list(answers.sync.of(handle.id).read()) == [3]
    return result, list(words.sync.read(handle.id))


def test_without_any_loop_there_is_one_in_the_background() -> None:
    async def where() -> tuple[str, asyncio.AbstractEventLoop]:
        return threading.current_thread().name, asyncio.get_running_loop()

    name, loop = blocking(where())
    assert name == "headrace portal"
    assert blocking(where())[1] is loop


def test_the_context_goes_along() -> None:
    told: ContextVar[str] = ContextVar("told")
    told.set("here")

    async def asks() -> str:
        return told.get()

    assert blocking(asks()) == "here"


def test_errors_come_back() -> None:
    def fails() -> None:
        raise KeyError("a")

    with pytest.raises(KeyError, match="a"):
        blocking_on_loop(fails)


def test_iterating_ends_as_the_source_does() -> None:
    async def source() -> AsyncIterator[int]:
        yield 1
        yield 2
        raise OSError("broken")

    found: list[int] = []
    with pytest.raises(OSError, match="broken"):
        found.extend(blocking_iterator(source()))
    assert list(_taken(source)) == [1, 2]


def _taken(source: Callable[[], AsyncIterator[int]]) -> Iterator[int]:
    told = blocking_iterator(source())
    yield next(told)
    yield next(told)


@pytest.mark.parametrize(
    "call",
    [
        lambda: doubles.sync.trigger(1),
        lambda: answers.sync.send("run_1", 1),
        lambda: runs.sync.retrieve("run_1"),
        lambda: list(words.sync.read("run_1")),
    ],
    ids=["trigger", "send", "retrieve", "read"],
)
async def test_on_a_running_loop_it_refuses(call: Any) -> None:
    with pytest.raises(Mistake, match="would block the event loop") as caught:
        call()
    assert "leave out `.sync`" in caught.value.hint


@pytest.fixture
def provided() -> Iterator[Callable[[Callable[[], Api] | None], object]]:
    """Say how to connect, until the end of the test."""
    before = connection.provide(None)
    configure()
    yield connection.provide
    configure()
    connection.provide(before)


@pytest.mark.usefixtures("provided")
async def test_without_a_server_it_says_what_to_do() -> None:
    with pytest.raises(Unavailable, match="no server is known"):
        await runs.retrieve("run_1")


async def test_the_provider_is_asked_once_and_off_the_loop(
    provided: Callable[[Callable[[], Api] | None], object], tmp_path: Path
) -> None:
    asked: list[str] = []
    async with local(doubles) as harness:
        configure()

        def provide() -> Api:
            (tmp_path / "read").write_text("a file may be read here")
            asked.append(threading.current_thread().name)
            return harness.api

        provided(provide)
        for _ in range(2):
            with pytest.raises(NotFound):
                await runs.retrieve("run_1")
    assert len(asked) == 1
    assert asked[0] != threading.current_thread().name


# --- threads -------------------------------------------------------------------------------------


async def test_a_plain_function_runs_in_a_thread_with_its_context() -> None:
    told: ContextVar[str] = ContextVar("told")
    told.set("here")
    assert await in_thread(lambda: (told.get(), threading.current_thread().name)) == (
        "here",
        "headrace function",
    )


async def test_what_a_thread_raises_comes_back() -> None:
    def fails(error: BaseException) -> None:
        raise error

    with pytest.raises(KeyError):
        await in_thread(fails, KeyError("a"))
    with pytest.raises(RuntimeError, match="StopIteration"):
        await in_thread(fails, StopIteration())


async def test_a_cancellation_waits_for_the_threads_result() -> None:
    begun, end, reached = threading.Event(), threading.Event(), list[str]()

    def works() -> str:
        begun.set()
        end.wait(10)
        return "done"

    async def asks() -> None:
        reached.append(await in_thread(works))
        await asyncio.Event().wait()
        reached.append("never")

    async with asyncio.TaskGroup() as group:
        asking = group.create_task(asks())
        await anyio.to_thread.run_sync(begun.wait)
        asking.cancel()
        await anyio.lowlevel.checkpoint()
        end.set()
    assert asking.cancelled()
    assert reached == ["done"]


async def test_a_cancellation_reaches_the_call_that_the_thread_stands_in() -> None:
    standing, heard = asyncio.Event(), list[str]()

    async def stands() -> None:
        standing.set()
        await asyncio.Event().wait()

    def works() -> None:
        try:
            blocking(stands())
        except asyncio.CancelledError:
            heard.append("cancelled")
            heard.append(blocking(_says("still works")))
            raise

    async with asyncio.TaskGroup() as group:
        working = group.create_task(in_thread(works))
        await standing.wait()
        working.cancel()
    assert working.cancelled()
    assert heard == ["cancelled", "still works"]


async def _says(text: str) -> str:
    return text


async def test_a_cancellation_comes_at_the_threads_next_call() -> None:
    begun, go_on, heard = threading.Event(), threading.Event(), list[str]()

    def works() -> None:
        begun.set()
        go_on.wait(10)
        try:
            blocking(_says("not heard"))
        except asyncio.CancelledError:
            heard.append("cancelled")
            raise

    async with asyncio.TaskGroup() as group:
        working = group.create_task(in_thread(works))
        await anyio.to_thread.run_sync(begun.wait)
        working.cancel()
        await anyio.lowlevel.checkpoint()
        go_on.set()
    assert working.cancelled()
    assert heard == ["cancelled"]


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_call_that_landed_keeps_its_value(*, at_once: bool) -> None:
    """What was taken while the cancellation came is not lost; that comes at the next call."""
    standing, land, heard = asyncio.Event(), asyncio.Event(), list[str]()

    async def takes() -> str:
        standing.set()
        try:
            await land.wait()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            if at_once:
                task.cancel()
            else:
                asyncio.get_running_loop().call_soon(task.cancel)
        return "taken"

    def works() -> None:
        heard.append(blocking(takes()))
        blocking(_says("not heard"))

    async with asyncio.TaskGroup() as group:
        working = group.create_task(in_thread(works))
        await standing.wait()
        working.cancel()
    assert working.cancelled()
    assert heard == ["taken"]


@task
def waits_in_two_threads() -> int:
    with numbers.sync.on(_hears_slowly):
        return answers.sync.wait().unwrap()


_heard = list[int]()
_hearing, _heard_enough = threading.Event(), threading.Event()


def _hears_slowly(value: int) -> None:
    _hearing.set()
    _heard_enough.wait(10)
    _heard.append(value)


async def test_a_run_is_not_put_away_while_one_of_its_threads_computes() -> None:
    _heard.clear()
    async with local(waits_in_two_threads, replay="always") as harness:
        handle = await waits_in_two_threads.trigger()
        await harness.settle()
        await numbers.send(handle, 7)
        await anyio.to_thread.run_sync(_hearing.wait)
        await answers.send(handle, 1)
        _heard_enough.set()
        assert await handle.result() == 1
    assert _heard == [7]


@task
def is_cancelled_plainly() -> str:
    try:
        return str(answers.sync.wait())
    finally:
        words.sync.append("cleaned")


async def test_cancelling_a_plain_task_from_a_program() -> None:
    async with local(is_cancelled_plainly) as harness:
        handle = await is_cancelled_plainly.trigger()
        await harness.settle()
        assert (await anyio.to_thread.run_sync(handle.sync.cancel)).id == handle.id
        with pytest.raises(RunCanceled):
            await handle.result()
        assert [word async for word in words.read(handle)] == ["cleaned"]
