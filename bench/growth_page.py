"""What a run costs on a fleet of one size and of another: the table, the page, the verdict.

Must never know: how anything was measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Final, TypeAlias

import msgspec

from bench.machine import Machine
from bench.report import put as put_block

BEGIN: Final = "<!-- measured: python -m bench.growth --write -->"
END: Final = "<!-- end of growth -->"
MOST: Final = 1.10
"""What a run may cost on the larger fleet, by what it costs on the smaller one."""
OURS: Final = ("servers", "workers")


Case: TypeAlias = tuple[str, float]
"""A workload, and its rate for each server."""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One workload once on one fleet; `cpu_us` is for each run, by who used it.

    `rate` is how many runs each server got in a second; infinite, if as many as it could take.
    """

    workload: str
    rate: float
    size: str
    cpu_us: dict[str, float]
    per_second: float
    others: float

    @property
    def case(self) -> Case:
        """Return what is compared between the fleets."""
        return self.workload, self.rate

    @property
    def ours_us(self) -> float:
        """Return the processor time of all processes of Headrace."""
        return sum(self.cpu_us[who] for who in OURS)


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """All of one run of the command."""

    at: str
    command: str
    machine: Machine
    turns: list[Turn]


def ratios(turns: Sequence[Turn]) -> dict[Case, list[float]]:
    """Return by case what a run costs on the larger fleet by the smaller, round by round."""
    found = dict[Case, list[float]]()
    for case in dict.fromkeys(turn.case for turn in turns):
        small, large = (_of(turns, case, size) for size in _sizes(turns))
        pairs = zip(small, large, strict=True)
        found[case] = [two.ours_us / one.ours_us for one, two in pairs]
    return found


def shown(growth: Growth) -> str:
    """Return the tables."""
    behind = [who for who in growth.turns[0].cpu_us if who not in OURS]
    names = ("", "servers and workers", "servers, µs", "workers, µs", "together", *behind, "runs/s")
    grown = ratios(growth.turns)
    lines = [
        _how(growth),
        "",
        f"| {' | '.join(names)} |".replace("|  |", "| |"),
        f"|---|---{'|---:' * (len(names) - 2)}|",
        *(
            _line(growth.turns, case, size, behind)
            for case in grown
            for size in _sizes(growth.turns)
        ),
        "",
        "| growth | median of the rounds | all rounds | must | |",
        "|---|---:|---:|---:|---|",
        *(_verdict(case, each) for case, each in grown.items()),
    ]
    return "\n".join(lines) + "\n"


def put(growth: Growth) -> None:
    """Put the tables into the docs."""
    put_block(shown(growth), BEGIN, END)


def _line(turns: Sequence[Turn], case: Case, size: str, behind: Sequence[str]) -> str:
    found = _of(turns, case, size)
    whole = median(turn.ours_us for turn in found)
    used = {who: median(turn.cpu_us[who] for turn in found) for who in (*OURS, *behind)}
    figures = [*(used[who] for who in OURS), whole, *(used[who] for who in behind)]
    rate = median(turn.per_second for turn in found)
    cells = [_named(case), size, *(f"{figure:,.0f}" for figure in figures), f"{rate:,.0f}"]
    return f"| {' | '.join(cells)} |"


def _verdict(case: Case, grown: Sequence[float]) -> str:
    middle = median(grown)
    span = f"{min(grown):.2f} to {max(grown):.2f}"
    bound, verdict = f"≤ {MOST:.2f}", "pass" if middle <= MOST else "miss"
    if math.isinf(case[1]):
        bound = verdict = ""
    return f"| {_named(case)} | {middle:.2f} times | {span} | {bound} | {verdict} |"


def _named(case: Case) -> str:
    workload, rate = case
    return f"{workload}, {'as fast as can be' if math.isinf(rate) else f'{rate:.0f} a second'}"


def _of(turns: Sequence[Turn], case: Case, size: str) -> list[Turn]:
    return [turn for turn in turns if (turn.case, turn.size) == (case, size)]


def _sizes(turns: Sequence[Turn]) -> list[str]:
    return sorted({turn.size for turn in turns})


def _how(growth: Growth) -> str:
    at = growth.machine
    where = f"on {at.cores} cores of {at.cpu}"
    return f"`{growth.command}`, {growth.at}, {where}; {_others(growth.turns)}."


def _others(turns: Sequence[Turn]) -> str:
    used = sorted(turn.others for turn in turns)
    return f"other programs used {used[0]:.0%} to {used[-1]:.0%} of the machine"
