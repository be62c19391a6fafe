"""Deploys that change what a run asks: accepted entry by entry, or begun again; law 11."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final, cast

import msgspec
import pytest
from structlog.testing import capture_logs

from headrace.frames import registry, resumable
from headrace.kernel.model import Blocked, Gap, Key, Run, Waiting, outward
from headrace.sdk.awaited import Awaited
from headrace.sdk.execution import require
from headrace.sdk.execution_question import Place
from headrace.wire.views import Acceptance
from headrace.worker import Worker
from tests.sdk.played import again, step, wait
from tests.worker.keeping import known
from tests.worker.scene import SAVING, Job, Scene, employed, setting

trace: Final[list[str]] = []
"""What the code has done, in every life."""


@pytest.fixture(autouse=True)
def fresh() -> None:
    trace.clear()


class Version(Job):
    """The task, as one version of the code has it."""

    is_resumable = True
    keep_warm_ms = None

    def __init__(self, flow: Callable[[], Awaitable[bytes]]) -> None:
        super().__init__("job", lambda _: flow())
        self._flow = resumable(flow)

    def call(self, _payload: bytes) -> Coroutine[Any, Any, Any]:
        return cast("Coroutine[Any, Any, Any]", self._flow())

    def again(self, place: Place, kept: object, *, unwraps: bool) -> Awaited[Any]:
        assert kept is True
        assert not unwraps
        return again(place)

    def encoded(self, result: object) -> bytes:
        assert isinstance(result, bytes)
        return msgspec.json.encode(result.decode())


async def did(name: str) -> bytes:
    async def effect() -> bytes:
        trace.append(name)
        return name.encode()

    return await step(name, effect)


async def got(stream: str) -> bytes:
    return await wait(stream) or b"-"


# --- versions of one task -------------------------------------------------------------------------


async def first() -> bytes:
    said = await did("a")
    said += await wait("x") or b""
    return said + (await wait("y") or b"")


async def audits() -> bytes:
    said = await did("audit")
    said += await did("a")
    said += await wait("x") or b""
    return said + (await wait("y") or b"")


async def audits_only() -> bytes:
    said = await did("audit")
    said += await wait("x") or b""
    said += await wait("y") or b""
    return said + await did("b")


async def asks_late() -> bytes:
    said = await wait("x") or b""
    said += await wait("y") or b""
    trace.append("goes on")
    return said + await did("a")


async def asks_first() -> bytes:
    said = await wait("z") or b""
    said += await did("a")
    said += await wait("x") or b""
    return said + (await wait("y") or b"")


async def appends() -> bytes:
    await require("emit").emit(outward("out"), b"1", line="flow.py:1")
    return await did("a") + (await wait("x") or b"")


async def appends_and_audits() -> bytes:
    await require("emit").emit(outward("out"), b"1", line="flow.py:1")
    said = await did("audit")
    await require("emit").emit(outward("out"), b"2", line="flow.py:2")
    return said + await did("a") + (await wait("x") or b"")


@asynccontextmanager
async def deployed(
    scene: Scene, flow: Callable[[], Awaitable[bytes]], name: str = ""
) -> AsyncGenerator[Worker]:
    """Let a worker with this version of the code work while the block lasts."""
    options = replace(SAVING, worker=name or flow.__name__)
    worker = Worker(scene.api, {"job": Version(flow)}, scene.registration, options)
    async with employed(worker):
        await scene.calm()
        yield worker


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Awaitable[bytes]]], None]:
    """Let a function look as if its source were another now: no snapshot of it fits."""

    def change(flow: Callable[[], Awaitable[bytes]]) -> None:
        key = (__name__, flow.__name__, 0)
        units = registry._units  # pyright: ignore[reportPrivateUsage] - a source that changes
        monkeypatch.setitem(units, key, replace(units[key], fingerprint="00" * 12))

    return change


Change = Callable[[Callable[[], Awaitable[bytes]]], None]


async def send(scene: Scene, run: str, stream: str, body: bytes) -> Run:
    await scene.api.send(run, stream, body)
    await scene.calm()
    return await known(scene, run)


async def accept(
    scene: Scene, run: str, *, skip: tuple[int, ...] = (), insert: tuple[str, ...] = ()
) -> Run:
    await scene.api.accept(run, Acceptance(skip=skip, insert=insert))
    await scene.calm()
    return await known(scene, run)


def gap_of(run: Run) -> Gap | None:
    """Return where a run is blocked; it has burnt no attempt."""
    assert isinstance(run.state, Blocked), run.state
    assert (run.failures, run.attempt) == (0, 1)
    return run.state.gap


async def result(scene: Scene, run: str) -> object:
    view = await scene.over(run)
    assert view.status == "COMPLETED", (view.error, view.blocked)
    assert not isinstance(view.output, msgspec.UnsetType)
    return msgspec.json.decode(view.output)


# --- accepted -------------------------------------------------------------------------------


async def test_two_deploys_that_differ_are_accepted_one_after_the_other(changed: Change) -> None:
    async with setting(Version(first)) as scene:
        async with deployed(scene, first):
            run = await scene.start()
            await scene.calm()
        assert (await known(scene, run)).saved == 1
        changed(first)
        async with deployed(scene, audits):
            assert gap_of(await send(scene, run, "x", b"1")) == Gap(0, (Key("audit#0"),))
            left = await accept(scene, run, insert=("audit#0",))
            assert (left.state, left.saved, left.base) == (Waiting(None), 4, 0)
        assert trace == ["a", "audit"]
        changed(audits)
        async with deployed(scene, audits_only):
            assert gap_of(await send(scene, run, "y", b"2")) == Gap(0, (Key("x#0"),))
            await accept(scene, run, skip=(0,))
            assert await result(scene, run) == "audit12b"
    assert trace == ["a", "audit", "b"]


async def test_a_snapshot_knows_what_was_skipped(changed: Change) -> None:
    """Else a later step of that name would find its key taken, in the store alone."""
    async with setting(Version(first)) as scene:
        async with deployed(scene, first):
            run = await scene.start()
            await scene.calm()
        changed(first)
        async with deployed(scene, asks_late):
            gap_of(await send(scene, run, "x", b"1"))
            left = await accept(scene, run, skip=(0,))
            assert (left.state, left.saved) == (Waiting(None), 3)
        async with deployed(scene, asks_late, "another"):
            await send(scene, run, "y", b"2")
            assert await result(scene, run) == "12a"
        keys = [entry.key for entry in await scene.journal(run)]
    assert trace == ["a", "goes on", "a"]
    assert keys == ["a#0", "x#0", "a#0-", "y#0", "a#1"]


async def test_a_run_is_not_saved_before_it_has_been_told_all_that_is_recorded(
    changed: Change,
) -> None:
    async with setting(Version(first)) as scene:
        async with deployed(scene, first):
            run = await scene.start()
            await scene.calm()
        changed(first)
        with capture_logs() as logs:
            async with deployed(scene, asks_first) as worker:
                assert gap_of(await send(scene, run, "x", b"1")) == Gap(0, (Key("z#0"),))
                waits = await accept(scene, run, insert=("z#0",))
                assert isinstance(waits.state, Waiting)
                assert waits.state.worker is not None
                assert (worker.runs, waits.saved) == (1, 1), "it stays, beside its old snapshot"
        assert any("accepted as inserted" in one.get("why", "") for one in logs)
        await scene.bury()
        async with deployed(scene, asks_first, "another"):
            left = await send(scene, run, "z", b"0")
            assert (left.state, left.saved) == (Waiting(None), 4)
            await send(scene, run, "y", b"2")
            assert await result(scene, run) == "0a12"
    assert trace == ["a"]


async def test_what_still_does_not_fit_blocks_again_and_burns_no_attempt(changed: Change) -> None:
    async with setting(Version(first)) as scene:
        async with deployed(scene, first):
            run = await scene.start()
            await scene.calm()
        changed(first)
        async with deployed(scene, audits):
            blocked = await send(scene, run, "x", b"1")
            for useless in ("elsewhere#0", "audit#1", "audit#00"):
                again = await accept(scene, run, insert=(useless,))
                assert gap_of(again) == gap_of(blocked)
            await scene.api.unblock(run)
            await scene.calm()
            assert gap_of(await known(scene, run)) == gap_of(blocked)
            await accept(scene, run, insert=("audit#0",))
            await send(scene, run, "y", b"2")
            assert await result(scene, run) == "audita12"
    assert trace == ["a", "audit"]


# --- begun again ----------------------------------------------------------------------------


async def test_a_run_that_begins_again_reads_its_messages_again(changed: Change) -> None:
    async with setting(Version(first)) as scene:
        async with deployed(scene, first):
            run = await scene.start()
            await scene.calm()
        changed(first)
        async with deployed(scene, audits):
            gap_of(await send(scene, run, "x", b"1"))
            await scene.api.restart(run)
            await scene.calm()
            left = await known(scene, run)
            assert (left.state, left.saved, left.attempt) == (Waiting(None), 3, 1)
            await send(scene, run, "y", b"2")
            assert await result(scene, run) == "audita12"
    assert trace == ["a", "audit", "a"]


async def test_a_run_begins_again_although_something_was_accepted(changed: Change) -> None:
    async with setting(Version(first)) as scene:
        async with deployed(scene, first):
            run = await scene.start()
            await scene.calm()
        changed(first)
        async with deployed(scene, audits_only):
            gap_of(await send(scene, run, "x", b"1"))
            gap_of(await accept(scene, run, insert=("audit#0",)))
            await scene.api.restart(run)
            await scene.calm()
            await send(scene, run, "y", b"2")
            assert await result(scene, run) == "audit12b"
        kinds = [entry.kind for entry in await scene.journal(run)]
    assert kinds == ["step", "take", "take", "step"]


async def test_what_was_put_out_is_not_put_out_twice(changed: Change) -> None:
    async with setting(Version(appends)) as scene:
        async with deployed(scene, appends):
            run = await scene.start()
            await scene.calm()
        changed(appends)
        async with deployed(scene, appends_and_audits):
            gap_of(await send(scene, run, "x", b"1"))
            await scene.api.restart(run)
            assert await result(scene, run) == "audita1"
        out = [bytes(record.data) async for record in scene.api.tail(run, "out", inward=False)]
    assert out == [b"1", b"2"]
