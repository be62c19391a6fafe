"""The task without a page: what it writes, and what comes of each answer."""

from pathlib import Path
from typing import Literal

import pytest
import tasks
from tasks import Approval, Release, approval, draft, publish_release

from headrace import runs
from headrace.testing import local

RELEASE = Release(
    "Mill turns\n\nThe wheel of the mill turns. It weighs 8.4 tonnes. The mill is old."
)


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of its own, without pauses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tasks, "PAUSE_S", 0.0)
    return tmp_path


@pytest.mark.parametrize("replay", ["crashes", "always"])
async def test_what_is_approved_is_published(
    desk: Path, replay: Literal["crashes", "always"]
) -> None:
    async with local(publish_release, snapshot="always", replay=replay) as h:
        handle = await publish_release.trigger(RELEASE)
        await h.send(handle, approval, Approval(approved=True, reviewer="alice"))
        outcome = await handle.result()
        written = "".join([part async for part in draft.read(handle)])
    assert (outcome.status, outcome.reviewer) == ("published", "alice")
    assert written.startswith("# Mill turns\n\nThe wheel of the mill turns.")
    assert written.endswith("- 8.4 tonnes\n")
    assert (desk / outcome.file).read_text("utf-8") == f"{written}\nApproved by alice.\n"


async def test_what_is_rejected_stays_a_draft(desk: Path) -> None:
    async with local(publish_release) as h:
        handle = await publish_release.trigger(RELEASE)
        await h.send(handle, approval, Approval(approved=False, reviewer="bob", note="how old?"))
        outcome = await handle.result()
    assert (outcome.status, outcome.note) == ("rejected", "how old?")
    assert (desk / outcome.file).exists()
    assert not (desk / "published").exists()


async def test_nobody_answers_for_a_week() -> None:
    async with local(publish_release) as h:
        handle = await publish_release.trigger(RELEASE)
        async for run in runs.subscribe(handle):
            if run.status == "WAITING":
                break
        await h.advance("8d")
        assert (await handle.result()).status == "expired"
