"""What the benchmark says: JSON for programs, a table for people, a page for the docs.

Must never know: how anything was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.machine import Machine
from bench.samples import Sample
from bench.targets import FOREIGN_AT_MOST, Row

PAGE: Final = Path(__file__).parents[1] / "docs/reference/benchmarks.md"
BEGIN, END = "<!-- measured: python -m bench --write -->", "<!-- end of what was measured -->"
BEGIN_SHARED: Final = "<!-- measured: python -m bench --on … --write -->"
END_SHARED: Final = "<!-- end of what was measured on shared servers -->"
STYLES: Final = {"pass": "green", "first step": "yellow", "miss": "red", "": ""}
CPU: Final = ("server", "worker", "sender")
BEHIND: Final = ("postgres", "redis", "s2")
COSTED: Final = (
    "live back to back",
    "live paced",
    "warm paced",
    "evicted paced",
    "throughput",
    "starts",
)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of one run of the benchmark."""

    at: str
    command: str
    machine: Machine
    rows: list[Row]
    samples: list[Sample]
    places: tuple[str, ...] = ("sqlite",)

    @property
    def is_of_a_file(self) -> bool:
        """Tell whether it is the report of the one machine and its file."""
        return self.places == ("sqlite",)


def as_json(report: Report) -> str:
    """Return the report for programs."""
    return msgspec.json.format(msgspec.json.encode(report)).decode()


def show(report: Report, console: Console) -> None:
    """Print the report for people."""
    names, lines = _figures(report)
    table = _table("headrace, whole system over HTTP, every commit on disk", names)
    for row, cells in zip(report.rows, lines, strict=True):
        table.add_row(*cells[:-1], Text(cells[-1], STYLES[row.verdict]))
    console.print(table)
    names, lines = _costs(report)
    costs = _table("processor time per message or run, in microseconds", names)
    for line in lines:
        costs.add_row(*line)
    if costs.rows:
        console.print(costs)
    console.print(_machine(report))


def _table(title: str, names: Sequence[str]) -> Table:
    table = Table(title=title)
    for name in names:
        table.add_column(name, justify="left" if name in {"", "on"} else "right")
    return table


def write(report: Report) -> None:
    """Put the report into the docs, between what explains it."""
    begin, end = (BEGIN, END) if report.is_of_a_file else (BEGIN_SHARED, END_SHARED)
    put(_page(report), begin, end)


def put(block: str, begin: str, end: str, page: Path = PAGE) -> None:
    """Write a block between its markers."""
    before, found, rest = page.read_text("utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{page.name} has no {begin}")
    page.write_text(f"{before}{begin}\n{block}{end}{after}", "utf-8")


def _page(report: Report) -> str:
    lines = [
        f"`{report.command}`, {report.at}. {_machine(report)}",
        "",
        *_markdown(*_figures(report)),
        "",
        "Processor time per message or run, in µs:",
        "",
        *_markdown(*_costs(report)),
    ]
    return "\n".join(lines) + "\n"


def _markdown(names: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    sides = ["---" if name in {"", "on"} else "---:" for name in names]
    rows = [f"| {' | '.join(line)} |" for line in lines]
    return [f"| {' | '.join(names)} |".replace("|  |", "| |"), f"|{'|'.join(sides)}|", *rows]


def _figures(report: Report) -> tuple[list[str], list[tuple[str, ...]]]:
    names = ["", "measured", "all rounds", "floor", "must", "aim", ""]
    lines = [_cells(row) for row in report.rows]
    if report.is_of_a_file:
        return names, lines
    of_places = [(row.on, *cells) for row, cells in zip(report.rows, lines, strict=True)]
    return ["on", *names], of_places


def _cells(row: Row) -> tuple[str, ...]:
    span = "" if row.rounds == 1 else f"{_number(row.least)} to {_number(row.most)}"
    notes = [note for note in (row.verdict, "noisy" if row.is_noisy else "") if note]
    floor = "" if row.floor is None else _number(row.floor)
    aim = "" if row.aim is None else f"{row.aim:,g}"
    value = f"{_number(row.value)} {row.unit}"
    return row.name, value, span, floor, row.must, aim, ", ".join(notes)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"  # noqa: PLR2004 - digits shown


def _costs(report: Report) -> tuple[list[str], list[tuple[str, ...]]]:
    whom = CPU if report.is_of_a_file else (*CPU, *BEHIND)
    names = ["", *whom, "others used"]
    lines = list[tuple[str, ...]]()
    for on, workload in product(report.places, COSTED):
        found = [at for at in report.samples if (at.on, at.workload) == (on, workload)]
        if found:
            line = _cost(found, whom)
            lines.append((workload, *line) if report.is_of_a_file else (on, workload, *line))
    return names if report.is_of_a_file else ["on", *names], lines


def _cost(samples: Sequence[Sample], whom: Sequence[str]) -> tuple[str, ...]:
    foreign = sorted(sample.foreign for sample in samples)
    used = [
        f"{median(sample.cpu_us[who] for sample in samples):.0f}"
        if who in samples[0].cpu_us
        else ""
        for who in whom
    ]
    return (*used, f"{foreign[0]:.0%} to {foreign[-1]:.0%}")


def _machine(report: Report) -> str:
    at = report.machine
    return (
        f"{at.cores} cores of {at.cpu}, {at.memory_gib:g} GiB, {at.system}, Python {at.python}, "
        f"SQLite {at.sqlite}; writing and flushing a page takes {at.fsync_ms:g} ms at the median. "
        f"A round counts where other processes used at most {FOREIGN_AT_MOST:.0%} of the machine; "
        "where none is so quiet, all count and the row is noisy."
    )
