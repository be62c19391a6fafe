"""What a run does with an input stream, each way also replayed at every wait."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from headrace import runs, step, task
from headrace.errors import (
    BadValue,
    RunFailed,
    StreamHasHandler,
)
from headrace.testing import Harness
from tests.sdk.given import (
    YES,
    Post,
    Published,
    anything,
    approval,
    cancel,
    numbers,
    publish,
    publish_plainly,
    seen,
    strict,
)


@pytest.mark.parametrize("publish", [publish, publish_plainly], ids=["async", "plain"])
async def test_a_wait_is_answered(h: Harness, publish: Any) -> None:
    handle = await publish.trigger(Post("a"))
    (waiting,) = await h.waits(handle)
    assert (waiting.stream, waiting.until) == ("approval", "2023-11-21T22:13:20.000Z")
    assert str(waiting.line).startswith("tests/sdk/given.py:")
    await h.advance("6d")
    receipt = await h.send(handle, approval, YES)
    assert (receipt.seq, receipt.duplicate, receipt.resumed) == (0, False, True)
    assert await handle.result() == Published("A", "alice")
    assert seen == ["a"]


@pytest.mark.parametrize("publish", [publish, publish_plainly], ids=["async", "plain"])
async def test_a_wait_ends_at_its_deadline(h: Harness, publish: Any) -> None:
    handle = await publish.trigger(Post("a"))
    await h.advance(timedelta(days=7) - timedelta(milliseconds=1))
    assert (await runs.retrieve(handle)).status == "WAITING"
    await h.advance(timedelta(milliseconds=1))
    assert (await handle.result()).by == "nothing came on 'approval' within 7 days, 0:00:00"


async def test_what_came_before_the_wait_counts(h: Harness) -> None:
    handle = await publish.trigger(Post("a"), delay="1h")
    assert (await runs.retrieve(handle)).status == "DELAYED"
    await h.send(handle, approval, YES)
    await h.advance("1h")
    assert (await handle.result()).by == "alice"


# --- answers --------------------------------------------------------------------------------------


@task
async def unwraps(which: str) -> str:
    if which == "wait":
        return await cancel.wait(timeout="1m").unwrap()
    if which == "once":
        return await cancel.once(timeout=60).unwrap()
    answer = await cancel.wait(timeout="1m")
    return answer.unwrap()


@pytest.mark.parametrize("which", ["wait", "once", "answer"])
async def test_unwrap_gives_the_value_or_raises(h: Harness, which: str) -> None:
    handle = await unwraps.trigger(which)
    await h.send(handle, cancel, "stop")
    assert await handle.result() == "stop"
    with pytest.raises(RunFailed) as caught:
        await h.run(unwraps, which)
    while (await runs.retrieve(handle)).status != "COMPLETED":
        await h.advance("1s")
    assert caught.value.facts["name"] == "WaitTimeout"
    assert "nothing came on 'cancel' within" in caught.value.message


@task
async def waits_for_anything() -> Any:
    got = [await anything.once().unwrap() for _ in range(2)]
    return [*got, await anything.wait(until=datetime(2099, 1, 1, tzinfo=UTC)).unwrap()]


async def test_null_is_a_value_and_no_timeout(h: Harness) -> None:
    handle = await waits_for_anything.trigger()
    for value in (None, {"a": [1]}, None):
        await h.send(handle, anything, value)
    assert await handle.result() == [None, {"a": [1]}, None]


# --- values that fit the schema, and not the type -------------------------------------------------


@task
async def takes_valid() -> str:
    return (await approval.wait(timeout="1d").unwrap()).reviewer


async def test_a_value_that_does_not_fit_is_passed_over(h: Harness) -> None:
    handle = await takes_valid.trigger()
    await h.api.send(handle.id, "approval", b'{"approved":true,"reviewer":""}')
    (waiting,) = await h.waits(handle)
    assert waiting.until == "2023-11-15T22:13:20.000Z"
    await h.send(handle, approval, YES)
    assert await handle.result() == "alice"


@task
async def takes_strictly() -> list[str]:
    found: list[str] = []
    for _ in range(2):
        try:
            found.append((await strict.wait().unwrap()).reviewer)
        except BadValue as error:
            found.append(error.message)
    return found


async def test_a_value_that_does_not_fit_is_raised_if_so_declared(h: Harness) -> None:
    handle = await takes_strictly.trigger()
    await h.settle()
    await h.api.send(handle.id, "strict", b'{"approved":true,"reviewer":""}')
    await h.send(handle, strict, YES)
    first, second = await handle.result()
    assert "strict.reviewer: Value error, nobody" in first
    assert second == "alice"


# --- handlers, loops, peek ------------------------------------------------------------------------


@task
async def listens(kind: Literal["async", "plain", "with"]) -> list[int]:
    heard: list[int] = []
    enough = asyncio.Event()

    def hear(value: int) -> None:
        heard.append(value)
        if value == 0:
            enough.set()

    async def hear_async(value: int) -> None:
        hear(await double(value))

    subscription = numbers.on(hear_async if kind == "async" else hear)
    if kind == "with":
        with subscription:
            await enough.wait()
    else:
        await enough.wait()
        subscription.off()
    return [*heard, await numbers.once().unwrap()]


@step
def double(value: int) -> int:
    seen.append(value)
    return value * 2


@pytest.mark.parametrize("kind", ["async", "plain", "with"])
async def test_a_handler_hears_everything_in_order(
    h: Harness, kind: Literal["async", "plain", "with"]
) -> None:
    handle = await listens.trigger(kind)
    for value in (3, 1, 2, 0, 9):
        await h.send(handle, numbers, value)
    times = 2 if kind == "async" else 1
    assert await handle.result() == [3 * times, times, 2 * times, 0, 9]
    assert seen == ([3, 1, 2, 0] if kind == "async" else [])


@task
def listens_plainly() -> list[int]:
    heard: list[int] = []
    with numbers.sync.on(lambda value: heard.append(double.sync(value))):
        cancel.sync.wait().unwrap()
    return heard


async def test_a_plain_task_listens_in_threads(h: Harness) -> None:
    handle = await listens_plainly.trigger()
    for value in (1, 2):
        await h.send(handle, numbers, value)
    await h.send(handle, cancel, "enough")
    assert await handle.result() == [2, 4]


@task(max_attempts=1)
async def listens_badly(on_error: Literal["fail", "ignore"]) -> str:
    def hear(value: int) -> None:
        raise ValueError(f"cannot hear {value}")

    with numbers.on(hear, on_error=on_error):
        return await cancel.wait().unwrap()


async def test_a_handlers_error_fails_the_run(h: Harness) -> None:
    handle = await listens_badly.trigger("fail")
    await h.send(handle, numbers, 1)
    with pytest.raises(RunFailed, match="ValueError: cannot hear 1"):
        await handle.result()


async def test_a_handlers_error_may_be_ignored(h: Harness) -> None:
    handle = await listens_badly.trigger("ignore")
    await h.send(handle, numbers, 1)
    await h.send(handle, cancel, "fine")
    assert await handle.result() == "fine"


_events: dict[str, asyncio.Event] = {}


@task
async def returns_while_it_hears() -> None:
    async def hear(value: int) -> None:
        _events["hearing"].set()
        await _events["enough"].wait()
        seen.append(value)

    subscription = numbers.on(hear)
    await _events["hearing"].wait()
    subscription.off()


async def test_what_a_handler_has_begun_it_ends(h: Harness) -> None:
    _events.update(hearing=asyncio.Event(), enough=asyncio.Event())
    handle = await returns_while_it_hears.trigger()
    await h.settle()
    await numbers.send(handle, 1)
    await _events["hearing"].wait()
    _events["enough"].set()
    await handle.result()
    assert seen == [1]


@task(max_attempts=1)
async def takes_beside_a_handler() -> None:
    with numbers.on(seen.append):
        await numbers.wait()


async def test_a_wait_beside_a_handler_names_both_lines(h: Harness) -> None:
    with pytest.raises(RunFailed) as caught:
        await h.run(takes_beside_a_handler)
    assert caught.value.facts["name"] == StreamHasHandler.__name__
    assert caught.value.message.count("test_verbs_input.py:") == 2


@task
async def loops() -> list[int]:
    found: list[int] = []
    async for value in numbers:
        if value == 0:
            break
        found.append(value)
    return found


@task
def loops_plainly() -> list[int]:
    found: list[int] = []
    for value in numbers.sync:
        if value == 0:
            break
        found.append(value)
    return found


@pytest.mark.parametrize("loops", [loops, loops_plainly], ids=["async", "plain"])
async def test_a_loop_takes_one_after_the_other(h: Harness, loops: Any) -> None:
    handle = await loops.trigger(delay="1h")
    for value in (5, 6, 0, 7):
        await h.send(handle, numbers, value)
    await h.advance("1h")
    assert await handle.result() == [5, 6]
    assert (await runs.retrieve(handle)).unread == {"numbers": 1}


async def test_input_can_be_read_from_outside(h: Harness) -> None:
    handle = await loops.trigger()
    for value in (1, 0):
        await h.send(handle, numbers, value)
    assert [value async for value in numbers.of(handle).read()] == [1, 0]


@task
async def peeks() -> list[int | None]:
    before = numbers.peek()
    await cancel.wait()
    after = numbers.peek()
    return [before, after, await numbers.once().unwrap(), numbers.peek()]


async def test_peek_looks_and_takes_nothing(h: Harness) -> None:
    handle = await peeks.trigger()
    await h.settle()
    await h.send(handle, numbers, 1)
    await h.send(handle, numbers, 2)
    await h.send(handle, cancel, "go")
    assert await handle.result() == [None, 2, 1, 2]
