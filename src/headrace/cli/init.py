"""`headrace init`: an example to start from, in the folder where one is.

Must never know: a server.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from headrace.cli.screen import AsJson, emit, hint, say, told

FILES: Final = ("tasks.py", "press-release.md")
IGNORED: Final = ".headrace/"


@told
async def init(*, as_json: AsJson = False) -> None:
    """Write an example to start from; overwrite nothing."""
    written = [name for name in FILES if _write(Path(name), _example(name))]
    kept = [name for name in FILES if name not in written]
    if _ignore(Path(".gitignore")):
        written.append(".gitignore")
    if as_json:
        emit({"written": written, "kept": kept})
        return
    for name in written:
        say(f"wrote {name}")
    for name in kept:
        say(f"kept  {name}, which is yours")
    hint("Start it with: headrace dev")


def _example(name: str) -> str:
    # `.txt`, since it is nothing of ours to import; a test holds it to examples/approval.
    return (files("headrace.cli") / "example" / f"{name}.txt").read_text("utf-8")


def _write(path: Path, text: str) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _ignore(path: Path) -> bool:
    known = path.read_text("utf-8") if path.exists() else ""
    if IGNORED in known.split():
        return False
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{'' if not known or known.endswith(chr(10)) else chr(10)}{IGNORED}\n")
    return True
