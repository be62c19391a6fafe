"""The tables of docs/concepts/scale.md, and how they get there.

Must never know: how anything was simulated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from bench.scale import parameters as p
from bench.scale.model import CASES, Cost, cost
from bench.scale.plan import Disaster
from bench.scale.tally import Late, Outcome

PAGE: Final = Path(__file__).parents[2] / "docs/concepts/scale.md"
UNITS: Final = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
COMMANDS: Final = {
    p.BENCHMARKS: "python -m bench",
    p.CROWD: "python -m bench.crowd",
    p.SCALE: "python -m bench.measure",
}
MS: Final = 1e-3
US: Final = 1e-6
SMALL, LARGE = 10, 100
"""Below and from which figures have fewer places."""
Row: TypeAlias = Sequence[str]
Herds: TypeAlias = Mapping[tuple[Disaster, int, str], Outcome]
"""By what went wrong, the number of servers and the name of the policy."""


def put(blocks: Mapping[str, str], page: Path = PAGE) -> None:
    """Write each block between its markers."""
    text = page.read_text("utf-8")
    for name, block in blocks.items():
        begin, end = markers(name)
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"{page.name} has no markers for {name}")
        text = f"{before}{begin}\n{block}\n{end}{after}"
    page.write_text(text, "utf-8")


def markers(name: str) -> tuple[str, str]:
    """Return what stands before and after a block."""
    return f"<!-- python -m bench.scale --write: {name} -->", f"<!-- end: {name} -->"


def parameters() -> str:
    """Show every number that goes in, and where it comes from."""
    rows = [(each.meaning, _amount(each), _source(each.source)) for each in p.ALL]
    return _table(("what", "value", "source"), rows, left=(0, 2))


def model() -> str:
    """Show what one million and one billion cost."""
    lines: tuple[tuple[str, Callable[[Cost], str]], ...] = (
        ("answers a second", lambda each: _count(each.answers)),
        ("messages a second, with those to live runs", lambda each: _count(each.messages)),
        ("servers", lambda each: _count(each.servers)),
        ("workers", lambda each: _count(each.workers)),
        ("changes in the database a second", lambda each: _count(each.rows)),
        ("its cores, each change alone", lambda each: _count(each.cores_alone)),
        ("its cores, in full groups", lambda each: _count(each.cores_grouped)),
        ("its disk", lambda each: _size(each.disk)),
        ("memory of all servers, as SQLite has it today", lambda each: _size(each.memory)),
        ("Redis, only live runs", lambda each: _size(each.redis_live)),
        ("Redis, every run that waits", lambda each: _size(each.redis_map)),
        ("S2, one record for each run", lambda each: _size(each.stored)),
        ("its storage, a month", lambda each: _dollars(each.stored_dollars)),
        ("its appends and reads, a month", lambda each: _dollars(each.traffic_dollars)),
        ("if each look at a live run read S2, a month", lambda each: _dollars(each.looks_dollars)),
    )
    costs = [cost(case) for case in CASES]
    rows = [(name, *(shown(each) for each in costs)) for name, shown in lines]
    return _table(("", *(case.name for case in CASES)), rows)


def calm(outcomes: Mapping[int, Outcome]) -> str:
    """Show a time in which nothing goes wrong, for each number of servers."""
    lines: tuple[tuple[str, Callable[[Outcome], str]], ...] = (
        ("runs that were woken", lambda each: f"{each.woken.count:,}"),
        ("message until the code has it, p50", lambda each: _s(each.woken.p50)),
        ("p99", lambda each: _s(each.woken.p99)),
        ("most", lambda each: _s(each.woken.most)),
        ("messages to live runs", lambda each: f"{each.live.count:,}"),
        ("until the code has it, p50", lambda each: _s(each.live.p50)),
        ("p99", lambda each: _s(each.live.p99)),
        ("most", lambda each: _s(each.live.most)),
        ("a server's loop is busy", lambda each: f"{each.loops:.1%}"),
        ("statements in the database for messages", lambda each: f"{each.statements:,}"),
        ("changes in them", lambda each: f"{each.rows:,}"),
        ("most statements in 100 ms", lambda each: f"{each.peak:,}"),
        ("statements without any message", lambda each: f"{each.idle:,}"),
        ("look-ups in Redis", lambda each: f"{each.lookups:,}"),
        ("Redis, only live runs", lambda each: _size(each.redis_bytes)),
        ("Redis, every run that waits", lambda each: _size(each.redis_map_bytes)),
        ("appends to S2", lambda each: f"{each.appends:,}"),
        ("reads of S2", lambda each: f"{each.reads:,}"),
        ("S2, appends and reads", lambda each: _dollars(each.s2_dollars)),
    )
    rows = [(name, *(shown(each) for each in outcomes.values())) for name, shown in lines]
    return _table(("", *(_servers(count) for count in outcomes)), rows)


def herds(outcomes: Herds) -> str:
    """Show what went wrong, what helped, and how long it was felt: a table for each disaster."""
    parts = list[str]()
    for disaster in Disaster:
        found = {key[1:]: each for key, each in outcomes.items() if key[0] is disaster}
        if found:
            rows = [
                (_servers(count), policy, *_herd(each, disaster))
                for (count, policy), each in found.items()
            ]
            head = ("", "", *HERD, *ALSO.get(disaster, ()))
            title = f"**{disaster.value[0].upper()}{disaster.value[1:]}**"
            parts.append(f"{title}\n\n{_table(head, rows, left=(0, 1))}")
    return "\n\n".join(parts)


HERD: Final = (
    "sent in it",
    "p50",
    "p99",
    "through after",
    "p99 after it",
    "most statements in 100 ms",
)
ALSO: Final = {
    Disaster.DATABASE: ("lost runs go on, p99",),
    Disaster.SERVERS: ("followers are back, p99",),
}


def _herd(each: Outcome, disaster: Disaster) -> Row:
    also = {
        Disaster.DATABASE: (_s(each.again.p99),),
        Disaster.SERVERS: (_s(each.back.p99),),
    }
    return (
        f"{each.held.count:,}",
        _s(each.held.p50),
        _s(each.held.p99),
        _s(each.through_s),
        _late(each.after),
        f"{each.peak:,}",
        *also.get(disaster, ()),
    )


def _late(late: Late) -> str:
    return _s(late.p99) if late.count else ""


def _table(head: Row, rows: Iterable[Row], left: Sequence[int] = (0,)) -> str:
    rule = "|".join("---" if nth in left else "--:" for nth in range(len(head)))
    lines = [f"| {' | '.join(head)} |", f"|{rule}|"]
    lines.extend(f"| {' | '.join(row)} |" for row in rows)
    return "\n".join(lines)


def _source(source: p.Source) -> str:
    match source:
        case p.Measured(page=p.SCALE, row=row):
            return f"measured by `{COMMANDS[p.SCALE]}`: below, *{row}*"
        case p.Measured(page=page, row=row):
            link = f"[{Path(page).name}](../{page.removeprefix('docs/')})"
            return f"measured by `{COMMANDS[page]}`: {link}, *{row}*"
        case p.Coded(file=file, name=name):
            return f"code: `{file}`, `{name}`"
        case p.Assumed(reason=reason):
            return f"assumed: {reason}"


def _amount(each: p.Parameter) -> str:
    match each.unit:
        case "s":
            return _s(each.value)
        case "bytes":
            return _size(each.value)
        case "$":
            return f"${each.value:g}"
        case _:
            return f"{each.value:g}"


def _servers(count: int) -> str:
    return f"{count} server{'s' if count > 1 else ''}"


def _s(seconds: float) -> str:
    if seconds < MS:
        return f"{seconds / US:.0f} µs"
    if seconds < 1:
        return f"{seconds / MS:.3g} ms"
    return f"{seconds:,.0f} s" if seconds >= LARGE else f"{seconds:.3g} s"


def _size(size: float) -> str:
    for unit, name in UNITS:
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size:.0f} bytes"


def _count(amount: float) -> str:
    return f"{amount:,.1f}" if amount < SMALL else f"{amount:,.0f}"


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount < LARGE else f"${amount:,.0f}"
