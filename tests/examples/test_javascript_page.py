"""docs/howto/javascript.md is typed as it stands; npm alone is not asked."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import pytest

from tests.e2e.desk import Desk, surroundings
from tests.e2e.pages import Typed, files, typed
from tests.e2e.terminal import terminal
from tests.official_clients import packages

PAGE: Final = "docs/howto/javascript.md"
ABSENCE: Final = (packages.ROOT / PAGE).read_text("utf-8").split("## What is not there")[1]
ABSENT: Final = packages.ROOT / "tests/examples/absent.mjs"
VERB: Final = re.compile(r"`([\w.]+(?:\(…\))?\.\w+)`")
NOT_FOUND: Final = 404
NODE: Final = "declare const process: { env: Record<string, string | undefined> };\n"
"""Whoever writes TypeScript for Node has this from `@types/node`."""
TYPESCRIPT: Final = ("--noEmit", "--strict", "--skipLibCheck", "--target", "es2024")

pytestmark = [
    pytest.mark.timeout(150),
    pytest.mark.skipif(
        not packages.are_there(), reason="no npm packages: scripts/install-test-tools.sh"
    ),
]


class Refused(msgspec.Struct, frozen=True):
    """What came of a call: a status of HTTP, or 0 where the SDK itself has thrown."""

    name: str
    status: int
    message: str


class Listed(msgspec.Struct, frozen=True):
    """What npm is told to fetch."""

    dependencies: dict[str, str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of the page beside the packages."""
    for name, text in files(PAGE):
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "node_modules").symlink_to(packages.folder() / "node_modules")
    shutil.copy(ABSENT, tmp_path)
    return tmp_path


@pytest.fixture
def environment() -> Mapping[str, str]:
    return surroundings(packages.node().parent)


@contextmanager
def desk(folder: Path, environment: Mapping[str, str]) -> Generator[Desk]:
    with terminal(folder, environment) as one, terminal(folder, environment) as two:
        opened = Desk(one, two, environment["HEADRACE_PORT"])
        yield opened
        opened.stops_dev()


def test_the_page_on_javascript_does_what_it_says(
    folder: Path, environment: Mapping[str, str]
) -> None:
    printed = dict[str, list[str]]()
    with desk(folder, environment) as opened:
        for it in typed(PAGE):
            if it.command.startswith("npm install"):
                assert it.command.endswith(f"@{_version()}")
            else:
                printed.setdefault(it.command, []).append(opened.types(it))
    first, second = (words.split() for words in printed["node start.mjs Hello"])
    assert (first[1:], second) == (["is", "new"], [first[0], "was", "there"])
    assert printed["node typed.mts"] == ["DELAYED undefined\n"]
    (review,) = printed["node review.mjs"]
    assert "\nHello, world\n" in review
    assert review.splitlines()[-1] == "COMPLETED review published by ann"
    (change,) = printed["node change.mjs"]
    assert change.startswith("DELAYED 2\nCANCELED\nLater\nrun_")
    assert printed["node pay.mjs"] == ["shipped for 30\nshipped for 40\nCOMPLETED\n"]
    (access,) = printed["node access.mjs"]
    assert access.splitlines() == [f"{first[0]} COMPLETED", "403 Unauthorized"]
    (wrong,) = printed["node wrong.mjs"]
    assert re.findall(r"^true (\d+)", wrong, re.MULTILINE) == ["422", "404", "422"]


def _version() -> str:
    """Return the version that the tests have."""
    text = (packages.HERE / "package.json").read_bytes()
    return msgspec.json.decode(text, type=Listed).dependencies["@trigger.dev/sdk"]


def test_what_the_page_says_is_not_there_is_refused(
    folder: Path, environment: Mapping[str, str]
) -> None:
    begin = [it for it in typed(PAGE) if it.command.startswith(("headrace", "export"))]
    asked = (
        Typed(2, command, fails=False) for command in ("node absent.mjs", "headrace runs list")
    )
    with desk(folder, environment) as opened:
        for it in begin:
            opened.types(it)
        refusals, listed = map(opened.types, asked)
    found = [msgspec.json.decode(line, type=Refused) for line in refusals.splitlines()]
    inside, served = ABSENCE.split("|---|---|")
    rows = "".join(row.split("|")[1] for row in served.splitlines() if row)
    assert {one.name for one in found if one.status == NOT_FOUND} == set(VERB.findall(rows))
    throw = {one.name for one in found if "only be used from inside a task" in one.message}
    assert throw == set(VERB.findall(inside))
    assert len(found) == len(throw) + len(VERB.findall(rows))
    assert "There is none" in listed


def test_the_types_that_the_page_shows_are_right(folder: Path) -> None:
    (folder / "node.d.ts").write_text(NODE, "utf-8")
    assert _tsc(folder) == (0, "")
    file = folder / "typed.mts"
    file.write_text(file.read_text("utf-8").replace('"Typed"', "5"), "utf-8")
    code, said = _tsc(folder)
    assert code != 0
    assert "'number' is not assignable to parameter of type 'string'" in said


def _tsc(folder: Path) -> tuple[int, str]:
    compiler = packages.folder(packages.EXAMPLES[0]) / "node_modules/typescript/bin/tsc"
    done = subprocess.run(
        [packages.node(), compiler, *TYPESCRIPT, "--module", "nodenext", "node.d.ts", "typed.mts"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout
