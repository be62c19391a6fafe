"""docs/reliability/frames.md: two parts, each written by the command that measured it."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

PAGE: Final = Path(__file__).parents[2] / "docs/reliability/frames.md"
Part = Literal["matrix", "fuzz"]
HEAD: Final = """# Frames: what was proved

`headrace.frames` saves a coroutine at an await, and goes on after it in another process. Two
programs prove that this changes nothing else: a matrix of constructs, and random programs.
"""


def write(part: Part, text: str) -> None:
    """Put a part into the page, in the place of what it said before."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    old = PAGE.read_text("utf-8") if PAGE.exists() else HEAD
    for each in ("fuzz", "matrix"):
        if _begin(each) not in old:
            old = f"{old.rstrip()}\n\n{_begin(each)}\n{_end(each)}\n"
    before, _, rest = old.partition(_begin(part))
    after = rest.partition(_end(part))[2]
    new = f"{before}{_begin(part)}\n{text.strip()}\n{_end(part)}{after}"
    PAGE.write_text(new, "utf-8")


def _begin(part: str) -> str:
    return f"<!-- python -m tests.frames.{part} -->"


def _end(part: str) -> str:
    return f"<!-- end of {part} -->"
