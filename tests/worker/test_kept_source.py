"""Runs whose journal was dropped go on with the source that they were saved with; law 11."""

import importlib
import linecache
import sys
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from headrace.frames import registry
from headrace.kernel.model import Blocked, RunId
from headrace.sdk import execution_leaving
from headrace.sdk.execution import Runnable
from headrace.sdk.sealing import Sealer
from headrace.worker import Options, Worker
from tests.worker.keeping import known, output, scene_of, sent, started
from tests.worker.scene import SAVING, Scene, employed

NAME: Final = "deployed_to_workers"
OLD: Final = """
from headrace import step, task
from headrace.frames import resumable
from tests.worker.saved_tasks import number

UNIT = "litres"

@step
async def noted(value: int) -> int:
    return value

@resumable
async def asked(total: int) -> int:
    return total + await noted(await number.wait().unwrap())

@task
async def filled(most: int) -> list[str]:
    total, told = 0, []
    while total < most:
        total = await asked(total)
        told.append(f"{total} {UNIT}")
    return told
"""
NEW: Final = (
    OLD.replace("total + await", "10 * total + await")
    .replace("told = 0, []", 'told = 0, ["new"]')
    .replace('"litres"', '"gallons"')
)
Deploy = Callable[[str], Runnable]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Be one for all: a task's file and line say whether it is another's of the same name."""
    return tmp_path_factory.mktemp("deployed")


@pytest.fixture
def deploy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Deploy]:
    """Write the module and import it as a new worker does."""
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def deployed(source: str) -> Runnable:
        (folder / f"{NAME}.py").write_text(source, "utf-8")
        forget()
        importlib.invalidate_caches()
        module: Any = importlib.import_module(NAME)
        task: Runnable = module.filled
        return task

    yield deployed
    forget()


def forget() -> None:
    """Know nothing of the module, as a new process would."""
    units = registry._units  # pyright: ignore[reportPrivateUsage] - there is no other way
    for key in [key for key in units if key[0] == NAME]:
        del units[key]
    sys.modules.pop(NAME, None)
    linecache.clearcache()


def worker(scene: Scene, name: str, task: Runnable, options: Options = SAVING) -> Worker:
    served = {"filled": task}
    return Worker(scene.api, served, scene.registration, replace(options, worker=name))


async def _snapshot(scene: Scene, run: str) -> bytes:
    found = await known(scene, run)
    assert found.saved is not None
    body = await scene.stores.snapshots.read(RunId(run), found.saved)
    assert body is not None
    return body


async def test_it_goes_on_as_it_was(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution_leaving, "JOURNAL_KEPT", 0)
    old = deploy(OLD)
    async with scene_of(old) as scene:
        async with employed(worker(scene, "a", old)):
            run = await started(scene, "filled", b"7")
            await sent(scene, run, 1)
        assert (await known(scene, run)).base > 0
        with capture_logs() as logs:
            async with employed(worker(scene, "b", deploy(NEW))):
                await sent(scene, run, 2)
                await sent(scene, run, 4)
                # The helper is called anew, and so is today's: 3 * 10 + 4. The loop is not.
                assert output(await scene.over(run)) == ["1 litres", "3 gallons", "34 gallons"]
        said = [one for one in logs if "source that it was saved with" in one["event"]]
        assert [one["function"] for one in said] == [f"filled() in {NAME}", f"asked() in {NAME}"]
        assert (await known(scene, run)).failures == 0
        async with employed(worker(scene, "c", deploy(NEW))):
            fresh = await started(scene, "filled", b"1")
            await sent(scene, fresh, 1)
            assert output(await scene.over(fresh)) == ["new", "1 gallons"]


async def test_it_has_its_source_through_more_deploys(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when a later snapshot drops nothing more."""
    old = deploy(OLD)
    async with scene_of(old) as scene:
        with monkeypatch.context() as patch:
            patch.setattr(execution_leaving, "JOURNAL_KEPT", 0)
            async with employed(worker(scene, "a", old)):
                run = await started(scene, "filled", b"1000")
                await sent(scene, run, 1)
        base = (await known(scene, run)).base
        for version in range(3):
            changed = NEW.replace('["new"]', f'["{version}"]')
            async with employed(worker(scene, f"b{version}", deploy(changed))):
                await sent(scene, run, 0)
        assert (await known(scene, run)).base == base
        async with employed(worker(scene, "c", deploy(NEW))):
            await sent(scene, run, 0)
            found = output(await scene.over(run))
    assert found == ["1 litres", *(f"{number} gallons" for number in (1, 10, 100, 1_000))]


async def test_a_run_that_has_its_journal_is_replayed_and_takes_no_source(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = deploy(OLD)
    async with scene_of(old) as scene:
        async with employed(worker(scene, "a", old)):
            run = await started(scene, "filled", b"7")
            small = await _snapshot(scene, run)
            with monkeypatch.context() as patch:
                patch.setattr(execution_leaving, "JOURNAL_KEPT", 0)
                await sent(scene, run, 1)
            large = await _snapshot(scene, run)
        assert len(small) + 200 < len(large) < len(small) + 800
        async with employed(worker(scene, "a", deploy(OLD))):
            other = await started(scene, "filled", b"7")
        # This process has met the old source, and must not use it where it was not saved.
        async with employed(worker(scene, "b", deploy(NEW))):
            await sent(scene, run, 0)
            await sent(scene, other, 7)
            assert output(await scene.over(other)) == ["new", "7 gallons"]


@pytest.mark.parametrize("key", ["another key", ""])
async def test_a_source_under_a_foreign_seal_is_not_run(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setattr(execution_leaving, "JOURNAL_KEPT", 0)
    old = deploy(OLD)
    sealer = Sealer.of([key]) if key else None
    async with scene_of(old) as scene:
        foreign = replace(SAVING, sealer=Sealer.of(["a key of nobody's"]))
        async with employed(worker(scene, "a", old, foreign)):
            run = await started(scene, "filled", b"7")
            await sent(scene, run, 1)
        with capture_logs() as logs:
            async with employed(worker(scene, "b", deploy(NEW), replace(SAVING, sealer=sealer))):
                await sent(scene, run, 2)
        assert isinstance((await known(scene, run)).state, Blocked)
        assert not [one for one in logs if "was saved with" in one["event"]]
