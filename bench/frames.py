"""`python -m bench.frames`: what it costs to be resumable, to be saved, and to be resumed.

    python -m bench.frames [--rounds N] [--json] [--write]

Owns: the measuring and the table. Must never know: what is suspended.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from types import CoroutineType
from typing import Any, Final, cast

import msgspec
from rich.console import Console
from rich.table import Table

from bench.samples import quantile
from bench.suspending import LOOPS, SAVED, Made, again, token
from headrace import frames

PAGE: Final = Path(__file__).parents[1] / "docs/reliability/frames.md"
BEGIN, END = "<!-- python -m bench.frames --write -->", "<!-- end of bench.frames -->"
AWAITS: Final = 100_000
AT_MOST: Final = 1.30
SAVES: Final = 400
LONG: Final = 10_000
COLUMNS: Final = 110


class Overhead(msgspec.Struct, frozen=True):
    """A loop as it is and made resumable, taking turns in one process."""

    name: str
    plain_ns: float
    made_ns: float
    ratio: float
    least: float
    most: float


class Save(msgspec.Struct, frozen=True):
    """What a suspended coroutine costs."""

    name: str
    size: int
    save_us: tuple[float, float]
    restore_us: tuple[float, float]


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _looped(made: Made) -> object:
    coroutine: Coroutine[Any, Any, object] = made(AWAITS)
    try:
        coroutine.send(None)
    except StopIteration as over:
        return cast("object", over.value)
    raise AssertionError("it has not ended")


def overhead(name: str, plain: Made, made: Made, rounds: int) -> Overhead:
    """Run both in turns; compare each with its neighbour."""
    pairs = list[tuple[float, float]]()
    for turn in range(rounds + 1):
        both = (plain, made) if turn % 2 else (made, plain)
        took = {each: _timed(partial(_looped, each)) for each in both}
        pairs.append((took[plain] / AWAITS * 1e9, took[made] / AWAITS * 1e9))
    pairs = pairs[1:]  # the first warms up
    ratios = [after / before for before, after in pairs]
    plain_ns, made_ns = (median(pair[at] for pair in pairs) for at in (0, 1))
    return Overhead(name, plain_ns, made_ns, median(ratios), min(ratios), max(ratios))


def saved(name: str, made: Made, argument: int) -> Save:
    """Save one coroutine many times; restore it as often, to its wait and past it."""
    coroutine = cast("CoroutineType[Any, Any, Any]", made(argument))
    coroutine.send(None)
    blob = bytes(frames.save(coroutine, token))
    count = SAVES if len(blob) < LONG else SAVES // 10
    saves = [_timed(lambda: frames.save(coroutine, token)) for _ in range(count)]
    frames.put_away(coroutine)
    restores = [_timed(lambda: _resumed(blob)) for _ in range(count)]
    return Save(name, len(blob), _spread(saves), _spread(restores))


def _resumed(blob: bytes) -> None:
    coroutine = frames.restore(blob, again)
    coroutine.send(None)
    try:
        coroutine.send(1)
    except StopIteration:
        return
    frames.put_away(coroutine)


def _spread(taken: Sequence[float]) -> tuple[float, float]:
    return quantile(taken, 0.5) * 1e6, quantile(taken, 0.99) * 1e6


def _tables(overheads: Sequence[Overhead], saves: Sequence[Save]) -> tuple[list[list[str]], ...]:
    loops = [["", "as it is", "resumable", "ratio", "all rounds", "must"]]
    for one in overheads:
        span = f"{one.least:.2f} to {one.most:.2f}"
        must = f"≤ {AT_MOST:.2f}" if one is overheads[0] else ""
        cells = [f"{one.plain_ns:.0f} ns", f"{one.made_ns:.0f} ns", f"{one.ratio:.2f}", span, must]
        loops.append([one.name, *cells])
    sizes = [["", "bytes", "save p50 / p99", "restore and go on p50 / p99"]]
    for each in saves:
        times = [f"{p50:,.0f} / {p99:,.0f} µs" for p50, p99 in (each.save_us, each.restore_us)]
        sizes.append([each.name, f"{each.size:,}", *times])
    return loops, sizes


def _text(tables: Sequence[Sequence[Sequence[str]]]) -> str:
    lines = ["## Costs", "", f"`python -m bench.frames`, Python {platform.python_version()}."]
    for rows in tables:
        lines += ["", _row(rows[0]), _row(["---", *["--:"] * (len(rows[0]) - 1)])]
        lines += [_row(row) for row in rows[1:]]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _write(text: str) -> None:
    old = PAGE.read_text("utf-8")
    if BEGIN not in old:
        old = f"{old.rstrip()}\n\n{BEGIN}\n{END}\n"
    before, _, rest = old.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", "utf-8")


def _figures(overheads: Sequence[Overhead], saves: Sequence[Save]) -> dict[str, object]:
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python, "overheads": overheads, "saves": saves}


def main(arguments: Sequence[str]) -> int:
    """Measure, show, say whether the bar holds."""
    parser = argparse.ArgumentParser("python -m bench.frames")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE}")
    options = parser.parse_args(arguments)
    overheads = [overhead(*one, options.rounds) for one in LOOPS]
    saves = [saved(*one) for one in SAVED]
    tables = _tables(overheads, saves)
    if options.json:
        print(msgspec.json.encode(_figures(overheads, saves)).decode())
    else:
        _show(tables)
    if options.write:
        _write(_text(tables))
    return int(overheads[0].ratio > AT_MOST)


def _show(tables: Sequence[Sequence[Sequence[str]]]) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=COLUMNS)
    for rows in tables:
        table = Table(*rows[0])
        for row in rows[1:]:
            table.add_row(*row)
        console.print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
