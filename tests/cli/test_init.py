"""`headrace init` writes the example that is checked in, and never over anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.cli.init import FILES
from tests.cli.house import House

EXAMPLE = Path(__file__).parents[2] / "examples/approval"


@pytest.fixture
def house(tmp_path: Path) -> House:
    here = House(tmp_path)
    here.file.unlink()
    return here


def test_it_writes_the_example(house: House) -> None:
    done = house.run("init")
    assert done.returncode == 0
    for name in FILES:
        assert (house.folder / name).read_bytes() == (EXAMPLE / name).read_bytes()
        assert f"wrote {name}" in done.stdout
    assert (house.folder / ".gitignore").read_text() == ".headrace/\n"


def test_it_leaves_alone_what_is_there(house: House) -> None:
    (house.folder / "tasks.py").write_text("mine = 1\n", "utf-8")
    (house.folder / ".gitignore").write_text("*.pyc", "utf-8")
    done = house.run("init")
    assert (house.folder / "tasks.py").read_text("utf-8") == "mine = 1\n"
    assert "kept  tasks.py" in done.stdout
    assert (house.folder / ".gitignore").read_text() == "*.pyc\n.headrace/\n"
    assert (
        house.run("init", "--json").stdout
        == '{"written":[],"kept":["tasks.py","press-release.md"]}\n'
    )
