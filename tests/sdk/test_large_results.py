"""What tasks return may be megabytes, wherever it is asked for; what a step returns may not."""

from __future__ import annotations

import pytest

from headrace import runs, step, task, wait
from headrace.errors import RunFailed
from headrace.testing import Harness


@task
async def wordy(size: int) -> str:
    return "x" * size


@task
async def parent_of_wordy(size: int) -> int:
    first = await (await wordy.trigger(size)).result()
    await wait.for_("1h")
    return len(first)


@pytest.mark.parametrize("size", [200_000, 5_000_000, 10 * 1_048_576 - 2])
async def test_a_result_of_megabytes_arrives(h: Harness, size: int) -> None:
    handle = await wordy.trigger(size)
    assert len(await handle.result()) == size
    assert len((await runs.retrieve(handle)).output) == size
    assert [run.output for run in await runs.list()] == [None]
    assert [len(run.output or "") async for run in runs.subscribe(handle)] == [size]


async def test_a_result_of_megabytes_arrives_in_a_task(h: Harness) -> None:
    assert await h.run(parent_of_wordy, 5_000_000) == 5_000_000


async def test_a_result_of_more_than_that_fails_the_run_and_says_so(h: Harness) -> None:
    with pytest.raises(RunFailed, match="10,485,760 are allowed"):
        await (await wordy.trigger(10 * 1_048_576 - 1)).result()


@step
async def wordy_step() -> str:
    return "x" * 5_000_000


@task
async def with_a_wordy_step() -> int:
    return len(await wordy_step())


async def test_a_step_of_megabytes_fails_the_run_and_says_so(h: Harness) -> None:
    with pytest.raises(RunFailed, match="1,048,576 are allowed"):
        await (await with_a_wordy_step.trigger()).result()
