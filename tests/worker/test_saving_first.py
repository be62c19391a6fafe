"""Who comes first when a run leaves: a message, the reply, a stop; laws 3 and 8."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from headrace.kernel.model import Waiting
from headrace.wire.channel import Ended, Saved
from headrace.worker import Worker, holdings
from tests.worker import saved_tasks as tasks
from tests.worker.keeping import LATER, Post, known, scene_of, sent, started
from tests.worker.saved_tasks import Big, ran
from tests.worker.scene import SAVING, Scene, employed

pytestmark = pytest.mark.usefixtures("fresh")


@asynccontextmanager
async def standing() -> AsyncGenerator[tuple[Scene, Post, Worker, str]]:
    """Yield a run that waits warm, at a worker whose words can be held up."""
    async with scene_of(tasks.summed) as scene:
        post = Post(scene.api)
        worker = scene.worker("a", options=LATER, api=post)
        async with employed(worker):
            yield scene, post, worker, await started(scene, "summed")


# --- who comes first ----------------------------------------------------------------------------


async def test_a_message_that_comes_first_keeps_the_run_warm() -> None:
    async with standing() as (scene, post, worker, run):
        post.takes.clear()
        worker.make_room(1)
        await scene.calm()
        await scene.api.send(run, "number", b"5")
        post.takes.set()
        await scene.calm()
        assert any(isinstance(one, Saved) for one in post.said)
        assert (worker.runs, (await known(scene, run)).epoch) == (1, 1)
        assert ran == ["begins", "step", "between"]
        await sent(scene, run, 6)
        worker.make_room(1)
        await scene.calm()
        assert worker.runs == 0, "it may ask again"
        assert (await known(scene, run)).state == Waiting(None)


async def test_a_run_that_a_message_kept_is_saved_when_its_worker_is_told_to_stop() -> None:
    async with standing() as (scene, post, worker, run):
        post.takes.clear()
        worker.make_room(1)
        await scene.calm()
        await scene.api.send(run, "number", b"5")
        post.takes.set()
        await scene.calm()
        assert (await known(scene, run)).saved is None, "a message was first"
        await sent(scene, run, 6)
        worker.drain()
        await scene.calm()
        left = await known(scene, run)
        assert (left.state, left.saved) == (Waiting(None), left.entries)


async def test_nothing_is_dropped_before_it_is_known_to_be_kept() -> None:
    async with standing() as (scene, post, worker, run):
        post.gives.clear()
        worker.make_room(1)
        await scene.calm()
        assert (await known(scene, run)).state == Waiting(None), "it is saved"
        assert (worker.runs, Big.alive) == (1, 1), "but the worker has not heard of it"
        post.gives.set()
        await scene.calm()
        assert any(isinstance(one, Ended) for one in post.told)
        assert (worker.runs, Big.alive) == (0, 0)
    assert ran == ["begins", "step"]


async def test_a_lost_reply_is_no_loss() -> None:
    async with standing() as (scene, post, worker, run):
        post.gives.clear()
        worker.make_room(1)
        await scene.calm()
        post.cut()
        await scene.calm()
        assert (worker.runs, Big.alive) == (0, 0)
        assert sum(isinstance(one, Saved) for one in post.said) == 1
        await sent(scene, run, 5)
        assert ran == ["begins", "step", "between"], "no `finally` ran where it was put away"


async def test_what_was_not_heard_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdings, "AGAIN_S", 0.0)
    async with standing() as (scene, post, worker, run):
        post.takes.clear()
        worker.make_room(1)
        await scene.calm()
        assert isinstance((await known(scene, run)).state, Waiting)
        assert (await known(scene, run)).saved is None
        post.cut()
        await scene.calm()
        assert (await known(scene, run)).saved == 1
        assert worker.runs == 0
    assert ran == ["begins", "step"]


async def test_a_run_that_is_told_to_stop_does_not_leave() -> None:
    async with standing() as (scene, post, worker, run):
        post.takes.clear()
        worker.make_room(1)
        await scene.calm()
        await scene.api.cancel(run)
        post.takes.set()
        await scene.calm()
        assert (await scene.over(run)).status == "CANCELED"
    assert ran == ["begins", "step", "finally"]


async def test_a_saved_run_that_is_cancelled_cleans_up_once() -> None:
    async with scene_of(tasks.summed) as scene, employed(scene.worker("a", options=SAVING)):
        run = await started(scene, "summed")
        await scene.api.cancel(run)
        await scene.calm()
        assert (await scene.over(run)).status == "CANCELED"
    assert ran == ["begins", "step", "finally"]
