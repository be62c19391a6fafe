"""Runs among runs, and what is refused, each also replayed at every wait."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headrace import Retry, current_run, metadata, runs, task, wait
from headrace.app.local import open_local
from headrace.errors import (
    BadRequest,
    BadValue,
    KeyReused,
    NotFound,
    OutsideRun,
    RunCanceled,
    RunFailed,
    RunIsOver,
    RunTimedOut,
    TooLarge,
)
from headrace.kernel.model import RunId
from headrace.sdk.tasks import Options, Task
from headrace.testing import Harness, ManualClock
from headrace.testing.harness import Replay
from tests.sdk.given import (
    YES,
    Approval,
    Post,
    approval,
    cancel,
    numbers,
    publish,
    seen,
    tokens,
)

# --- other runs -----------------------------------------------------------------------------------


@task
async def child(number: int) -> int:
    seen.append(number)
    return number + await numbers.wait().unwrap()


@task
async def parent() -> list[Any]:
    handle = await child.trigger(1)
    again = await child.trigger(2, idempotency_key="two", tags=["small"])
    await wait.for_("1h")
    receipt = await numbers.send(handle, 10)
    bound = await numbers.of(again).send(20, idempotency_key="x")
    await wait.for_("1h")
    results = [await handle.result(), await again.result()]
    return [*results, receipt.seq, receipt.resumed, bound.duplicate, handle.public_token]


@task
async def parent_of_one() -> int:
    handle = await child.trigger(1)
    await numbers.send(handle, 2)
    return await handle.result()


async def test_children_are_started_and_sent_to_once(h: Harness) -> None:
    assert await h.run(parent) == [11, 22, 0, True, False, ""]
    assert len(await runs.list(task="child")) == 2
    assert len(await runs.list(task=["child"], tag="small")) == 1


async def test_a_childs_result_is_remembered() -> None:
    async with open_local(ManualClock(), (parent_of_one, child)) as opened:
        handle = await parent_of_one.trigger()
        assert await handle.result() == 3
        journal = await opened.stores.runs.journal(RunId(handle.id))
    assert [entry.key for entry in journal] == [
        "trigger:child#0",
        "send:numbers#0",
        "result of child#0",
    ]


@task
def parent_plainly() -> int:
    handle = child.sync.trigger(1)
    numbers.sync.send(handle.id, 1)
    return handle.result()


async def test_a_plain_parent(h: Harness) -> None:
    assert await h.run(parent_plainly) == 2
    assert len(await runs.list(task="child")) == 1


@task(max_attempts=1)
async def starts_badly(task_id: str) -> None:
    async def unknown() -> None:
        raise AssertionError

    # Not declared: the worker does not have it.
    await Task[None, None](unknown, Options(id=task_id)).trigger()


async def test_a_refusal_inside_a_run_is_the_same_error(h: Harness) -> None:
    with pytest.raises(RunFailed) as caught:
        await h.run(starts_badly, "nobody-has-it")
    assert caught.value.facts["name"] == NotFound.__name__


# --- the run itself -------------------------------------------------------------------------------


@task
async def looks_around() -> list[Any]:
    run = current_run()
    replaying_first = run.is_replaying
    await cancel.wait()
    metadata.set("progress", 0.5)
    metadata.set("more", {"a": [1]})
    shown = metadata.get("progress")
    facts = [run.task_id, run.attempt, list(run.tags), run.key("mail") == f"{run.id}:mail"]
    return [*facts, shown, metadata.get("given"), metadata.get("none", 3), replaying_first]


@task
async def tallies() -> list[Any]:
    metadata.increment("n")
    metadata.append("log", "begun")
    await cancel.wait()
    metadata.increment("n", 2)
    metadata.append("log", "heard")
    metadata.set("gone", 1)
    await cancel.wait()
    metadata.delete("gone")
    metadata.remove("log", "begun")
    metadata.increment("n", -0.5)
    return [metadata.get("n"), metadata.get("log"), metadata.get("gone")]


async def test_each_change_of_metadata_counts_once(h: Harness) -> None:
    handle = await tallies.trigger(metadata={"n": 10})
    for _ in range(2):
        await h.settle()
        await h.send(handle, cancel, "")
    assert await handle.result() == [12.5, ["heard"], None]
    assert (await runs.retrieve(handle)).metadata == {"n": 12.5, "log": ["heard"]}


@task
async def starts_over() -> Any:
    metadata.update({"only": [1]})
    await cancel.wait()
    return metadata.get("only")


async def test_metadata_is_replaced_as_a_whole(h: Harness) -> None:
    handle = await starts_over.trigger(metadata={"n": 10})
    await h.settle()
    await h.send(handle, cancel, "")
    assert await handle.result() == [1]
    assert (await runs.retrieve(handle)).metadata == {"only": [1]}


@task
async def counts_what_is_no_number() -> None:
    metadata.set("n", "text")
    metadata.increment("n")


async def test_what_cannot_be_done_to_metadata_is_an_error_there(h: Harness) -> None:
    with pytest.raises(RunFailed, match="holds no number"):
        await h.run(counts_what_is_no_number)


async def test_a_run_is_replayed_rescheduled_and_tagged(h: Harness) -> None:
    handle = await tallies.trigger(delay="1h", tags=["a"], idempotency_key="k")
    assert sorted(await runs.tag(handle, ["b", "a"])) == ["a", "b"]
    moved = await runs.reschedule(handle, timedelta(hours=3))
    assert moved.delayed_until is not None
    assert moved.delayed_until - moved.created_at >= timedelta(hours=2)
    again = await runs.replay(handle, tags="c", delay=timedelta(hours=1), metadata={"m": 1})
    view = await runs.retrieve(again)
    assert (again.task_id, view.tags, view.metadata) == ("tallies", ("c",), {"m": 1})
    assert view.status == "DELAYED"
    await runs.free_key("tallies", "k")
    with pytest.raises(NotFound):
        await runs.free_key("tallies", "k")
    assert (await tallies.trigger(delay="1h", idempotency_key="k")).id != handle.id


async def test_a_run_knows_itself(h: Harness, replay: Replay) -> None:
    handle = await looks_around.trigger(tags=["a", "b"], metadata={"given": [1]})
    await h.settle()
    await h.send(handle, cancel, "")
    *facts, replaying = await handle.result()
    assert facts == ["looks-around", 1, ["a", "b"], True, 0.5, [1], 3]
    assert replaying is (replay == "always")
    view = await runs.retrieve(handle)
    assert view.metadata == {"given": [1], "progress": 0.5, "more": {"a": [1]}}
    assert view.tags == ("a", "b")
    assert view.is_over
    assert view.finished_at is not None


@task(max_attempts=2, retry=Retry(first="1m", jitter=False))
async def fails() -> None:
    seen.append(current_run().attempt)
    raise ValueError("no luck")


async def test_a_failure_keeps_its_traceback(h: Harness) -> None:
    handle = await fails.trigger()
    await h.advance("59s")
    assert seen == [1]
    await h.advance("1s")
    assert seen == [1, 2]
    with pytest.raises(RunFailed) as caught:
        await handle.result()
    assert caught.value.facts["name"] == "ValueError"
    assert 'raise ValueError("no luck")' in str(caught.value.facts["traceback"])
    assert "no luck" in caught.value.__notes__[0]
    error = (await runs.retrieve(handle)).error
    assert error is not None
    assert (error.name, error.message) == ("ValueError", "no luck")


@task
async def cleans_up() -> None:
    try:
        await cancel.wait()
    finally:
        await tokens.append("cleaned")


@task
def cleans_up_plainly() -> None:
    try:
        cancel.sync.wait()
    finally:
        tokens.sync.append("cleaned")


@pytest.mark.parametrize("cleans_up", [cleans_up, cleans_up_plainly], ids=["async", "plain"])
async def test_a_cancelled_run_cleans_up(h: Harness, cleans_up: Any) -> None:
    handle = await cleans_up.trigger()
    await h.settle()
    await handle.cancel()
    with pytest.raises(RunCanceled, match="was cancelled"):
        await handle.result()
    assert [token async for token in tokens.read(handle)] == ["cleaned"]


async def test_cancelling_what_is_over_changes_nothing(h: Harness) -> None:
    handle = await publish.trigger(Post("a"))
    await h.send(handle, approval, YES)
    assert (await runs.cancel(handle)).status == "COMPLETED"


@task(max_duration="1s", max_attempts=1)
async def runs_long() -> None:
    await numbers.once(timeout="1h")


async def test_a_run_may_execute_too_long(h: Harness) -> None:
    handle = await runs_long.trigger()
    await h.advance("2s")
    with pytest.raises(RunTimedOut):
        await handle.result()


# --- mistakes -------------------------------------------------------------------------------------


async def test_a_payload_that_does_not_fit_is_never_stored(h: Harness) -> None:
    wrong: Any = publish
    with pytest.raises(BadValue, match=r"payload\.title: Expected `str`, got `int`"):
        await wrong.trigger({"title": 3})
    with pytest.raises(BadValue, match="payload: Expected `object`, got `null`"):
        await wrong.trigger()
    nothing: Any = looks_around
    with pytest.raises(BadValue, match="payload: Expected `null`, got `int`"):
        await nothing.trigger(3)
    with pytest.raises(TooLarge):
        await publish.trigger(Post("x" * 11_000_000))
    assert await runs.list() == []


async def test_a_value_that_does_not_fit_is_never_sent(h: Harness) -> None:
    handle = await publish.trigger(Post("a"))
    wrong: Any = {"approved": "perhaps", "reviewer": "a"}
    with pytest.raises(BadValue, match=r"approval\.approved: Input should be a valid boolean"):
        await approval.send(handle, wrong)
    with pytest.raises(BadValue) as caught:
        await h.api.send(handle.id, "approval", b'{"approved":1}')
    assert "/approved: 1 is not of type" in caught.value.message
    assert (await runs.retrieve(handle)).unread == {}


@pytest.mark.parametrize("text", ["7 days", "-1s", "1y", ""])
async def test_a_bad_duration_is_refused_at_once(h: Harness, text: str) -> None:
    with pytest.raises(BadRequest):
        await publish.trigger(Post("a"), delay=text)
    with pytest.raises(BadRequest):
        await publish.trigger(Post("a"), ttl=text)
    with pytest.raises(BadRequest):
        approval.wait(timeout=text)
    with pytest.raises(BadRequest):
        task(ttl=text)(fails.fn)
    assert await runs.list() == []


async def test_sending_to_what_is_not_there(h: Harness) -> None:
    with pytest.raises(NotFound):
        await approval.send("run_nobody", YES)
    handle = await looks_around.trigger()
    await h.send(handle, cancel, "")
    with pytest.raises(RunIsOver):
        await approval.send(handle, YES)
    with pytest.raises(NotFound):
        await runs.retrieve("run_nobody")


async def test_keys_of_a_send(h: Harness) -> None:
    handle = await publish.trigger(Post("a"))
    first = await approval.send(handle, YES, idempotency_key="click")
    again = await approval.send(handle, YES, idempotency_key="click")
    assert (again.seq, again.duplicate) == (first.seq, True)
    with pytest.raises(KeyReused):
        await approval.send(handle, Approval(approved=False, reviewer="b"), idempotency_key="click")


async def test_keys_of_a_trigger(h: Harness) -> None:
    first = await publish.trigger(Post("a"), idempotency_key="a", idempotency_key_ttl="1h")
    again = await publish.trigger(Post("b"), idempotency_key="a")
    assert again.id == first.id
    await h.advance("61m")
    later = await publish.trigger(Post("c"), idempotency_key="a")
    assert later.id != first.id


@pytest.mark.parametrize(
    "call",
    [
        approval.wait,
        approval.once,
        lambda: tokens.pipe(["a"]),
    ],
    ids=["wait", "once", "pipe"],
)
async def test_what_needs_a_run_says_so_when_awaited(call: Any) -> None:
    with pytest.raises(OutsideRun, match="works inside a task only"):
        await call()


@pytest.mark.parametrize(
    "call",
    [
        approval.peek,
        lambda: approval.on(print),
        lambda: wait.for_("1h"),
        lambda: tokens.append("a"),
        lambda: metadata.set("a", 1),
        current_run,
    ],
    ids=["peek", "on", "for", "append", "set", "current"],
)
def test_what_needs_a_run_says_so_at_once(call: Any) -> None:
    with pytest.raises(OutsideRun, match="works inside a task only"):
        call()


def test_a_wait_has_one_deadline() -> None:
    with pytest.raises(BadRequest, match="both timeout= and until="):
        approval.wait(timeout="1s", until=datetime.now(UTC))
    with pytest.raises(BadRequest, match="has no time zone"):
        approval.wait(until=datetime(2030, 1, 1))  # noqa: DTZ001 - the mistake under test


# --- the harness ----------------------------------------------------------------------------------


async def test_a_run_that_nobody_answers_is_named(h: Harness) -> None:
    with pytest.raises(Exception, match="waits without a deadline, for 'cancel' at"):
        await h.run(cleans_up)
