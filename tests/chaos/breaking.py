"""A whole campaign against several servers: shown while it goes on, judged, written down."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from rich.console import Console

from tests.chaos.campaign import Plan
from tests.chaos.several import Course, fight
from tests.chaos.several_report import Fought, summary, waited_s, written
from tests.history import events as e


def breaking(course: Course, keep: Path | None, page: Path | None) -> Fought:
    """Go through it; leave everything in the empty folder `keep`, and what came of it in `page`."""
    console, started, waited = Console(stderr=True, width=120), time.monotonic(), waited_s()
    fought = Fought(course)

    def judge(plan: Plan, history: list[e.Event]) -> None:
        wave = fought.judge(plan, history)
        fought.seconds, fought.waited_s = time.monotonic() - started, waited_s() - waited
        console.print(
            f"{fought.seconds:6,.0f} s: {fought.count('acknowledged'):,} of {course.sends:,}"
            f" acknowledged, {fought.struck().total()} troubles"
        )
        for fault in wave.faults():
            console.print(f"[red]{fault}[/red]")

    console.print(f"seed {course.seed}: {course.sends:,} sends on {course.place}")
    with tempfile.TemporaryDirectory(prefix="headrace-chaos-") as temporary:
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
        fight(course, keep or Path(temporary), judge)
    if page is not None:
        page.write_text(written(fought, page.read_text("utf-8") if page.exists() else ""), "utf-8")
    console.print(summary(fought))
    for fault in fought.faults():
        console.print(f"[red]{fault}[/red]")
    return fought
