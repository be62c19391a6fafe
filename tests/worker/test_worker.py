"""A worker's own life: its lease, its slots, its repair, its drain, its memory; law 8."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from headrace.errors import Unauthorized, Unavailable
from headrace.kernel.model import Queued, RunId, Running, State, Waiting
from headrace.ports import Channel, WorkApi
from headrace.sdk.execution import require
from headrace.wire.channel import Hello, Renewed
from headrace.wire.registration import Registration
from headrace.worker import Outcome
from tests.sdk.played import once, step, wait
from tests.worker.scene import PLAIN, Faults, Job, Link, Longest, Scene, employed, setting

QUICK = replace(PLAIN, grace_s=0.05)


async def waits(_payload: bytes) -> bytes:
    return await wait("x") or b"null"


async def listens(_payload: bytes) -> bytes:
    return await once("x") or b"null"


async def state(scene: Scene, run: str) -> State:
    found = await scene.stores.runs.load(RunId(run))
    assert found is not None
    return found.state


# --- draining --------------------------------------------------------------------------------


async def test_a_drained_worker_turns_what_waits_cold() -> None:
    async with setting(Job("job", waits)) as scene:
        worker = scene.worker("w", options=replace(PLAIN, grace_s=3_600))
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            working = group.create_task(worker.run())
            await worker.attached.wait()
            run = await scene.start()
            await scene.calm()
            worker.drain()
            assert await working is Outcome.DRAINED
        assert await state(scene, run) == Waiting(None)
        async with employed(scene.worker("next")):
            await scene.api.send(run, "x", b"5")
            assert (await scene.over(run)).status == "COMPLETED"


async def test_a_drained_worker_lets_a_run_reach_its_wait() -> None:
    go_on = asyncio.Event()

    async def works(_payload: bytes) -> bytes:
        await step("slow", _gated(go_on))
        return await wait("x") or b"null"

    async with setting(Job("job", works)) as scene:
        worker = scene.worker("w")
        async with asyncio.TaskGroup() as group:
            working = group.create_task(worker.run())
            await worker.attached.wait()
            run = await scene.start()
            await scene.calm()
            worker.drain()
            await scene.calm()
            assert not working.done()
            go_on.set()
            await working
        assert await state(scene, run) == Waiting(None)
        assert [entry.key for entry in await scene.journal(run)] == ["slow#0"]


def _gated(event: asyncio.Event) -> Callable[[], Awaitable[bytes]]:
    async def effect() -> bytes:
        await event.wait()
        return b"1"

    return effect


async def test_what_does_not_reach_a_wait_in_the_grace_is_given_back() -> None:
    cleaned: list[str] = []

    async def hangs(_payload: bytes) -> bytes:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("plain")
            await step("never")
        return b"null"

    async with setting(Job("job", hangs)) as scene:
        worker = scene.worker("w", options=QUICK)
        async with asyncio.TaskGroup() as group:
            working = group.create_task(worker.run())
            await worker.attached.wait()
            run = await scene.start()
            await scene.calm()
            worker.drain()
            await working
        assert isinstance(await state(scene, run), Queued)
        assert await scene.journal(run) == ()
        await scene.calm()
        assert cleaned == ["plain"]


async def test_a_process_that_will_end_leaves_the_code_of_its_runs_alone() -> None:
    cleaned: list[str] = []

    async def hangs(_payload: bytes) -> bytes:
        try:
            return await wait("x") or b"null"
        finally:
            cleaned.append("plain")

    async with setting(Job("job", hangs)) as scene:
        worker = scene.worker("w", options=replace(QUICK, unwinds=False))
        async with asyncio.TaskGroup() as group:
            working = group.create_task(worker.run())
            await worker.attached.wait()
            run = await scene.start()
            await scene.calm()
            worker.drain()
            await working
            await scene.calm()
            assert cleaned == []
        assert await state(scene, run) == Waiting(None)


async def test_a_draining_worker_takes_nothing_new() -> None:
    async with setting(Job("job", listens)) as scene:
        worker = scene.worker("w")
        async with asyncio.TaskGroup() as group:
            working = group.create_task(worker.run())
            await worker.attached.wait()
            first = await scene.start()
            await scene.calm()
            worker.drain()
            await scene.calm()
            second = await scene.start()
            await scene.calm()
            assert isinstance(await state(scene, second), Queued)
            await scene.api.send(first, "x", b"1")
            await working
        assert (await scene.over(first)).status == "COMPLETED"
        assert isinstance(await state(scene, second), Queued)


async def test_waiting_runs_hold_no_slot() -> None:
    async with setting(Job("job", waits)) as scene:
        worker = scene.worker("w", options=replace(PLAIN, slots=1))
        async with employed(worker):
            runs = [await scene.start() for _ in range(3)]
            await scene.calm()
            assert {type(await state(scene, run)) for run in runs} == {Waiting}


async def test_running_runs_hold_one() -> None:
    options = replace(PLAIN, slots=1)
    async with (
        setting(Job("job", listens)) as scene,
        employed(scene.worker("w", options=options)),
    ):
        first, second = await scene.start(), await scene.start()
        await scene.calm()
        assert isinstance(await state(scene, first), Running)
        assert isinstance(await state(scene, second), Queued)
        await scene.api.send(first, "x", b"1")
        await scene.calm()
        assert isinstance(await state(scene, second), Running)


# --- the connection --------------------------------------------------------------------------


class Unsteady:
    """A server that answers only after some attempts, with the same error before."""

    def __init__(self, api: WorkApi, error: Exception, times: int) -> None:
        self._api, self._error, self._times = api, error, times
        self.moments = list[float]()

    @property
    def asked(self) -> int:
        return len(self.moments)

    async def register(self, registration: Registration) -> None:
        self.moments.append(asyncio.get_running_loop().time())
        if self.asked <= self._times:
            raise self._error
        await self._api.register(registration)

    async def listing(self) -> Registration | None:
        return await self._api.listing()

    def attach(self, hello: Hello) -> AbstractAsyncContextManager[Channel]:
        return self._api.attach(hello)


@pytest.mark.parametrize("error", [Unavailable("no answer"), ConnectionRefusedError("no server")])
async def test_a_server_that_is_not_there_yet_is_asked_again(error: Exception) -> None:
    async with setting(Job("job", waits)) as scene:
        server = Unsteady(scene.api, error, 3)
        async with employed(scene.worker("w", api=server)):
            assert server.asked == 4


async def test_a_server_that_is_back_has_its_workers_within_two_seconds() -> None:
    async with setting(Job("job", waits)) as scene:
        server = Unsteady(scene.api, Unavailable("no answer"), 6)
        options = replace(PLAIN, chance=Longest())
        async with employed(scene.worker("w", options=options, api=server)):
            pauses = [later - before for before, later in pairwise(server.moments)]
            assert max(pauses) < 2.0
            assert sum(pauses) > 1.0  # it is not asked all the time, either


async def test_a_wrong_key_ends_the_worker() -> None:
    async with setting(Job("job", waits)) as scene:
        server = Unsteady(scene.api, Unauthorized("wrong key"), 99)
        worker = scene.worker("w", api=server)
        with pytest.raises(Unauthorized):
            await worker.run()


class Watched:
    """A `WorkApi` that shows what a worker posts."""

    def __init__(self, api: WorkApi) -> None:
        self._api = api
        self.renewed = asyncio.Event()

    async def register(self, registration: Registration) -> None:
        await self._api.register(registration)

    async def listing(self) -> Registration | None:
        return await self._api.listing()

    @asynccontextmanager
    async def attach(self, hello: Hello) -> AsyncGenerator[Channel]:
        async with self._api.attach(hello) as channel:
            yield _Watching(channel, Faults(), self.renewed)


class _Watching(Link):
    def __init__(self, channel: Channel, faults: Faults, renewed: asyncio.Event) -> None:
        super().__init__(channel, faults)
        self._renewed = renewed

    def post(self, operations: object) -> None:
        if any(isinstance(op, Renewed) for op in operations):  # type: ignore[attr-defined]  # a frame
            self._renewed.set()
        super().post(operations)  # type: ignore[arg-type]  # a frame


async def test_the_lease_is_renewed_whatever_the_runs_do() -> None:
    async with setting(Job("job", waits)) as scene:
        watched = Watched(scene.api)
        options = replace(PLAIN, renew_s=0.01)
        async with employed(scene.worker("w", options=options, api=watched)):
            for _ in range(3):
                watched.renewed.clear()
                await watched.renewed.wait()


async def test_a_worker_that_lost_its_lease_drops_its_runs_and_changes_nothing() -> None:
    ended: list[str] = []
    go_on = asyncio.Event()
    calls: list[str] = []

    async def effect() -> bytes:
        calls.append("called")
        await go_on.wait()
        return b"%d" % len(calls)

    async def works(_payload: bytes) -> bytes:
        try:
            return await step("slow", effect)
        except BaseException as error:
            ended.append(type(error).__name__)
            raise

    async with setting(Job("job", works)) as scene:
        with capture_logs() as logs:
            async with employed(scene.worker("zombie")):
                run = await scene.start()
                await scene.calm()
                # It stands still for longer than its lease; then it comes back to life.
                await scene.bury(6_000)
                assert ended == ["Abandoned"]
                go_on.set()
                view = await scene.over(run)
        assert [log["run"] for log in logs if "another worker has" in log["event"]] == [run]
        assert (view.status, view.attempt_count) == ("COMPLETED", 1)
        assert [entry.body for entry in await scene.journal(run)] == [b"2"]


async def test_three_workers_lost_without_news_between_crash_the_run() -> None:
    async def kills(_payload: bytes) -> bytes:
        await asyncio.Event().wait()
        return b"null"

    async with setting(Job("job", kills)) as scene:
        run = await scene.start()
        for n in range(3):
            async with employed(scene.worker(f"w{n}")):
                await scene.calm()
                assert isinstance(await state(scene, run), Running)
            await scene.bury()
        assert (await scene.over(run)).status == "CRASHED"


async def test_a_worker_takes_no_run_of_a_task_that_it_does_not_have() -> None:
    async with setting(Job("job", waits), Job("other", waits)) as scene:
        worker = scene.worker("w", without="job")
        async with employed(worker):
            run = await scene.start()
            await scene.calm()
            assert isinstance(await state(scene, run), Queued)
            assert worker.runs == 0


# --- memory ----------------------------------------------------------------------------------


async def test_near_its_memory_limit_a_worker_gives_all_back_and_asks_to_be_renewed() -> None:
    used = 0
    options = replace(QUICK, memory_limit=1_000, rss=lambda: used, weigh_s=0.001)
    async with setting(Job("job", waits)) as scene:
        worker = scene.worker("w", options=options)
        async with asyncio.TaskGroup() as group:
            working = group.create_task(worker.run())
            await worker.attached.wait()
            run = await scene.start()
            await scene.calm()
            assert not working.done()
            used = 801
            assert await working is Outcome.RENEW
        assert await state(scene, run) == Waiting(None)


async def test_whoever_watches_over_it_may_start_another_one_first() -> None:
    used, tired = 0, asyncio.Event()
    options = replace(QUICK, memory_limit=1_000, rss=lambda: used, weigh_s=0.001, tired=tired.set)
    async with setting(Job("job", listens)) as scene:
        worker = scene.worker("w", options=options)
        async with asyncio.TaskGroup() as group:
            working = group.create_task(worker.run())
            await worker.attached.wait()
            first = await scene.start()
            await scene.calm()
            used = 801
            await tired.wait()
            await scene.calm()
            assert not working.done()
            second = await scene.start()
            await scene.calm()
            assert isinstance(await state(scene, first), Running)
            assert isinstance(await state(scene, second), Queued)
            used = 951
            assert await working is Outcome.RENEW


# --- blocking tasks and others -----------------------------------------------------------------


async def test_runs_of_one_worker_do_not_see_each_other() -> None:
    seen: dict[str, set[str]] = {}

    async def works(payload: bytes) -> bytes:
        for _ in range(3):
            seen.setdefault(payload.decode(), set()).add(require("test").run_id)
            await step("s")
            await asyncio.gather(once("x"), _see(payload))
        return payload

    async def _see(payload: bytes) -> None:
        seen[payload.decode()].add(require("test").run_id)

    async with setting(Job("job", works)) as scene, employed(scene.worker("w")):
        runs = {str(n): await scene.start(payload=b"%d" % n) for n in range(5)}
        for _ in range(3):
            await scene.calm()
            for run in runs.values():
                await scene.api.send(run, "x", b"1")
        for run in runs.values():
            await scene.over(run)
    assert seen == {payload: {run} for payload, run in runs.items()}
