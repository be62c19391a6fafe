"""Runs that wait are saved, leave their worker, and go on elsewhere; laws 3, 8, 10 and 11."""

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import msgspec
import pytest
from structlog.testing import capture_logs

from headrace.kernel.model import Blocked, Run, RunId, Running, Waiting
from headrace.ports import Channel, WorkApi
from headrace.sdk import execution_leaving
from headrace.sdk.execution import Runnable
from headrace.sdk.sealing import Sealer
from headrace.wire.channel import (
    Ended,
    Hello,
    Noted,
    Operation,
    Push,
    Registration,
    Saved,
    Unfit,
)
from headrace.wire.views import RunView
from headrace.worker import Options, holdings
from tests.worker import saved_tasks as tasks
from tests.worker.saved_tasks import Big, ran
from tests.worker.scene import PLAIN, SAVING, Scene, employed, setting

LATER = replace(SAVING, snapshots="warm")
OTHER_KEY = replace(SAVING, sealer=Sealer.of(["another key"]))


@pytest.fixture(autouse=True)
def fresh() -> None:
    ran.clear()
    gc.collect()
    Big.alive = 0


def scene_of(*served: Runnable) -> AbstractAsyncContextManager[Scene]:
    return setting(*served, inputs=("number", "other"))


async def known(scene: Scene, run: str) -> Run:
    found = await scene.stores.runs.load(RunId(run))
    assert found is not None
    return found


async def sent(scene: Scene, run: str, value: int, stream: str = "number") -> None:
    await scene.api.send(run, stream, b"%d" % value)
    await scene.calm()


async def started(scene: Scene, task: str, payload: bytes = b"1") -> str:
    run = await scene.start(task, payload)
    await scene.calm()
    return run


def output(view: RunView) -> object:
    assert view.status == "COMPLETED", (view.error, view.blocked)
    assert not isinstance(view.output, msgspec.UnsetType)
    return msgspec.json.decode(view.output)


class Post:
    """A `WorkApi` whose frames and pushes stop on their way until they are let through."""

    def __init__(self, api: WorkApi) -> None:
        self._api = api
        self.takes, self.gives = asyncio.Event(), asyncio.Event()
        self.takes.set()
        self.gives.set()
        self.said: list[Operation] = []
        self.told: list[Push] = []
        self._cut = asyncio.Event()
        self._kept: list[Operation] = []

    async def register(self, registration: Registration) -> None:
        await self._api.register(registration)

    async def listing(self) -> Registration | None:
        return await self._api.listing()

    @asynccontextmanager
    async def attach(self, hello: Hello) -> AsyncGenerator[Channel]:
        async with self._api.attach(hello) as channel:
            self._cut = asyncio.Event()
            yield Held(channel, self, self._cut)

    def cut(self) -> None:
        """End the connection; what was held is lost."""
        self._kept.clear()
        self._cut.set()
        self.takes.set()
        self.gives.set()


class Held:
    """One attachment of a `Post`."""

    def __init__(self, channel: Channel, post: Post, cut: asyncio.Event) -> None:
        self._channel, self._post, self._cut = channel, post, cut

    def post(self, operations: Sequence[Operation]) -> None:
        self._post.said.extend(operations)
        if self._cut.is_set():
            return
        if self._post.takes.is_set():
            self._channel.post([*self._post._kept, *operations])
            self._post._kept.clear()
        else:
            self._post._kept.extend(operations)

    @property
    def pushes(self) -> AsyncIterator[Sequence[Push]]:
        return self._read()

    async def _read(self) -> AsyncGenerator[Sequence[Push]]:
        coming = aiter(self._channel.pushes)
        while True:
            async with asyncio.TaskGroup() as group:
                batch = group.create_task(_next(coming))
                cut = group.create_task(self._cut.wait())
                await asyncio.wait((batch, cut), return_when=asyncio.FIRST_COMPLETED)
                batch.cancel()
                cut.cancel()
            if self._cut.is_set() or batch.cancelled():
                return
            pushes = batch.result()
            await self._post.gives.wait()
            if pushes is None or self._cut.is_set():
                return
            self._post.told.extend(pushes)
            yield pushes


async def _next(coming: AsyncIterator[Sequence[Push]]) -> Sequence[Push] | None:
    return await anext(coming, None)


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
                await started(scene, "summed")
                assert (worker.runs, Big.alive) == (0, 0)
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
    async with scene_of(tasks.warm) as scene:
        worker = scene.worker("a", options=options)
        async with employed(worker):
            run = await started(scene, "warm", b"null")
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


# --- who comes first ----------------------------------------------------------------------------


async def test_a_message_that_comes_first_keeps_the_run_warm() -> None:
    async with scene_of(tasks.summed) as scene:
        post = Post(scene.api)
        worker = scene.worker("a", options=LATER, api=post)
        async with employed(worker):
            run = await started(scene, "summed")
            post.takes.clear()
            worker._holdings.release(parked_only=True)
            await scene.calm()
            await scene.api.send(run, "number", b"5")
            post.takes.set()
            await scene.calm()
            assert any(isinstance(one, Saved) for one in post.said)
            assert (worker.runs, (await known(scene, run)).epoch) == (1, 1)
            assert ran == ["begins", "step", "between"]


async def test_nothing_is_dropped_before_it_is_known_to_be_kept() -> None:
    async with scene_of(tasks.summed) as scene:
        post = Post(scene.api)
        worker = scene.worker("a", options=LATER, api=post)
        async with employed(worker):
            run = await started(scene, "summed")
            post.gives.clear()
            worker._holdings.release(parked_only=True)
            await scene.calm()
            assert (await known(scene, run)).state == Waiting(None), "it is saved"
            assert (worker.runs, Big.alive) == (1, 1), "but the worker has not heard of it"
            post.gives.set()
            await scene.calm()
            assert any(isinstance(one, Ended) for one in post.told)
            assert (worker.runs, Big.alive) == (0, 0)
    assert ran == ["begins", "step"]


async def test_a_lost_reply_is_no_loss() -> None:
    async with scene_of(tasks.summed) as scene:
        post = Post(scene.api)
        worker = scene.worker("a", options=LATER, api=post)
        async with employed(worker):
            run = await started(scene, "summed")
            post.gives.clear()
            worker._holdings.release(parked_only=True)
            await scene.calm()
            post.cut()
            await scene.calm()
            assert (worker.runs, Big.alive) == (0, 0)
            assert sum(isinstance(one, Saved) for one in post.said) == 1
            await sent(scene, run, 5)
            assert ran == ["begins", "step", "between"], "no `finally` ran where it was put away"


async def test_what_was_not_heard_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdings, "AGAIN_S", 0.0)
    async with scene_of(tasks.summed) as scene:
        post = Post(scene.api)
        worker = scene.worker("a", options=LATER, api=post)
        async with employed(worker):
            run = await started(scene, "summed")
            post.takes.clear()
            worker._holdings.release(parked_only=True)
            await scene.calm()
            assert isinstance((await known(scene, run)).state, Waiting)
            assert (await known(scene, run)).saved is None
            post.cut()
            await scene.calm()
            assert (await known(scene, run)).saved == 1
            assert worker.runs == 0
    assert ran == ["begins", "step"]


async def test_a_run_that_is_told_to_stop_does_not_leave() -> None:
    async with scene_of(tasks.summed) as scene:
        post = Post(scene.api)
        worker = scene.worker("a", options=LATER, api=post)
        async with employed(worker):
            run = await started(scene, "summed")
            post.takes.clear()
            worker._holdings.release(parked_only=True)
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


# --- snapshots that cannot be used ---------------------------------------------------------------


async def _saved_elsewhere(scene: Scene) -> str:
    async with employed(scene.worker("a", options=SAVING)):
        return await started(scene, "summed")


@pytest.mark.parametrize("options", [OTHER_KEY, PLAIN], ids=["another key", "no key"])
async def test_without_its_key_a_run_is_replayed(options: Options) -> None:
    async with scene_of(tasks.summed) as scene:
        run = await _saved_elsewhere(scene)
        post = Post(scene.api)
        async with employed(scene.worker("b", options=options, api=post)):
            await sent(scene, run, 5)
            assert any(isinstance(one, Unfit) for one in post.said)
            assert ran == ["begins", "step", "begins", "between"]
            await sent(scene, run, 6)
            await sent(scene, run, 7)
            assert output(await scene.over(run)) == [2, 5, 6, 7]


async def test_a_key_may_be_replaced() -> None:
    both = replace(SAVING, sealer=Sealer.of(["the new key", "a key of the tests"]))
    async with scene_of(tasks.summed) as scene:
        run = await _saved_elsewhere(scene)
        async with employed(scene.worker("b", options=both)):
            await sent(scene, run, 5)
            await sent(scene, run, 6)
            assert ran == ["begins", "step", "between"]
        only_new = replace(SAVING, sealer=Sealer.of(["the new key"]))
        async with employed(scene.worker("c", options=only_new)):
            await sent(scene, run, 7)
            assert output(await scene.over(run)) == [2, 5, 6, 7]
    assert ran == ["begins", "step", "between", "finally"]


async def test_a_changed_function_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scene_of(tasks.summed) as scene:
        run = await _saved_elsewhere(scene)
        _changed(monkeypatch)
        async with employed(scene.worker("b", options=SAVING)):
            await sent(scene, run, 5)
            assert ran == ["begins", "step", "begins", "between"]


async def test_a_changed_function_without_its_journal_blocks_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(execution_leaving, "JOURNAL_KEPT", 0)
    async with scene_of(tasks.summed) as scene:
        run = await _saved_elsewhere(scene)
        assert (await known(scene, run)).base == 1
        with monkeypatch.context() as patch:
            _changed(patch)
            async with employed(scene.worker("b", options=SAVING)):
                await sent(scene, run, 5)
                found = await known(scene, run)
                assert isinstance(found.state, Blocked)
                message = found.state.cause.message
                assert "the source of summed() in tests.worker.saved_tasks changed" in message
                assert "1 entries of its journal have been dropped" in message
                assert found.failures == 0
    assert ran == ["begins", "step"]


def _changed(patch: pytest.MonkeyPatch) -> None:
    """Let `summed` look as if its source were another now."""
    from headrace.frames import registry  # noqa: PLC0415 - only here

    key = (tasks.__name__, "summed", 0)
    patch.setitem(registry._units, key, replace(registry._units[key], fingerprint="00" * 12))


# --- long journals -------------------------------------------------------------------------------


async def test_a_long_journal_is_dropped_with_the_save(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution_leaving, "JOURNAL_KEPT", 10)
    async with scene_of(tasks.counting) as scene, employed(scene.worker("a", options=SAVING)):
        run = await started(scene, "counting", b"40")
        for value in range(39):
            await sent(scene, run, value)
            assert len(await scene.journal(run)) <= 11
        assert (await known(scene, run)).base > 20
        await sent(scene, run, 39)
        assert output(await scene.over(run)) == sum(range(40))
    assert ran == ["turn"] * 40


async def test_a_loop_that_never_leaves_is_saved_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(execution_leaving, "SAVED_EVERY", 4)
    async with scene_of(tasks.listening) as scene:
        async with employed(scene.worker("a", options=SAVING)):
            run = await started(scene, "listening", b"9")
            for value in range(1, 6):
                await sent(scene, run, value)
            found = await known(scene, run)
            assert (isinstance(found.state, Running), found.saved) == (True, 4)
        await scene.bury()
        async with employed(scene.worker("b", options=SAVING)):
            await scene.calm()
            for value in range(6, 10):
                await sent(scene, run, value)
            assert output(await scene.over(run)) == sum(range(10))
    assert ran == [f"heard {n}" for n in (1, 2, 3, 4, 5, 5, 6, 7, 8, 9)]


async def test_a_worker_has_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that is too large is refused by name, and the run stays."""
    monkeypatch.setattr("headrace.sdk.execution_suspension.SNAPSHOT_AT_MOST", 10)
    async with scene_of(tasks.summed) as scene:
        worker = scene.worker("a", options=SAVING)
        with capture_logs() as logs:
            async with employed(worker):
                await started(scene, "summed")
                assert worker.runs == 1
    assert any("the most is 10" in one.get("why", "") for one in logs)
