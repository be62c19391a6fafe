"""The commands and programs that a page of the docs shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE: Final = re.compile(r"(?:#|//) ([\w.]+)\n")
_HEAD: Final = re.compile(r"# terminal (\d)(: fails)?\n")


@dataclass(frozen=True, slots=True)
class Typed:
    """One command, and the terminal that it is typed in."""

    terminal: int
    command: str
    fails: bool


def blocks(page: str, language: str) -> list[str]:
    """Return the page's blocks in this language."""
    text = (ROOT / page).read_text("utf-8")
    return [body for found, body in _BLOCK.findall(text) if found == language]


def files(page: str) -> list[tuple[str, str]]:
    """Return the programs of a page whose first line is a comment with the name of their file."""
    text = (ROOT / page).read_text("utf-8")
    named = (
        (_FILE.match(body), body) for language, body in _BLOCK.findall(text) if language != "sh"
    )
    return [(head[1], body) for head, body in named if head is not None]


def typed(page: str) -> list[Typed]:
    """Return the page's commands, in order; every shell block must name its terminal."""
    commands = list[Typed]()
    for block in blocks(page, "sh"):
        head = _HEAD.match(block)
        assert head is not None, f"{page} does not say in which terminal:\n{block}"
        for command in _commands(block[head.end() :]):
            commands.append(Typed(int(head[1]), command, bool(head[2])))
    return commands


def _commands(body: str) -> Iterator[str]:
    whole = ""
    for line in body.splitlines():
        whole += line
        if line.endswith("\\"):
            whole += "\n"
        elif whole.strip():
            yield whole
            whole = ""
