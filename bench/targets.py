"""What must be reached, and whether it is.

Owns: the figures that count, each with its floor, and the verdict. Must never know: how they were
measured.

A round counts for a figure only where other processes have used little of the machine meanwhile;
where no round is clean, all count, and the row says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final, Literal, TypeAlias

import msgspec

from bench.samples import Sample

FOREIGN_AT_MOST: Final = 0.12
BYTES: Final = "bytes"
Verdict: TypeAlias = Literal["pass", "first step", "miss", ""]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One figure: where it comes from, what it stands beside, and what it must be."""

    name: str
    unit: str
    workload: str
    figure: str
    floor: tuple[str, str] = ("", "")
    must: float | None = None
    above_floor: float | None = None
    first_step: float | None = None
    aim: float | None = None
    more_is_better: bool = False


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a target: the median of the rounds that count, and all rounds' range."""

    name: str
    unit: str
    value: float
    least: float
    most: float
    floor: float | None
    must: str
    aim: float | None
    verdict: Verdict
    rounds: int
    clean_rounds: int
    on: str = "sqlite"

    @property
    def is_noisy(self) -> bool:
        """Tell whether others may have had a part in it. They have none in the size of things."""
        return not self.clean_rounds and self.unit != BYTES


def _ms(name: str, workload: str, figure: str, **more: float | None) -> Target:
    floor = "floor back to back" if workload.endswith("back to back") else "floor paced"
    fields: dict[str, object] = {"floor": (floor, figure), **more}
    known = {"name": name, "unit": "ms", "workload": workload, "figure": figure}
    return msgspec.convert({**known, **fields}, Target)


class Musts(msgspec.Struct, frozen=True, kw_only=True):
    """What one place must reach; None: nothing is asked of it."""

    live: tuple[float, float] | None = None
    warm: float | None = None
    above_floor: tuple[float, float] | None = None
    evicted: float | None = None
    rate: float | None = None
    first_step: float | None = None


FILE: Final = Musts(
    live=(1.5, 4.0), warm=1.5, above_floor=(0.7, 1.0), evicted=3.0, rate=4_000, first_step=2_500
)
SHARED: Final = Musts(live=(2.0, 5.0), warm=2.0, rate=3_000)
MUSTS: Final = {"sqlite": FILE, "postgres": SHARED, "postgres+redis": SHARED}
AIM_P50, AIM_P99, AIM_WARM, AIM_RATE = 0.7, 1.5, 0.8, 8_000


def _targets(on: str) -> tuple[Target, ...]:
    """Return the targets of a place."""
    must = MUSTS.get(on, Musts())
    p50, p99 = must.live or (None, None)
    near, warm = must.above_floor or (None, None)
    aims = (AIM_P50, AIM_P99, AIM_WARM, AIM_RATE) if must is FILE else (None,) * 4
    live: dict[str, float | None] = {"must": p50, "above_floor": near, "aim": aims[0]}
    late: dict[str, float | None] = {"must": p99, "aim": aims[1]}
    paced, close = "live paced", "live back to back"
    parked: dict[str, float | None] = {"must": must.warm, "above_floor": warm, "aim": aims[2]}
    return (
        _ms("live, 3 ms gaps, p50", paced, "p50", **live),
        _ms("live, 3 ms gaps, p99", paced, "p99", **late),
        _ms("live, back to back, p50", close, "p50", **live),
        _ms("live, back to back, p99", close, "p99", **late),
        _ms("warm wait, 3 ms gaps, p50", "warm paced", "p50", **parked),
        _ms("warm wait, 3 ms gaps, p99", "warm paced", "p99"),
        _ms("answer after eviction, p50", "evicted paced", "p50", must=must.evicted),
        _ms("answer after eviction, p99", "evicted paced", "p99"),
        _rate("messages, 50 runs at once", "throughput", must, aims[3]),
        _rate("trivial runs, started and finished", "starts", must, aims[3]),
    )


def _rate(name: str, workload: str, must: Musts, aim: float | None) -> Target:
    return Target(
        name=name,
        unit="/s",
        workload=workload,
        figure="per second",
        floor=("floor rate", "per second"),
        must=must.rate,
        first_step=must.first_step,
        aim=aim,
        more_is_better=True,
    )


KILLS: Final = (
    Target(name="worker killed, next message", unit="s", workload="killed worker", figure="p50 s"),
    Target(name="server killed, next message", unit="s", workload="killed server", figure="p50 s"),
)
NO_SLOWER: Final = Target(
    name="warm wait with Redis to one without, p50",
    unit="times",
    workload="warm paced",
    figure="ratio",
    must=1.05,
)


def judged(samples: Sequence[Sample]) -> list[Row]:
    """Return a row for every target that was measured, place by place, then what compares them."""
    places = dict.fromkeys(sample.on for sample in samples)
    rows = [row for on in places for row in _judged(on, [at for at in samples if at.on == on])]
    return rows + _beside(samples)


def _judged(on: str, samples: Sequence[Sample]) -> list[Row]:
    workloads = dict.fromkeys(sample.workload for sample in samples)
    targets = (
        *_targets(on),
        *(target for workload in workloads for target in _sized(workload)),
        *KILLS,
    )
    return [_row(target, samples, on) for target in targets if _of(samples, target.workload)]


def _beside(samples: Sequence[Sample]) -> list[Row]:
    """Compare a warm answer with Redis to one without, each round by itself."""
    with_it, without = (
        [at for at in samples if at.workload == "warm paced" and at.on == on]
        for on in ("postgres+redis", "postgres")
    )
    ratios = [
        msgspec.structs.replace(
            one, foreign=max(one.foreign, other.foreign), figures={"ratio": _ratio(one, other)}
        )
        for one, other in zip(with_it, without, strict=False)
    ]
    return [_row(NO_SLOWER, ratios, "both")] if ratios else []


def _ratio(one: Sample, other: Sample) -> float:
    return one.figures["p50"] / other.figures["p50"]


def _sized(workload: str) -> tuple[Target, ...]:
    """Return the targets of a workload that has a size, or an interpreter, in its name."""
    kind, _, rest = workload.partition(" ")
    match kind:
        case "footprint":
            return _footprint(workload)
        case "resume":
            return _endured(workload, *rest.split())
        case "awaits":
            name = f"await loop made resumable, Python {rest}"
            return (Target(name=name, unit="times", workload=workload, figure="ratio", must=1.3),)
        case _:
            return ()


def _endured(workload: str, few: str, many: str) -> tuple[Target, ...]:
    """Return the targets of runs that have waited often."""
    few, many = f"{int(few):,}", f"{int(many):,}"
    return (
        Target(
            name=f"answer after eviction, {few} earlier waits, p50",
            unit="ms",
            workload=workload,
            figure="few p50",
        ),
        Target(
            name=f"answer after eviction, {many} earlier waits, p50",
            unit="ms",
            workload=workload,
            figure="many p50",
        ),
        Target(name=f"{many} to {few}", unit="times", workload=workload, figure="ratio", must=1.5),
    )


def _footprint(workload: str) -> tuple[Target, ...]:
    """Return the targets of so many waiting runs."""
    each = f"each of {int(workload.split()[1]):,} waiting runs"
    return (
        Target(
            name=f"disk, {each}",
            unit=BYTES,
            workload=workload,
            figure="disk bytes",
            must=600.0,
            aim=450.0,
        ),
        Target(
            name=f"server's memory, {each}", unit=BYTES, workload=workload, figure="server bytes"
        ),
        Target(
            name=f"worker's memory, {each}, parked",
            unit=BYTES,
            workload=workload,
            figure="worker bytes",
        ),
    )


def _row(target: Target, samples: Sequence[Sample], on: str) -> Row:
    every = _of(samples, target.workload)
    values = [sample.figures[target.figure] for sample in every]
    value = _median(every, target.figure)
    beside = _of(samples, target.floor[0])
    floor = _median(beside, target.floor[1]) if beside else None
    return Row(
        name=target.name,
        unit=target.unit,
        value=value,
        least=min(values),
        most=max(values),
        floor=floor,
        must=_must(target),
        aim=target.aim,
        verdict=_verdict(target, value, floor),
        rounds=len(every),
        clean_rounds=len(_clean(every)),
        on=on,
    )


def _of(samples: Sequence[Sample], workload: str) -> list[Sample]:
    return [sample for sample in samples if sample.workload == workload]


def _clean(samples: Sequence[Sample]) -> list[Sample]:
    return [sample for sample in samples if sample.foreign <= FOREIGN_AT_MOST]


def _median(samples: Sequence[Sample], figure: str) -> float:
    return median(sample.figures[figure] for sample in _clean(samples) or samples)


def _must(target: Target) -> str:
    if target.must is None:
        return ""
    text = f"{'≥' if target.more_is_better else '≤'} {target.must:,g}"
    return text if target.above_floor is None else f"{text}, ≤ floor + {target.above_floor:g}"


def _verdict(target: Target, value: float, floor: float | None) -> Verdict:
    if target.must is None:
        return ""
    if target.more_is_better:
        if value >= target.must:
            return "pass"
        is_step = target.first_step is not None and value >= target.first_step
        return "first step" if is_step else "miss"
    above = target.above_floor
    is_near = above is None or floor is None or value <= floor + above
    return "pass" if value <= target.must and is_near else "miss"
