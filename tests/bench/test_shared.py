"""The benchmarks on shared servers: they run, and their verdicts are right."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from bench.beside import (
    EACH,
    UNPACED,
    Pair,
    Shown,
    Timed,
    Told,
    paired,
    shown as beside_shown,
)
from bench.fleets import Fleet, Size
from bench.growth import Load, shared_out
from bench.growth_page import Growth, Turn, ratios, shown as growth_shown
from bench.machine import Machine
from bench.places import ON_A_FILE, PLACES
from bench.report import Report, put
from bench.samples import Sample
from bench.targets import judged

ROOT = Path(__file__).parents[2]
MACHINE = Machine(cpu="x", cores=2, memory_gib=1, system="s", python="3", sqlite="3", fsync_ms=1)


def ran(*command: str) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def sample(workload: str, on: str, foreign: float = 0.0, **figures: float) -> Sample:
    """Return what a workload might have shown in a place."""
    return Sample(
        workload=workload,
        count=1,
        seconds=1.0,
        figures={name.replace("_", " "): value for name, value in figures.items()},
        cpu_us={"server": 1.0},
        foreign=foreign,
        on=on,
    )


def turn(size: str, workers: float, postgres: float = 0.0, rate: float = 9.0) -> Turn:
    """Return what a fleet might have shown."""
    used = {"servers": 100.0, "workers": workers, "postgres": postgres}
    return Turn(workload="w", rate=rate, size=size, cpu_us=used, per_second=1.0, others=0.0)


@pytest.mark.timeout(240)
def test_the_same_workloads_run_in_every_place_that_is_named() -> None:
    places = "postgres,postgres+redis,postgres+redis+s2"
    tiny = ("--quick", "--scale", "0.03", "--only", "live,warm,throughput", "--json")
    report = msgspec.json.decode(ran("bench", "--on", places, *tiny), type=Report)
    assert report.places == tuple(places.split(","))
    for on in report.places:
        found = {each.workload: each for each in report.samples if each.on == on}
        assert found["floor paced"].figures["commit p50"] > 0
        assert ("append p50" in found["floor paced"].figures) == ("s2" in on)
        # The system counts in hundredths of a second: one workload may have taken less.
        assert sum(each.cpu_us.get("postgres", 0) for each in found.values()) > 0
        assert ("redis" in found["live paced"].cpu_us) == ("redis" in on)
    rows = {(row.on, row.name): row for row in report.rows}
    assert rows["postgres", "messages, 50 runs at once"].must == "≥ 3,000"
    assert rows["both", "warm wait with Redis to one without, p50"].value > 0


async def test_a_fleet_gets_its_runs_at_the_rate_of_its_servers() -> None:
    asked, begun = time.perf_counter(), list[float]()

    async def begin(_number: int) -> None:
        begun.append(time.perf_counter())

    fleet = Fleet(Size(2, 4), ON_A_FILE, (), (), ())
    await shared_out(begin, Load(10, 100.0), fleet)
    assert len(begun) == 20
    assert max(begun) - asked >= 0.094


@pytest.mark.timeout(60)
def test_an_unknown_place_is_refused() -> None:
    command = [sys.executable, "-m", "bench", "--on", "postgres,nonsense"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"nonsense" in done.stdout
    assert all(place.encode() in done.stdout for place in PLACES)


def test_a_place_is_judged_by_what_it_must_reach_and_by_its_own_floor() -> None:
    rows = judged(
        [
            sample("floor paced", "sqlite", p50=0.5, p99=1.0),
            sample("floor paced", "postgres", p50=0.9, p99=1.0),
            *(sample("live paced", on, p50=1.9, p99=4.5) for on in ("sqlite", "postgres")),
            sample("live paced", "postgres+redis+s2", p50=19.0, p99=45.0),
        ]
    )
    found = {(row.on, row.name.rpartition(" ")[2]): (row.verdict, row.floor) for row in rows}
    assert found == {
        ("sqlite", "p50"): ("miss", 0.5),
        ("sqlite", "p99"): ("miss", 1.0),
        ("postgres", "p50"): ("pass", 0.9),
        ("postgres", "p99"): ("pass", 1.0),
        ("postgres+redis+s2", "p50"): ("", None),
        ("postgres+redis+s2", "p99"): ("", None),
    }


def test_a_warm_answer_with_redis_is_compared_within_its_round() -> None:
    without = [sample("warm paced", "postgres", p50=p50, p99=9.0) for p50 in (1.0, 2.0, 10.0)]
    with_it = [sample("warm paced", "postgres+redis", p50=p50, p99=9.0) for p50 in (2.0, 2.0, 10.0)]
    assert [row.value for row in judged([*without, *with_it]) if row.on == "both"] == [1.0]
    slower = [sample("warm paced", "postgres+redis", p50=p50, p99=9.0) for p50 in (1.1, 2.2, 11.0)]
    rows = judged([*without, *slower])
    assert [row.verdict for row in rows if row.on == "both"] == ["miss"]


@pytest.mark.timeout(240)
def test_a_tiny_fleet_grows() -> None:
    said = ran("bench.growth", "--runs", "20", "--rounds", "1").decode()
    lines = [line.split("|")[1:-1] for line in said.splitlines() if line.startswith("| a run")]
    assert [line[1].strip() for line in lines[:8]] == ["1 and 2", "2 and 4"] * 4
    assert all(float(line[4].replace(",", "")) > 0 for line in lines[:8])
    assert all("times" in line[1] for line in lines[8:])
    assert [line[4].strip() != "" for line in lines[8:]] == [True, True, False, False]


def test_growth_is_that_of_headrace_alone_and_of_each_round() -> None:
    turns = [
        turn("1 and 2", 100.0, postgres=1.0),
        turn("2 and 4", 120.0, postgres=999.0),
        turn("1 and 2", 300.0),
        turn("2 and 4", 380.0),
        turn("1 and 2", 100.0),
        turn("2 and 4", 140.0),
    ]
    assert ratios(turns) == {
        ("w", 9.0): [pytest.approx(1.1), pytest.approx(1.2), pytest.approx(1.2)]
    }
    growth = Growth(at="now", command="c", machine=MACHINE, turns=turns)
    assert "| w, 9 a second | 1.20 times | 1.10 to 1.20 | ≤ 1.10 | miss |" in growth_shown(growth)
    full = [turn(size, 100.0, rate=math.inf) for size in ("1 and 2", "2 and 4")]
    growth = Growth(at="now", command="c", machine=MACHINE, turns=full)
    assert "| w, as fast as can be | 1.00 times | 1.00 to 1.00 |  |  |" in growth_shown(growth)
    growth = Growth(at="now", command="c", machine=MACHINE, turns=turns[:2])
    assert "| w, 9 a second | 1.10 times | 1.10 to 1.10 | ≤ 1.10 | pass |" in growth_shown(growth)


@pytest.mark.timeout(240)
def test_every_part_that_the_model_starts_from_is_measured() -> None:
    said = ran("bench.measure", "--count", "20", "--runs", "10").decode()
    found = {
        cells[1].strip(): float(cells[2].split()[0].replace(",", ""))
        for cells in (line.split("|") for line in said.splitlines() if line.startswith("| "))
        if "measured" not in cells[2]
    }
    known = msgspec.json.decode((ROOT / "bench/scale/measured.json").read_bytes())
    assert known.keys() <= found.keys()
    assert 50 < found["Redis' memory for an entry"] < 1_000
    assert 50 < found["record in S2, as it is metered"] < 1_000
    assert found["rows written in Postgres, each answered run"] >= 4
    assert found["commit of a row in Postgres, p50"] > 0


def test_a_tree_is_compared_round_by_round_with_what_both_measure() -> None:
    def told(ms: float, rate: float, *more: str) -> Told:
        rows = [Shown("late", ms, "ms"), Shown("many", rate, "/s")]
        return Told([*rows, *(Shown(name, 1.0, "ms") for name in more)])

    turns = [
        (told(1.0, 100.0, "old"), told(1.2, 100.0, "new")),
        (told(10.0, 100.0), told(10.0, 50.0)),
        (told(1.0, 100.0), told(1.3, 50.0)),
    ]
    pairs = paired(turns)
    assert [(pair.name, round(pair.worse, 6)) for pair in pairs] == [("late", 1.2), ("many", 2.0)]
    assert beside_shown(pairs)[2].endswith("| ≤ 1.10 | miss |")
    even = Pair(name="late", unit="ms", before=[1.0], after=[1.1])
    assert beside_shown([even])[2].endswith("| pass |")


def test_back_to_back_a_message_takes_its_share_of_the_whole() -> None:
    def told(seconds: float) -> Told:
        return Told([], [Timed(UNPACED, 400, seconds), Timed("live paced", 400, 9.0)])

    (pair,) = paired([(told(0.4), told(0.5))])
    assert (pair.name, pair.before, pair.after) == (EACH, [1.0], [1.25])


def test_a_block_is_put_between_its_markers_and_nowhere_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<a>\nold\n</a>\nafter\n", "utf-8")
    put("new\n", "<a>", "</a>", page)
    assert page.read_text("utf-8") == "before\n<a>\nnew\n</a>\nafter\n"
    with pytest.raises(ValueError, match="<b>"):
        put("new\n", "<b>", "</b>", page)
