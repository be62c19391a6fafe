"""What the parts of a shared installation take: the table, and where it stands.

Must never know: how anything was measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from bench.machine import Machine
from bench.report import put as put_block

PARTS: Final = Path(__file__).parent / "scale/measured.json"
PAGE: Final = Path(__file__).parents[1] / "docs/concepts/scale.md"
BEGIN: Final = "<!-- measured: python -m bench.measure --write -->"
END: Final = "<!-- end of what was measured -->"
SMALL, LARGE = 10, 100
"""Below and from which figures have fewer places."""


class Figure(msgspec.Struct, frozen=True):
    """One number and its unit."""

    name: str
    value: float
    unit: str


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All of one run of the command. `load`: how many programs wanted the machine at its end."""

    at: str
    command: str
    machine: Machine
    figures: list[Figure]
    load: float


def shown(figures: Figures) -> str:
    """Return the table."""
    at = figures.machine
    lines = [
        (
            f"`{figures.command}`, {figures.at}, on {at.cores} cores of {at.cpu}; "
            f"load {figures.load:.1f}."
        ),
        "",
        "| what | measured |",
        "|---|--:|",
        *(f"| {each.name} | {_number(each.value)} {each.unit} |" for each in figures.figures),
    ]
    return "\n".join(lines) + "\n"


def put(figures: Figures) -> None:
    """Put the table into the docs, and the numbers where the model takes them from."""
    put_block(shown(figures), BEGIN, END, PAGE)
    values = {each.name: float(f"{each.value:.3g}") for each in figures.figures}
    PARTS.write_bytes(msgspec.json.format(msgspec.json.encode(values)) + b"\n")


def _number(value: float) -> str:
    if value >= LARGE:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= SMALL else f"{value:.2f}"
