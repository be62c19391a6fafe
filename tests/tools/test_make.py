"""Every tool can be run by a make target: nobody has to know where it lies."""

from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
TOOLS: Final = sorted(tool.name for tool in (ROOT / "tools").glob("*.py") if tool.stem[0] != "_")


@pytest.mark.parametrize("tool", TOOLS)
def test_make_runs_the_tool(tool: str) -> None:
    assert f"$(BIN)/python tools/{tool}\n" in (ROOT / "Makefile").read_text("utf-8")
