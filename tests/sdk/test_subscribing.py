"""Following runs, one or by tag, each also replayed at every wait."""

import asyncio

import pytest

from headrace import Run, runs
from headrace.errors import BadRequest, Mistake
from headrace.testing import Harness
from tests.sdk.given import YES, Post, approval, publish


async def test_subscribing_to_a_tag_shows_each_run_with_it_as_it_comes_and_changes(
    h: Harness,
) -> None:
    seen_last = dict[str, Run]()

    async def watch() -> None:
        async for run in runs.subscribe(tag=["a", "b"], within="1h"):
            assert seen_last.get(run.id) != run, "told twice"
            seen_last[run.id] = run
            if [one.status for one in seen_last.values()] == ["COMPLETED"] * 2:
                return

    first = await publish.trigger(Post("1"), tags=["a", "b"])
    await publish.trigger(Post("other"), tags=["a"])
    async with asyncio.TaskGroup() as group:
        group.create_task(watch())
        await h.settle()
        second = await publish.trigger(Post("2"), tags=["b", "a"])
        await h.settle()
        for handle in (second, first):
            await h.send(handle, approval, YES)
            await h.settle()
    assert list(seen_last) == [first.id, second.id]


@pytest.mark.usefixtures("h")
async def test_a_subscription_is_to_a_run_or_to_a_tag() -> None:
    handle = await publish.trigger(Post("a"))
    with pytest.raises(Mistake, match="nothing to subscribe to"):
        await anext(aiter(runs.subscribe()))
    with pytest.raises(Mistake, match="a run and a tag at once"):
        await anext(aiter(runs.subscribe(handle, tag="a")))
    with pytest.raises(BadRequest, match="30 days"):
        await anext(aiter(runs.subscribe(tag="a", within="31d")))


async def test_subscribing_shows_every_state(h: Harness) -> None:
    handle = await publish.trigger(Post("a"))

    async def watch() -> list[str]:
        return [run.status async for run in runs.subscribe(handle)]

    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch())
        await h.settle()
        await h.send(handle, approval, YES)
    assert watching.result()[-1] == "COMPLETED"
    assert "WAITING" in watching.result()
