"""Runs that wait are saved, leave their worker, and go on elsewhere; laws 8, 10 and 11."""

import asyncio
import gc
from dataclasses import replace

import msgspec
import pytest
from structlog.testing import capture_logs

from headrace.kernel.model import Running, Waiting
from headrace.sdk.execution import Runnable
from headrace.sdk.execution_life import Life
from headrace.wire.channel import Note, Noted, Saved
from tests.worker import saved_tasks as tasks
from tests.worker.keeping import LATER, Post, known, output, scene_of, sent, started
from tests.worker.saved_tasks import Big, ran
from tests.worker.scene import SAVING, employed

pytestmark = pytest.mark.usefixtures("fresh")


# --- leaving and coming back -------------------------------------------------------------------


async def test_a_run_goes_on_elsewhere_after_its_wait_with_its_variables() -> None:
    async with scene_of(tasks.summed) as scene:
        async with employed(scene.worker("a", options=SAVING)):
            run = await started(scene, "summed")
        found = await known(scene, run)
        assert (found.state, found.saved, found.base) == (Waiting(None), 1, 0)
        assert ran == ["begins", "step"]
        async with employed(scene.worker("b", options=SAVING)):
            await sent(scene, run, 5)
            assert isinstance((await known(scene, run)).state, Running), "a loop does not leave"
            await sent(scene, run, 6)
            assert (await known(scene, run)).state == Waiting(None)
            await scene.pass_time(3_600_000)
            shown = "nothing came on 'number' within 1h"
            assert output(await scene.over(run)) == [2, 5, 6, -len(shown)]
    assert ran == ["begins", "step", "between", "finally"]
    gc.collect()
    assert Big.alive == 0


async def test_a_worker_lets_go_of_what_it_has_saved() -> None:
    async with scene_of(tasks.summed) as scene:
        worker = scene.worker("a", options=SAVING)
        async with employed(worker):
            gc.collect()
            gc.disable()  # all of it goes at once, not when the collector finds it
            try:
                lives = {id(one) for one in gc.get_objects() if isinstance(one, Life)}
                await started(scene, "summed")
                left = [one for one in gc.get_objects() if isinstance(one, Life)]
                assert (worker.runs, Big.alive) == (0, 0)
                assert {id(one) for one in left} <= lives
            finally:
                gc.enable()
    assert ran == ["begins", "step"]


async def test_time_passes_while_nobody_holds_the_run() -> None:
    async with scene_of(tasks.paused) as scene, employed(scene.worker("a", options=SAVING)):
        run = await started(scene, "paused", b"null")
        assert (await known(scene, run)).state == Waiting(None)
        await scene.pass_time(3_600_000)
        assert output(await scene.over(run)) == run
    assert ran == ["begins", "between"]


async def test_every_wait_of_a_loop_keeps_its_number() -> None:
    async with scene_of(tasks.counting) as scene:
        run = ""
        for value in range(1, 6):
            async with employed(scene.worker(f"w{value}", options=SAVING)):
                run = run or await started(scene, "counting", b"5")
                await sent(scene, run, value)
        assert output(await scene.over(run)) == 15
        keys = [entry.key for entry in await scene.journal(run)]
    assert keys == [f"wait:number#{n}" for n in range(5)]
    assert ran == ["turn"] * 5


async def test_a_small_task_takes_little() -> None:
    async with scene_of(tasks.counting) as scene:
        post = Post(scene.api)
        async with employed(scene.worker("a", options=SAVING, api=post)):
            await started(scene, "counting")
    sizes = [len(one.body) for one in post.said if isinstance(one, Saved)]
    assert sizes
    assert max(sizes) <= 130


async def test_things_of_the_sdk_come_back_by_name() -> None:
    async with scene_of(tasks.holding, tasks.summed) as scene:
        async with employed(scene.worker("a", options=SAVING)):
            run = await started(scene, "holding", b"null")
            assert (await known(scene, run)).state == Waiting(None)
        async with employed(scene.worker("b", options=SAVING)):
            await sent(scene, run, 5)
            view = await scene.over(run)
            child, opened, price = msgspec.convert(output(view), tuple[str, int, str])
            assert (opened, price) == (0, "3.30")
            assert (await known(scene, child)).task == "summed"


# --- when ----------------------------------------------------------------------------------------


async def test_a_run_stays_warm_for_a_while() -> None:
    async with scene_of(tasks.summed) as scene:
        worker = scene.worker("a", options=LATER)
        async with employed(worker):
            run = await started(scene, "summed")
            assert isinstance((await known(scene, run)).state, Waiting)
            assert (worker.runs, (await known(scene, run)).saved) == (1, None)


async def test_a_run_leaves_when_it_has_been_warm_for_long_enough() -> None:
    async with scene_of(tasks.summed) as scene:
        worker = scene.worker("a", options=replace(LATER, keep_warm_s=0.001))
        async with employed(worker), asyncio.timeout(5):
            run = await started(scene, "summed")
            while worker.runs:
                await scene.calm()
            assert (await known(scene, run)).state == Waiting(None)


async def test_a_wait_may_say_how_long_it_stays_warm() -> None:
    options = replace(LATER, keep_warm_s=0)
    async with scene_of(tasks.lukewarm) as scene:
        worker = scene.worker("a", options=options)
        async with employed(worker):
            run = await started(scene, "lukewarm", b"null")
            assert worker.runs == 1, "the task says an hour"
            await sent(scene, run, 1)
            assert worker.runs == 0, "the wait says at once"
            await sent(scene, run, 2)
            assert output(await scene.over(run)) == 3


async def test_a_task_may_do_without() -> None:
    async with scene_of(tasks.staying) as scene:
        worker = scene.worker("a", options=SAVING)
        async with employed(worker):
            run = await started(scene, "staying", b"null")
            assert (worker.runs, (await known(scene, run)).saved) == (1, None)


async def test_what_is_said_to_the_server_is_said_before_leaving() -> None:
    async with scene_of(tasks.noting) as scene:
        post = Post(scene.api)
        async with employed(scene.worker("a", options=SAVING, api=post)):
            run = await started(scene, "noting", b"null")
            kinds = [type(one) for one in post.said if isinstance(one, Noted | Saved)]
            assert kinds == [Noted, Saved]
            note = next(n for n, one in enumerate(post.said) if isinstance(one, Noted))
            saved = next(n for n, one in enumerate(post.said) if isinstance(one, Saved))
            assert note < saved
            assert (await known(scene, run)).state == Waiting(None)
            shown = msgspec.json.encode(await scene.api.retrieve(run))
            assert b'"metadata":{"stage":"first"}' in shown


async def test_a_run_does_not_leave_before_the_server_has_heard_it_out() -> None:
    async with scene_of(tasks.noting) as scene:
        post = Post(scene.api)
        post.held = Note
        post.gives.clear()
        async with employed(scene.worker("a", options=SAVING, api=post)):
            run = await started(scene, "noting", b"null")
            assert not any(isinstance(one, Saved) for one in post.said)
            post.gives.set()
            await scene.calm()
            assert (await known(scene, run)).state == Waiting(None)


async def test_a_drained_worker_saves_what_waits() -> None:
    async with scene_of(tasks.summed) as scene:
        worker = scene.worker("a", options=LATER)
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            working = group.create_task(worker.run())
            await worker.attached.wait()
            run = await started(scene, "summed")
            worker.drain()
            await working
        assert (await known(scene, run)).saved == 1
        async with employed(scene.worker("b", options=SAVING)):
            await sent(scene, run, 5)
            assert ran == ["begins", "step", "between"]


async def test_under_pressure_those_leave_that_have_waited_longest() -> None:
    used = [10]
    tired = list[str]()
    options = replace(
        LATER,
        memory_limit=100,
        rss=lambda: used[0],
        weigh_s=0.001,
        tired=lambda: tired.append("tired"),
    )
    async with scene_of(tasks.summed) as scene:
        worker = scene.worker("a", options=options)
        async with employed(worker), asyncio.timeout(5):
            run = await started(scene, "summed")
            used[0] = 85
            while worker.runs:
                await scene.calm()
            used[0] = 10
            assert (await known(scene, run)).state == Waiting(None)
            assert (await known(scene, run)).saved == 1
    assert ran == ["begins", "step"]


# --- what cannot be saved -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (tasks.locking, "local 'lock' (_thread.lock) in locking()"),
        (
            tasks.branching,
            "another branch of it lives, in the wait at tests/worker/saved_tasks.py:",
        ),
        (tasks.hearing, "stream 'other' has a live handler, `on` at tests/worker/saved_tasks.py:"),
        (tasks.shading, "the context variable 'shade' was set by the task"),
    ],
    ids=lambda one: getattr(one, "id", ""),
)
async def test_what_is_in_the_way_is_named_once_and_the_run_stays(
    task: Runnable, words: str
) -> None:
    async with scene_of(task) as scene:
        worker = scene.worker("a", options=SAVING)
        with capture_logs() as logs:
            async with employed(worker):
                runs = [await started(scene, task.id, b"null") for _ in range(3)]
                assert worker.runs == 3
                assert (await known(scene, runs[0])).saved is None
                said = [one["why"] for one in logs if "cannot be saved" in one["event"]]
                for run in runs:
                    await sent(scene, run, 1, "other")
                    await sent(scene, run, 1)
    assert len(said) == 1
    assert words in said[0]


async def test_a_context_variable_that_was_reset_is_no_hindrance() -> None:
    async with scene_of(tasks.shading) as scene:
        worker = scene.worker("a", options=SAVING)
        async with employed(worker):
            run = await started(scene, "shading", b"null")
            await sent(scene, run, 1)
            assert worker.runs == 0
            await sent(scene, run, 1)
            assert output(await scene.over(run)) == "none"
