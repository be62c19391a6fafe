"""The examples' own tests pass, and so does what the page on React shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.examples.building import copied
from tests.fleet.processes import fleet
from tests.official_clients import packages
from tests.official_clients.packages import EXAMPLES, ROOT

PAGE: Final = ROOT / "docs/howto/react.md"
BLOCK: Final = re.compile(r"```(?:python|tsx)\n(?:#|//) ([\w.]+)\n(.*?)```", re.DOTALL)
ASKING: Final = """
import asyncio
from backend import access
from tasks import approval, publish_post

async def main():
    assert b'"accessToken":"ey' in (await access(None)).body
    handle = await publish_post.trigger("Hello world")
    await approval.send(handle, True)
    print(await handle.result())

asyncio.run(main())
"""

pytestmark = pytest.mark.timeout(90)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_tests_of_an_example_pass(example: Path, tmp_path: Path) -> None:
    place = copied(example, tmp_path)
    options = ("-q", "-p", "no:cacheprovider", "-W", "error", "-o", "anyio_mode=auto")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "test_tasks.py"],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    """The files that the page shows, in the surroundings of an example."""
    place = copied(EXAMPLES[0], tmp_path)
    for file in (*place.glob("src/*"), *place.glob("*.py")):
        file.unlink()
    for name, text in BLOCK.findall(PAGE.read_text("utf-8")):
        (place / ("src" if name.endswith(".tsx") else ".") / name).write_text(text, "utf-8")
    return place


def test_the_types_of_what_the_page_shows_are_right(shown: Path) -> None:
    done = _tsc(shown)
    assert done.returncode == 0, done.stdout
    page = shown / "src/Page.tsx"
    page.write_text(page.read_text("utf-8").replace("handle.id", "handle.name"), "utf-8")
    assert "'name' does not exist" in _tsc(shown).stdout


def _tsc(place: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [packages.node(), place / "node_modules/typescript/bin/tsc"],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_programs_that_the_page_shows_run(shown: Path) -> None:
    with fleet(shown, shown / "tasks.py") as ships:
        ships.server()
        ships.worker()
        done = subprocess.run(
            [sys.executable, "-c", ASKING],
            cwd=shown,
            env=ships.site.caller(),
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stdout.strip()) == (0, "published"), done.stderr
