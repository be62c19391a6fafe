"""What came of a crowd of waiting runs: whether it is enough, and the page about it.

Must never know: how anything was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from bench.machine import Machine

PAGE: Final = Path(__file__).parents[1] / "docs/reliability/crowd.md"
MIB: Final = 1 << 20
MORE_MIB, DISK, READY_S = 64, 600, 5.0
"""What a worker may occupy more than an idle one, bytes of disk for each run, time to start."""


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes are bytes. What must hold is what `missed` looks at."""

    runs: int
    warm_s: float
    gathered_s: float
    idle: int
    most: int
    waiting: int
    trimmed_s: float
    server: int
    disk: float
    served_s: float
    ready_s: float
    first_s: float
    answered_s: float
    slowest_s: float
    over: int
    """How much more the second worker occupies in the end than when it was idle."""
    wrong: int

    def missed(self) -> list[str]:
        """Say what is not as it must be."""
        return list(self._missed())

    def _missed(self) -> Iterator[str]:
        if self.waiting - self.idle > MORE_MIB * MIB:
            yield f"the worker occupies {_mib(self.waiting - self.idle)} more than when idle"
        if self.over > MORE_MIB * MIB:
            yield f"the second worker occupies {_mib(self.over)} more than when idle"
        if self.disk > DISK:
            yield f"a run takes {self.disk:.0f} bytes of disk"
        if self.ready_s > READY_S:
            yield f"it took {self.ready_s:.1f} s to start again"
        if self.wrong:
            yield f"{self.wrong} runs have another result than they should"


def shown(crowd: Crowd, at: Machine) -> str:
    """Write it down as a page of the documentation."""
    rows = (
        ("date", f"{datetime.now(UTC):%Y-%m-%d}", ""),
        ("started, all saved and gone", f"{crowd.gathered_s:.0f} s", ""),
        ("the worker, idle", _mib(crowd.idle), ""),
        ("the worker, at the most", _mib(crowd.most), ""),
        ("the worker, when all had left", _mib(crowd.waiting), f"≤ idle + {MORE_MIB} MiB"),
        ("the server then", _mib(crowd.server), ""),
        ("disk for each run", f"{crowd.disk:.0f} bytes", f"≤ {DISK}"),
        ("from the start of the new server until it serves", _s(crowd.served_s), ""),
        ("until the worker serves, too", _s(crowd.ready_s), f"≤ {READY_S:g} s"),
        ("until an old run was answered and over", _s(crowd.first_s), ""),
        ("all others answered and over", f"{crowd.answered_s:.0f} s: {_rate(crowd)} a second", ""),
        ("the slowest trigger or send", _s(crowd.slowest_s), ""),
        ("the new worker then, beside idle", f"+{_mib(crowd.over)}", f"≤ {MORE_MIB} MiB"),
        ("runs with another result than they should have", f"{crowd.wrong}", "0"),
    )
    table = "\n".join(f"| {name} | {value} | {must} |" for name, value, must in rows)
    return f"""# {crowd.runs:,} runs wait

`python -m bench.crowd --write` starts `headrace serve` and `headrace worker` as a user does, and
{crowd.runs:,} runs of a small task. Each waits for an answer that may come in a month, stays warm
for {crowd.warm_s:g} s, is saved and leaves. Then everything is killed with -9 and started again,
every run is answered, and every result is looked at. Disk is the database after a checkpoint,
divided by the runs.

{at.cores} cores of {at.cpu}, {at.memory_gib:g} GiB, {at.system}, Python {at.python},
SQLite {at.sqlite}.

| | measured | must |
|---|--:|--:|
{table}

{_verdict(crowd)}
"""


def _verdict(crowd: Crowd) -> str:
    missed = crowd.missed()
    return f"Missed: {'; '.join(missed)}." if missed else "All of it holds."


def _mib(size: float) -> str:
    return f"{size / MIB:.0f} MiB"


def _s(seconds: float) -> str:
    return f"{seconds:.2f} s"


def _rate(crowd: Crowd) -> str:
    return f"{crowd.runs / crowd.answered_s:,.0f}"
