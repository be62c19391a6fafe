"""What the README says, typed into terminals in an empty folder; only the port is another one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.desk import SERVES, WRITTEN, Desk, surroundings
from tests.e2e.pages import Typed, blocks, typed
from tests.e2e.terminal import terminal

README = "README.md"
TUTORIAL = "docs/start/first-approval.md"


@pytest.fixture
def environment() -> Mapping[str, str]:
    return surroundings()


@pytest.fixture
def port(environment: Mapping[str, str]) -> str:
    return environment["HEADRACE_PORT"]


def _page(page: str) -> list[Typed]:
    known = typed(page)
    if page == README and shutil.which("curl") is None:
        pytest.skip("the README answers with curl, and this machine has none")
    return known


@pytest.mark.timeout(180)
def test_the_readme_does_what_it_says(
    tmp_path: Path, environment: Mapping[str, str], port: str
) -> None:
    printed = dict[str, list[str]]()
    with terminal(tmp_path, environment) as one, terminal(tmp_path, environment) as two:
        desk = Desk(one, two, port)
        for it in _page(README):
            if it.command == "headrace waits":
                shown = desk.until(it, lambda text: "headrace send run_" in text)
            else:
                shown = desk.types(it)
            printed.setdefault(it.command.split("\n")[0], []).append(shown)
        desk.stops_dev()
    send = """headrace send $RUN approval '{"approved": true, "reviewer": "alice"}\'"""
    assert "the run goes on" in printed[send][0]
    assert len(printed["headrace waits"]) == 2
    first, second = printed["headrace tail $RUN"]
    assert "published/press-release.md is published" in first
    assert "is rejected: too long" in second
    assert "Approved by alice." in printed["cat published/press-release.md"][0]
    assert len([command for command in printed if command.startswith("kill -9")]) == 2


def test_the_readme_shows_what_dev_prints(tmp_path: Path, environment: Mapping[str, str]) -> None:
    text = (Path(__file__).parents[2] / README).read_text("utf-8")
    shown = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    with terminal(tmp_path, environment) as one:
        one.run("headrace init")
        one.start("headrace dev")
        screen = one.sees(SERVES) + one.sees("\n")
        one.interrupt()
        one.sees("stopped")
    for line in (
        "headrace serves",
        "key",
        "database",
        "tasks",
        "streams",
        "start one",
        "see waits",
    ):
        theirs = next(seen for seen in shown if seen.startswith(line))
        ours = next(seen.strip() for seen in screen.splitlines() if seen.strip().startswith(line))
        assert ours.replace(environment["HEADRACE_PORT"], WRITTEN) == theirs


@pytest.mark.timeout(180)
def test_the_tutorial_does_what_it_says(
    tmp_path: Path, environment: Mapping[str, str], port: str
) -> None:
    program, script = blocks(TUTORIAL, "python")
    (tmp_path / "tasks.py").write_text(program, "utf-8")
    (tmp_path / "ask.py").write_text(f"import asyncio\n\n{script}\nasyncio.run(main())\n", "utf-8")
    printed = dict[str, list[str]]()
    with terminal(tmp_path, environment) as one, terminal(tmp_path, environment) as two:
        desk = Desk(one, two, port)
        for it in typed(TUTORIAL):
            if it.command == "headrace waits":
                shown = desk.until(it, lambda text: "headrace send run_" in text)
            else:
                shown = desk.types(it)
            printed.setdefault(it.command, []).append(shown)
        answered = desk.types(Typed(2, "python ask.py", fails=False))
        desk.stops_dev()
    assert (tmp_path / "payments.txt").read_text("utf-8") == "A-17 240.50\nA-18 99.00\n"
    assert answered.split() == ["0", "paid", "A-18"]
    assert any(
        "was there already, as number 0" in text for texts in printed.values() for text in texts
    )


def test_the_programs_of_the_readme_run(tmp_path: Path, environment: Mapping[str, str]) -> None:
    program, script = blocks(README, "python")
    (tmp_path / "tasks.py").write_text(program, "utf-8")
    inner = "".join(f"    {line}\n" for line in script.splitlines())
    head = (
        "import asyncio\nfrom tasks import Approval, approval, publish_post\n\nasync def main():\n"
    )
    (tmp_path / "ask.py").write_text(f"{head}{inner}\nasyncio.run(main())\n", "utf-8")
    with terminal(tmp_path, environment) as one, terminal(tmp_path, environment) as two:
        one.start("headrace dev")
        one.sees(SERVES)
        code, printed = two.run("python ask.py")
        one.interrupt()
        one.sees("stopped")
    assert (code, printed.strip()) == (0, "'Hello' is published, approved by alice")
