"""What the pages about the Python surface show, runs as they show it."""

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

import headrace
from headrace import errors, testing

ROOT: Final = Path(__file__).parents[2]
BLOCK: Final = re.compile(
    r"```(?:python|toml)\n# (?P<file>[\w.]+)(?P<more>, continued)?\n(?P<text>.*?)```", re.DOTALL
)
PAGES: Final = {
    "docs/concepts/frames.md": (),
    "docs/concepts/replay.md": ("-o", "anyio_mode=auto"),
    "docs/concepts/suspension.md": ("-o", "anyio_mode=auto"),
    "docs/howto/give-memory-back.md": ("-o", "anyio_mode=auto"),
    "docs/howto/test-tasks.md": (),  # says itself how async tests are switched on
    "docs/reference/python.md": ("-o", "anyio_mode=auto"),
}

pytestmark = pytest.mark.timeout(90)


def _unpacked(page: str, folder: Path) -> Path:
    """Write the files that a page shows."""
    files: dict[str, str] = defaultdict(str)
    for block in BLOCK.finditer((ROOT / page).read_text("utf-8")):
        assert bool(block["more"]) == (block["file"] in files), block["file"]
        files[block["file"]] += block["text"] + "\n\n"
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return folder


def _pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    return subprocess.run(
        [*command, *options],
        cwd=folder,
        env={**os.environ, "HEADRACE_HOME": str(folder / "none")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_shows_runs(page: str, tmp_path: Path) -> None:
    done = _pytest(_unpacked(page, tmp_path), *PAGES[page])
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_the_option_of_the_plugin_replays_everywhere(tmp_path: Path) -> None:
    folder = _unpacked("docs/howto/test-tasks.md", tmp_path)
    (folder / "test_option.py").write_text(
        "from headrace import streams, task\n"
        "answer = streams.input('answer', int)\n"
        "begun = []\n"
        "@task\n"
        "async def waits() -> int:\n"
        "    begun.append(1)\n"
        "    return await answer.wait().unwrap()\n"
        "async def test_it(headrace) -> None:\n"
        "    async with headrace(waits) as h:\n"
        "        handle = await waits.trigger()\n"
        "        await h.settle()\n"
        "        await h.send(handle, answer, 1)\n"
        "        assert await handle.result() == 1\n"
        "        assert len(begun) == 2\n"
    )
    assert _pytest(folder, "--headrace-replay=always").returncode == 0
    done = _pytest(folder, "test_option.py")
    assert "assert 1 == 2" in done.stdout


@pytest.mark.parametrize("module", [headrace, errors, testing], ids=lambda one: one.__name__)
def test_the_reference_names_everything_public(module: object) -> None:
    page = (ROOT / "docs/reference/python.md").read_text("utf-8")
    names = set(getattr(module, "__all__")) - {"errors"}  # noqa: B009 - any module has it
    missing = {name for name in names if not re.search(rf"[`. ]{name}\b", page)}
    assert not missing
