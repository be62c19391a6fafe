"""Draw the life of a run as Mermaid, by asking the kernel about every sample of run and command.

Owns: the samples and the drawing. Must never know: what the answer is, so that it cannot lie.

    python tools/lifecycle.py           writes docs/concepts/_lifecycle.mmd
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from headrace.kernel import commands as c
from headrace.kernel.machine import decide
from headrace.kernel.model import (
    Blocked,
    Canceled,
    Cause,
    Delayed,
    Entry,
    EnvId,
    Instant,
    Key,
    Limits,
    Over,
    Queued,
    Record,
    Retry,
    Retrying,
    Run,
    RunId,
    Running,
    Stop,
    TaskId,
    TimedOut,
    Wait,
    Waiting,
    WorkerId,
    inward,
)

PAGE: Final = Path(__file__).parents[1] / "docs/concepts/_lifecycle.mmd"

THEN, NOW, SOON = Instant(1_000), Instant(2_000), Instant(3_000)
WORKER: Final = WorkerId("worker")
EPOCH: Final = 1
CAUSE: Final = Cause("why")
STREAM: Final = inward("approval")
RECORD: Final = Record(0, b"1", NOW)
WAIT: Final = Wait(Key("/approval#0"), STREAM, deadline=SOON)
DUE: Final = replace(WAIT, deadline=NOW)
OTHER: Final = Wait(Key("/approval#1"), STREAM)
STEP: Final = Entry(0, Key("/step#0"), "step", "value", b"1", NOW)

NEW: Final = Run(RunId("run"), EnvId("env"), TaskId("task"), THEN, Queued(THEN))
HELD: Final = replace(
    NEW, state=Running(WORKER), epoch=EPOCH, attempt=1, started=THEN, resumed=THEN, waits=(WAIT,)
)
WARM: Final = replace(HELD, state=Waiting(WORKER), resumed=None)
RUNS: Final = (
    replace(NEW, state=Delayed(NOW)),
    NEW,
    replace(NEW, limits=Limits(ttl_ms=500)),
    replace(HELD, state=Queued(THEN), resumed=None),
    replace(HELD, state=Retrying(NOW), resumed=None, failures=1),
    HELD,
    replace(HELD, lost=2),
    replace(HELD, limits=Limits(max_attempts=1)),
    replace(HELD, limits=Limits(max_duration_ms=500)),
    replace(HELD, stop=Stop(NOW, Canceled())),
    replace(HELD, stop=Stop(NOW, TimedOut())),
    replace(HELD, stop=Stop(SOON, Canceled()), lost=2),
    replace(HELD, stop=Stop(SOON, TimedOut()), lost=2),
    WARM,
    replace(WARM, waits=(DUE,)),
    replace(WARM, state=Waiting(None)),
    replace(WARM, state=Waiting(None), waits=(DUE,)),
    replace(HELD, state=Blocked(CAUSE), resumed=None),
    replace(HELD, state=Over(Canceled(), THEN), resumed=None, waits=()),
)
COMMANDS: Final[tuple[c.Command, ...]] = (
    c.Claim(WORKER),
    c.Lose(WORKER),
    c.Deliver(STREAM, (RECORD,)),
    c.Elapse(),
    c.Cancel(grace_ms=30_000),
    c.Reschedule(Instant(9_000)),
    c.Recheck(Instant(9_000)),
    c.Unblock(),
    c.Restart(),
    c.Accept((STEP,)),
    c.Stand(EPOCH, OTHER),
    c.Park(EPOCH),
    c.Leave(EPOCH, WAIT.key),
    c.Remember(EPOCH, (STEP,)),
    c.Save(EPOCH, seen=0, body=b"1", leaves=True),
    c.Release(EPOCH),
    c.Complete(EPOCH, b"1"),
    c.Fail(EPOCH, CAUSE, Retry(), jitter=0.5),
    c.Yield(EPOCH),
    c.Block(EPOCH, CAUSE),
)


def node(run: Run) -> str:
    """Name the place of a run in the picture."""
    match run.state:
        case Over(outcome=outcome):
            return type(outcome).__name__
        case _ if run.stop is not None:
            return "Stopping"
        case Waiting(worker=worker):
            return "Waiting_cold" if worker is None else "Waiting_warm"
        case state:
            return type(state).__name__


def moves() -> Iterator[tuple[str, str, str]]:
    """Yield (from, to, command) for each sample that the kernel lets through."""
    for run in RUNS:
        for command in COMMANDS:
            try:
                after = decide(run, command, NOW).after
            except c.Refused:
                continue
            if node(after) != node(run):
                yield node(run), node(after), type(command).__name__


def draw() -> str:
    """Return the picture: one arrow for each pair of places, with all its commands."""
    arrows = dict[tuple[str, str], dict[str, None]]()
    for start, end, command in moves():
        arrows.setdefault((start, end), {})[command] = None
    lines = ["stateDiagram-v2", "    [*] --> Delayed", "    [*] --> Queued"]
    lines += [f"    {a} --> {b}: {', '.join(names)}" for (a, b), names in arrows.items()]
    begun = {start for start, _ in arrows}
    final = dict.fromkeys(end for _, end in arrows if end not in begun)
    lines += [f"    {end} --> [*]" for end in final]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(draw(), "utf-8")
    print(f"{PAGE.relative_to(Path.cwd())}: {draw().count('-->')} arrows")
