"""Snapshots that cannot be used, and journals that are too long to be replayed; law 11."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from headrace.kernel.model import Blocked, Running
from headrace.sdk import execution_leaving
from headrace.sdk.sealing import Sealer
from headrace.wire.channel import Unfit
from headrace.worker import Options
from tests.worker import saved_tasks as tasks
from tests.worker.keeping import Post, known, output, scene_of, sent, started
from tests.worker.saved_tasks import ran
from tests.worker.scene import PLAIN, SAVING, Scene, employed

pytestmark = pytest.mark.usefixtures("fresh")

OTHER_KEY = replace(SAVING, sealer=Sealer.of(["another key"]))


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


async def test_without_its_journal_and_source_a_changed_function_blocks_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(execution_leaving, "JOURNAL_KEPT", 0)
    monkeypatch.setattr("headrace.frames.capture.kept_of", _nothing)
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


def _nothing(_: object) -> bytes:
    return b""


def _changed(patch: pytest.MonkeyPatch) -> None:
    """Let `summed` look as if its source were another now."""
    from headrace.frames import registry  # noqa: PLC0415 - only here

    key = (tasks.__name__, "summed", 0)
    units = registry._units  # pyright: ignore[reportPrivateUsage] - a source that changes
    patch.setitem(units, key, replace(units[key], fingerprint="00" * 12))


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
