"""What the benchmark says: JSON for programs, a table for people, a page for the docs.

Must never know: how anything was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
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
STYLES: Final = {"pass": "green", "first step": "yellow", "miss": "red", "": ""}
CPU: Final = ("server", "worker", "sender")
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


def as_json(report: Report) -> str:
    """Return the report for programs."""
    return msgspec.json.format(msgspec.json.encode(report)).decode()


def show(report: Report, console: Console) -> None:
    """Print the report for people."""
    table = Table(title="headrace, whole system over HTTP, every commit on disk")
    for name in ("", "measured", "all rounds", "floor", "must", "aim", ""):
        table.add_column(name, justify="left" if not name else "right")
    for row in report.rows:
        cells = _cells(row)
        table.add_row(*cells[:-1], Text(cells[-1], STYLES[row.verdict]))
    console.print(table)
    costs = Table(title="processor time per message or run, in microseconds")
    for name in ("", *CPU, "others used"):
        costs.add_column(name, justify="left" if not name else "right")
    for line in _costs(report.samples):
        costs.add_row(*line)
    if costs.rows:
        console.print(costs)
    console.print(_machine(report))


def write(report: Report) -> None:
    """Put the report into the docs, between what explains it."""
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{_page(report)}{END}{after}", "utf-8")


def _page(report: Report) -> str:
    lines = [
        f"`{report.command}`, {report.at}. {_machine(report)}",
        "",
        "| | measured | all rounds | floor | must | aim | |",
        "|---|---:|---:|---:|---:|---:|---|",
        *(f"| {' | '.join(_cells(row))} |" for row in report.rows),
        "",
        "Processor time per message or run, in µs:",
        "",
        f"| | {' | '.join(CPU)} | others used |",
        f"|---|{'---:|' * (len(CPU) + 1)}",
        *(f"| {' | '.join(line)} |" for line in _costs(report.samples)),
    ]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    span = "" if row.rounds == 1 else f"{_number(row.least)} to {_number(row.most)}"
    notes = [note for note in (row.verdict, "noisy" if row.is_noisy else "") if note]
    floor = "" if row.floor is None else _number(row.floor)
    aim = "" if row.aim is None else f"{row.aim:,g}"
    value = f"{_number(row.value)} {row.unit}"
    return row.name, value, span, floor, row.must, aim, ", ".join(notes)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"  # noqa: PLR2004 - digits shown


def _costs(samples: Sequence[Sample]) -> list[tuple[str, ...]]:
    lines = list[tuple[str, ...]]()
    for workload in COSTED:
        found = [sample for sample in samples if sample.workload == workload]
        if not found:
            continue
        used = [median(sample.cpu_us[who] for sample in found) for who in CPU]
        foreign = sorted(sample.foreign for sample in found)
        others = f"{foreign[0]:.0%} to {foreign[-1]:.0%}"
        lines.append((workload, *(f"{us:.0f}" for us in used), others))
    return lines


def _machine(report: Report) -> str:
    at = report.machine
    return (
        f"{at.cores} cores of {at.cpu}, {at.memory_gib:g} GiB, {at.system}, Python {at.python}, "
        f"SQLite {at.sqlite}; writing and flushing a page takes {at.fsync_ms:g} ms at the median. "
        f"A round counts where other processes used at most {FOREIGN_AT_MOST:.0%} of the machine; "
        "where none is so quiet, all count and the row is noisy."
    )
