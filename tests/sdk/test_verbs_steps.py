"""Steps, time and output in a run, each also replayed at every wait."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from headrace import Retry, step, task, wait
from headrace.errors import (
    BadRequest,
    BadValue,
    NotFound,
    RunFailed,
    Unencodable,
)
from headrace.testing import Harness
from tests.sdk.given import (
    Post,
    cancel,
    seen,
    tokens,
)

# --- steps ----------------------------------------------------------------------------------------


@step(retry=Retry(max_attempts=3, first="10m"))
async def flaky(times: int) -> int:
    seen.append("try")
    if len(seen) < times:
        raise OSError("not yet")
    return len(seen)


@pytest.mark.parametrize("name", ["x" * 1_025, "ö" * 513, "nul \0", "half \ud800"])
def test_a_step_has_a_name_that_every_store_takes(name: str) -> None:
    with pytest.raises(BadRequest, match="at most 1,024 bytes") as refused:
        step(name, print)
    assert "arguments" in refused.value.hint
    assert step("ö" * 512, print).name == "ö" * 512


@task(max_attempts=1)
async def tries(times: int) -> int:
    return await flaky(times)


async def test_a_step_is_tried_again(h: Harness) -> None:
    assert await h.run(tries, 3) == 3
    assert seen == ["try"] * 3


async def test_the_last_try_counts(h: Harness) -> None:
    with pytest.raises(RunFailed, match="OSError: not yet"):
        await h.run(tries, 4)
    assert seen == ["try"] * 3


@step(retry=Retry(max_attempts=3))
def mistaken() -> int:
    seen.append("mistaken")
    raise NotFound("there is no such thing")


@task
async def is_mistaken() -> int:
    return await mistaken()


async def test_a_mistake_is_not_tried_again(h: Harness) -> None:
    with pytest.raises(RunFailed, match="there is no such thing"):
        await h.run(is_mistaken)
    assert seen == ["mistaken"]


class Broken(Exception):
    pass


@step
async def breaks() -> None:
    seen.append("broken")
    raise Broken("for good")


@task
async def survives() -> list[str]:
    found: list[str] = []
    try:
        await breaks()
    except Broken as error:
        found.append(str(error))
    await wait.for_("1d")
    return found


async def test_a_steps_failure_is_remembered(h: Harness) -> None:
    assert await h.run(survives) == ["for good"]
    assert seen == ["broken"]


@step
def pair(one: str, *, two: int = 2) -> tuple[str, int]:
    return one, two


@task
async def converts() -> list[Any]:
    async def odd() -> Any:
        return (1, {"a": (2,)})

    first: list[Any] = [await pair("a"), await pair("b", two=3)]
    unannotated = await step("odd", lambda: (1, 2))
    wrapped: tuple[str, int] = await step("named", pair.fn)("c")
    return [*first, unannotated, wrapped, await step("odd", odd)]


async def test_a_steps_result_is_what_its_annotation_says(h: Harness) -> None:
    assert await h.run(converts) == [["a", 2], ["b", 3], [1, 2], ["c", 2], [1, {"a": [2]}]]


@step
def described(title: str) -> Post:
    return Post(title, days=3)


@task
async def describes() -> list[str]:
    posts = [await described("a"), await described("b")]
    await wait.for_("1h")
    return [f"{post.title} {post.days}" for post in posts]


async def test_a_steps_result_has_its_type_live_and_on_replay(h: Harness) -> None:
    assert await h.run(describes) == ["a 3", "b 3"]


@step
async def unencodable() -> Any:
    return {"a": {1, 2}}


@task
async def returns_badly(how: str) -> int:
    if how == "step":
        await unencodable()
    odd: Any = {1} if how == "result" else "text"
    return odd  # type: ignore[no-any-return]  # what an untyped author does


@pytest.mark.parametrize(
    ("how", "name", "words"),
    [
        ("step", Unencodable, "result of step 'unencodable'.a: set is not JSON"),
        ("result", BadValue, "result: Expected `int`, got `array`"),
        ("wrong type", BadValue, "result: Expected `int`, got `str`"),
    ],
)
async def test_what_cannot_be_carried_fails_the_run_at_once(
    h: Harness, how: str, name: type[Exception], words: str
) -> None:
    with pytest.raises(RunFailed) as caught:
        await h.run(returns_badly, how)
    assert caught.value.facts["name"] == name.__name__
    assert words in caught.value.message


async def test_a_step_outside_a_run_is_its_function() -> None:
    assert await pair("a") == ("a", 2)
    assert await step("odd", lambda: 3) == 3


# --- time -----------------------------------------------------------------------------------------


@task
async def sleeps() -> str:
    await wait.for_("1h")
    await wait.until(datetime(2023, 11, 20, tzinfo=UTC))
    await wait.until(datetime(2001, 1, 1, tzinfo=UTC))
    return "up"


@task
def sleeps_plainly() -> str:
    wait.sync.for_(3_600)
    wait.sync.until(datetime(2023, 11, 20, tzinfo=UTC))
    return "up"


@pytest.mark.parametrize("sleeps", [sleeps, sleeps_plainly], ids=["async", "plain"])
async def test_time_passes(h: Harness, sleeps: Any) -> None:
    handle = await sleeps.trigger()
    (waiting,) = await h.waits(handle)
    assert waiting.until == "2023-11-14T23:13:20.000Z"
    await h.advance("1h")
    (waiting,) = await h.waits(handle)
    assert waiting.until == "2023-11-20T00:00:00.000Z"
    await h.advance("30d")
    assert await handle.result() == "up"


# --- output ---------------------------------------------------------------------------------------


@task
async def writes() -> None:
    await tokens.append("one")
    await cancel.wait()
    await tokens.pipe(["two", "three"])

    async def more() -> AsyncIterator[str]:
        for word in ("four", "five"):
            yield word
            await asyncio.sleep(0)

    await tokens.pipe(more())
    await tokens.append("one")


@task
def writes_plainly() -> None:
    tokens.sync.append("one")
    cancel.sync.wait()
    tokens.sync.pipe(word for word in ["two", "three", "four", "five"])
    tokens.sync.append("one")


@pytest.mark.parametrize("writes", [writes, writes_plainly], ids=["async", "plain"])
async def test_output_is_written_once_and_in_order(h: Harness, writes: Any) -> None:
    handle = await writes.trigger()
    await h.settle()
    await h.send(handle, cancel, "go on")
    await handle.result()
    told = ["one", "two", "three", "four", "five", "one"]
    assert [token async for token in tokens.read(handle)] == told
    assert [token async for token in tokens.read(handle.id, start=4)] == told[4:]
