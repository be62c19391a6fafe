"""The server has a bug: a worker does not meet it for ever, and its runs come to an end."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import TypeVar

import pytest
from msgspec import UnsetType
from structlog.testing import capture_logs

from headrace.kernel.model import outward
from headrace.ports import Channel, Stores, WorkApi
from headrace.sdk.execution import require
from headrace.testing.faults import Bug, FailingRuns, Fault, Faults, failing
from headrace.wire.channel import Hello
from headrace.wire.registration import Registration
from headrace.wire.views import RunView
from tests.sdk.played import step
from tests.worker.scene import Job, employed, setting

T = TypeVar("T")


class Counted:
    """A `WorkApi` that counts how often a worker attaches."""

    def __init__(self, api: WorkApi) -> None:
        self._api = api
        self.attached = 0

    async def register(self, registration: Registration) -> None:
        await self._api.register(registration)

    async def listing(self) -> Registration | None:
        return await self._api.listing()

    def attach(self, hello: Hello) -> AbstractAsyncContextManager[Channel]:
        self.attached += 1
        return self._api.attach(hello)


class Planted:
    """What fails in the store of a scene, once the scene has been set."""

    def __init__(self) -> None:
        self.faults = Faults(Fault(at=0))

    def __call__(self, stores: Stores) -> Stores:
        behind, self.faults = failing(stores, Fault(at=0))
        return behind


@pytest.mark.parametrize("landed", [False, True])
async def test_a_bug_of_the_server_ends_a_run_and_is_not_met_for_ever(*, landed: bool) -> None:
    """Whichever of the run's writes it hits; without it, the run is told to the end."""
    go_on, planted = asyncio.Event(), Planted()

    async def works(_payload: bytes) -> bytes:
        await go_on.wait()
        await step("a")
        await require("emit").emit(outward("out"), b"1", line="here:1")
        await step("b")
        return b"1"

    async with setting(Job("job", works), planted=planted) as scene:
        counted = Counted(scene.api)
        async with employed(scene.worker("w", api=counted)):
            outcomes: list[str] = []
            while not outcomes or outcomes[-1] != "as if nothing was":
                go_on.clear()
                run = await scene.start()
                await scene.calm()
                planted.faults.fault = Fault(
                    at=planted.faults.writes + len(outcomes) + 1, landed=landed, bug=True
                )
                hit = planted.faults.fault.at
                go_on.set()
                view = await scene.over(run)
                is_hit = planted.faults.writes >= hit
                outcomes.append(_story(view) if is_hit else "as if nothing was")
                assert is_hit or view.status == "COMPLETED"
        assert counted.attached == 1
    last = "COMPLETED" if landed else "FAILED: ServerFault"
    assert outcomes == ["FAILED: ServerFault"] * 3 + [last, "as if nothing was"]


def _story(view: RunView) -> str:
    error = view.error
    return view.status if isinstance(error, UnsetType) else f"{view.status}: {error.name}"


async def test_a_run_that_the_server_cannot_even_end_is_dropped_here() -> None:
    go_on, ended = asyncio.Event(), asyncio.Event()

    async def works(_payload: bytes) -> bytes:
        await go_on.wait()
        try:
            return await step("a")
        finally:
            ended.set()

    class Broken(Faults):
        async def write(self, call: Callable[[], Awaitable[T]]) -> T:
            if go_on.is_set():
                raise Bug("nothing can be written")
            return await call()

    def broken(stores: Stores) -> Stores:
        return replace(stores, runs=FailingRuns(stores.runs, Broken(Fault(at=0))))

    async with setting(Job("job", works), planted=broken) as scene:
        counted = Counted(scene.api)
        worker = scene.worker("w", api=counted)
        with capture_logs() as logs:
            async with employed(worker):
                run = await scene.start()
                await scene.calm()
                go_on.set()
                await ended.wait()
                await scene.calm()
                assert worker.runs == 0
        assert counted.attached == 1
        assert [log["run"] for log in logs if "dropped here" in log["event"]] == [run]
