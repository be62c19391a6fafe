"""The benchmark itself: it runs, its JSON can be read, its verdicts are right."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench.crowd_page import MIB, Crowd, shown
from bench.machine import Machine
from bench.plan import COMPARED, FULL, QUICK, WORKLOADS, Plan
from bench.report import BEGIN, END, PAGE, Report
from bench.samples import Sample, quantile, spread
from bench.slow import Slow, shown as slow_shown
from bench.subscribers_page import Counts, Lateness, Subscribed, shown as subscribers_shown
from bench.targets import judged

ROOT = Path(__file__).parents[2]
TINY = ("--quick", "--scale", "0.03", "--json")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
"""In such steps the machine counts processor time, on each core."""
MACHINE = Machine(cpu="x", cores=2, memory_gib=1, system="s", python="3", sqlite="3", fsync_ms=1)


def sample(workload: str, foreign: float = 0.0, **figures: float) -> Sample:
    """Return what a workload might have shown."""
    return Sample(
        workload=workload,
        count=1,
        seconds=1.0,
        figures={name.replace("_", " "): value for name, value in figures.items()},
        cpu_us={"server": 1.0, "worker": 1.0, "sender": 1.0},
        foreign=foreign,
    )


@pytest.mark.timeout(240)
def test_a_tiny_run_measures_everything_and_prints_json() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", *TINY], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    report = msgspec.json.decode(done.stdout, type=Report)
    assert len(report.samples) == Plan(QUICK.times(0.03), WORKLOADS).steps
    rows = {row.name: row for row in report.rows}
    for name, row in rows.items():
        if row.unit != "bytes":  # so few runs may fit into memory that was there
            assert row.value > 0, name
    assert 0 < rows["live, 3 ms gaps, p50"].value <= rows["live, 3 ms gaps, p99"].value < 10_000
    assert 100 < rows["disk, each of 30 waiting runs"].value < 100_000
    for each in report.samples:
        most = (os.cpu_count() or 1) * (1 + 2 * TICK_S / each.seconds)
        assert 0 <= each.foreign <= most, each.workload
    live = next(each for each in report.samples if each.workload == "live paced")
    assert 0 <= live.figures["met a wait"] <= 1
    warm = next(each for each in report.samples if each.workload == "warm paced")
    assert warm.figures["met a wait"] >= 1 / warm.count  # the first is sent when the run waits
    assert live.cpu_us["server"] > 0
    assert report.machine.fsync_ms > 0


@pytest.mark.timeout(60)
def test_an_unknown_workload_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "live,nonsense"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert b"nonsense" in done.stdout


def test_only_what_is_asked_for_is_planned() -> None:
    assert Plan(QUICK, ("live",)).steps == 4
    assert Plan(FULL, ("starts",)).steps == 2 * FULL.rounds
    assert Plan(FULL, ("footprint", "kills")).steps == 4
    assert Plan(QUICK, ("evicted", "resume")).steps == 3
    assert Plan(QUICK, ("awaits",), ("python3", "python3.13")).steps == 2
    both = Plan(QUICK, ("warm", "live"), places=("postgres", "postgres+redis"))
    assert both.steps == 2 * (COMPARED + 4)


def test_quantiles_are_values_that_were_measured() -> None:
    assert quantile([3.0], 0.99) == 3.0
    assert quantile([4.0, 1.0, 2.0, 3.0], 0.5) == 2.0
    assert spread([float(n) for n in range(1, 101)]) == {"p50": 50.0, "p99": 99.0}


def test_a_figure_must_be_small_in_itself_and_beside_its_floor() -> None:
    floor = sample("floor paced", p50=0.5, p99=1.0)

    def verdict(p50: float) -> str:
        rows = judged([floor, sample("live paced", p50=p50, p99=2.0)])
        return next(row.verdict for row in rows if row.name == "live, 3 ms gaps, p50")

    assert verdict(1.2) == "pass"
    assert verdict(1.3) == "miss"  # below 1.5, but more than the floor and 0.7
    slow = sample("floor paced", p50=5.0, p99=9.0)
    rows = judged([slow, sample("live paced", p50=1.6, p99=4.5)])
    assert [row.verdict for row in rows] == ["miss", "miss"]


def test_a_rate_passes_reaches_the_first_step_or_misses() -> None:
    def verdict(rate: float) -> str:
        return judged([sample("starts", per_second=rate)])[0].verdict

    assert [verdict(rate) for rate in (4_000, 3_999, 2_500, 2_499)] == [
        "pass",
        "first step",
        "first step",
        "miss",
    ]


def test_ratios_are_named_after_what_they_compare() -> None:
    rows = judged(
        [
            sample("resume 10 10000", few_p50=2.0, many_p50=3.2, ratio=1.6),
            sample("awaits 3.13", ratio=1.2),
        ]
    )
    named = {row.name: (row.unit, row.verdict) for row in rows}
    assert named == {
        "answer after eviction, 10 earlier waits, p50": ("ms", ""),
        "answer after eviction, 10,000 earlier waits, p50": ("ms", ""),
        "10,000 to 10": ("times", "miss"),
        "await loop made resumable, Python 3.13": ("times", "pass"),
    }


def test_a_crowd_says_what_it_has_missed() -> None:
    good = Crowd(
        runs=2,
        warm_s=0.0,
        gathered_s=1.0,
        idle=50 * MIB,
        most=200 * MIB,
        waiting=114 * MIB,
        trimmed_s=1.0,
        server=80 * MIB,
        disk=600.0,
        served_s=1.0,
        ready_s=5.0,
        first_s=5.1,
        answered_s=1.0,
        slowest_s=0.1,
        over=64 * MIB,
        wrong=0,
    )
    assert good.missed() == []
    bad = msgspec.structs.replace(
        good, waiting=115 * MIB, over=65 * MIB, disk=601.0, ready_s=5.1, wrong=1
    )
    assert len(bad.missed()) == 5
    assert "All of it holds." in shown(good, MACHINE)
    assert "Missed: the worker occupies 65 MiB more than when idle" in shown(bad, MACHINE)


@pytest.mark.timeout(120)
def test_a_small_crowd_waits_is_killed_and_comes_to_its_end() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.crowd", "--runs", "40", "--warm", "0.2", "--json"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    crowd = msgspec.json.decode(done.stdout, type=Crowd)
    assert (crowd.runs, crowd.wrong) == (40, 0)
    assert 0 < crowd.idle < crowd.waiting + 64 * MIB


def test_subscriptions_say_what_they_have_missed() -> None:
    start, quick = Counts(100 * MIB, 50, 2), Lateness(9, 1.0, 500.0, 900.0)
    good = Subscribed(
        subscriptions={"polls of a run": 1_024},
        runs=1,
        messages=3,
        rate=1.0,
        opened_s=1.0,
        start=start,
        held=Counts(140 * MIB, 1_074, 2),
        busy=start,
        closed=start,
        closed_s=1.0,
        again=Counts(102 * MIB, 50, 2),
        lateness={"all": quick},
        lost=0,
        broken=0,
        own=quick,
        cpu={"server": 0.5},
        foreign=0.0,
    )
    assert good.missed() == []
    worse = {
        "busy": Counts(141 * MIB, 1_074, 2),
        "lateness": {"all": Lateness(9, 1.0, 501.0, 900.0)},
        "lost": 1,
        "broken": 1,
        "closed": Counts(100 * MIB, 51, 2),
        "again": Counts(103 * MIB, 50, 9),
    }
    for name, value in worse.items():
        assert msgspec.structs.replace(good, **{name: value}).missed(), name
    bad = msgspec.structs.replace(good, **worse)
    assert len(bad.missed()) == 7
    assert "All of it holds." in subscribers_shown(good, MACHINE)
    assert "Missed: a subscription takes 41.0 KiB" in subscribers_shown(bad, MACHINE)


def test_slow_clients_say_what_was_missed() -> None:
    quick = Lateness(9, 1.0, 2.0, 3.0)
    good = Slow(each=2, cut_s={"nap": (15.0, 15.5)}, uncut=0, alone=quick, beside=quick, failed=0)
    assert good.missed() == []
    bad = msgspec.structs.replace(good, cut_s={"nap": (15.0, 15.6)}, uncut=1, failed=1)
    assert len(bad.missed()) == 3
    assert "All of it holds." in slow_shown(good, MACHINE)
    assert "Missed: those who nap were cut after 15.6 s" in slow_shown(bad, MACHINE)


@pytest.mark.timeout(240)
def test_a_few_hundred_subscribers_hear_everything_and_are_given_back() -> None:
    asked = ("--count", "300", "--messages", "90", "--rate", "60", "--json")
    done = subprocess.run(
        [sys.executable, "-m", "bench.subscribers", *asked],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    found = msgspec.json.decode(done.stdout, type=Subscribed)
    assert (found.count, found.lost, found.broken) == (300, 0, 0), done.stderr.decode()
    # Each turn reaches two who read input, three who read output, four polls of the run and five
    # of its tag.
    assert found.lateness["all"].count == 30 * (2 + 3 + 4 + 5)
    assert found.held.files >= found.start.files + 290
    assert max(found.closed.files, found.again.files) <= found.start.files
    assert found.each > 0


def test_a_noisy_round_does_not_count_beside_a_clean_one() -> None:
    clean = sample("warm paced", p50=1.0, p99=1.0)
    noisy = [sample("warm paced", foreign=0.5, p50=9.0, p99=9.0) for _ in range(3)]
    row = judged([clean, *noisy])[0]
    assert (row.value, row.most, row.rounds, row.clean_rounds) == (1.0, 9.0, 4, 1)
    row = judged(noisy)[0]
    assert (row.value, row.clean_rounds) == (9.0, 0)


def test_the_page_has_room_for_the_table() -> None:
    text = PAGE.read_text("utf-8")
    assert 0 < text.index(BEGIN) < text.index(END)
